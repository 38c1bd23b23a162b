/* System calls by process and call: how many, how many failed, and the time in them. */
// hide began
// show call: syscall
// show ns: ns
#include <linux/sched.h>

struct key {
	u32 pid;
	u32 call;
	char comm[TASK_COMM_LEN];
};
struct value {
	u64 calls;
	u64 failed;
	u64 ns;
};
BPF_HASH(began, u32, u64, 65536);	// by thread
BPF_HASH(syscalls, struct key, struct value, 65536);

TRACEPOINT_PROBE(raw_syscalls, sys_enter)
{
	u32 thread = bpf_get_current_pid_tgid();
	u64 now = bpf_ktime_get_ns();
	began.update(&thread, &now);
	return 0;
}

TRACEPOINT_PROBE(raw_syscalls, sys_exit)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 thread = id;
	u64 *then = began.lookup(&thread);
	if (!then)	// it began before we looked
		return 0;
	struct key key = {.pid = id >> 32, .call = args->id};
	bpf_get_current_comm(&key.comm, sizeof(key.comm));
	struct value nothing = {}, *value = syscalls.lookup_or_try_init(&key, &nothing);
	if (value) {
		__sync_fetch_and_add(&value->calls, 1);
		__sync_fetch_and_add(&value->ns, bpf_ktime_get_ns() - *then);
		if (args->ret < 0 && args->ret > -4096)
			__sync_fetch_and_add(&value->failed, 1);
	}
	began.delete(&thread);
	return 0;
}
