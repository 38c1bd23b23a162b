/* Files that processes open, as they do, with what came of it: the descriptor, or why it failed. */
// hide asked
// show at: time
// show result: errno
// show flags: hex
#include <linux/sched.h>

struct open {
	u64 at;
	u32 pid;
	u32 tid;
	char comm[TASK_COMM_LEN];
	s32 result;
	u32 flags;
	char path[232];
};
struct asked {
	const char *path;
	u64 flags;
};
BPF_HASH(asked, u64, struct asked);	// by process and thread
BPF_RINGBUF_OUTPUT(opens, 256);

static inline int enter(const char *path, u64 flags)
{
	u64 id = bpf_get_current_pid_tgid();
	struct asked asking = {.path = path, .flags = flags};
	asked.update(&id, &asking);
	return 0;
}

static inline int leave(s64 result)
{
	u64 id = bpf_get_current_pid_tgid();
	struct asked *asking = asked.lookup(&id);
	if (!asking)
		return 0;
	struct open *event = opens.ringbuf_reserve(sizeof(struct open));
	if (event) {
		event->at = bpf_ktime_get_ns();
		event->pid = id >> 32;
		event->tid = id;
		event->result = result;
		event->flags = asking->flags;
		bpf_get_current_comm(&event->comm, sizeof(event->comm));
		bpf_probe_read_user_str(&event->path, sizeof(event->path), asking->path);
		opens.ringbuf_submit(event, 0);
	}
	asked.delete(&id);
	return 0;
}

TRACEPOINT_PROBE(syscalls, sys_enter_openat) { return enter(args->filename, args->flags); }
TRACEPOINT_PROBE(syscalls, sys_exit_openat) { return leave(args->ret); }
TRACEPOINT_PROBE(syscalls, sys_enter_openat2) { return enter(args->filename, 0); }
TRACEPOINT_PROBE(syscalls, sys_exit_openat2) { return leave(args->ret); }
