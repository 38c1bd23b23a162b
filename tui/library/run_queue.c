/* How long threads that could run have waited for a CPU: the whole machine's histogram. */
// hide since
// show waited: us
#include <linux/sched.h>

BPF_HASH(since, u32, u64, 65536);	// by thread
BPF_HISTOGRAM(waited);

static inline void waits(u32 thread)
{
	u64 now = bpf_ktime_get_ns();
	if (thread)
		since.update(&thread, &now);
}

RAW_TRACEPOINT_PROBE(sched_wakeup)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	waits(task->pid);
	return 0;
}

RAW_TRACEPOINT_PROBE(sched_wakeup_new)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	waits(task->pid);
	return 0;
}

TRACEPOINT_PROBE(sched, sched_switch)
{
	if (args->prev_state == TASK_RUNNING || args->prev_state & 256)	// it could go on, but somebody else runs (TASK_REPORT_MAX)
		waits(args->prev_pid);
	u32 thread = args->next_pid;
	u64 *then = since.lookup(&thread);
	if (!then)
		return 0;
	waited.atomic_increment(bpf_log2l((bpf_ktime_get_ns() - *then) / 1000));
	since.delete(&thread);
	return 0;
}
