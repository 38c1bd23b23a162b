/* Signals that are sent: who sends which to whom. Who killed my process? */
// show at: time
// show signal: signal
#include <linux/sched.h>

struct sent {
	u64 at;
	u32 pid;
	char comm[TASK_COMM_LEN];
	u32 signal;
	u32 to;
	char to_comm[TASK_COMM_LEN];
	u32 result;	// 0: delivered; 1: ignored, 2: pending already, 3: its queue is full (4: so something is lost)
};
BPF_RINGBUF_OUTPUT(signals, 64);

TRACEPOINT_PROBE(signal, signal_generate)
{
	struct sent *sent = signals.ringbuf_reserve(sizeof(struct sent));
	if (!sent)
		return 0;
	sent->at = bpf_ktime_get_ns();
	sent->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(&sent->comm, sizeof(sent->comm));
	sent->signal = args->sig;
	sent->to = args->pid;
	__builtin_memcpy(sent->to_comm, args->comm, sizeof(sent->to_comm));
	sent->result = args->result;
	signals.ringbuf_submit(sent, 0);
	return 0;
}
