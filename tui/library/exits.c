/* Processes that end: with what status, by which signal, and after how long. */
// show at: time
// show signal: signal
// show lived_ns: ns
#include <linux/sched.h>

struct end {
	u64 at;
	u32 pid;
	u32 parent;
	char comm[TASK_COMM_LEN];
	u32 status;	// as exit(2) was given it
	u32 signal;	// that killed it; 0: none did
	u64 lived_ns;
};
BPF_RINGBUF_OUTPUT(exits, 64);

TRACEPOINT_PROBE(sched, sched_process_exit)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 pid = id >> 32;
	if (pid != (u32)id)	// another thread than the first
		return 0;
	struct end *end = exits.ringbuf_reserve(sizeof(struct end));
	if (!end)
		return 0;
	end->at = bpf_ktime_get_ns();
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 code = task->exit_code;
	u64 began = task->start_time;
	end->pid = pid;
	end->parent = task->real_parent->tgid;
	end->status = code >> 8 & 0xff;
	end->signal = code & 0x7f;
	end->lived_ns = end->at - began;
	bpf_get_current_comm(&end->comm, sizeof(end->comm));
	exits.ringbuf_submit(end, 0);
	return 0;
}
