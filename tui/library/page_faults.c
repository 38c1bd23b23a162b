/* Page faults by process: pages of memory that were touched and weren't there. */
// hook: perf:page-faults
#include <uapi/linux/ptrace.h>
#include <linux/sched.h>

struct key {
	u32 pid;
	char comm[TASK_COMM_LEN];
};
BPF_HASH(faults, struct key);

int on_fault(struct bpf_perf_event_data *ctx)
{
	struct key key = {.pid = bpf_get_current_pid_tgid() >> 32};
	bpf_get_current_comm(&key.comm, sizeof(key.comm));
	faults.atomic_increment(key);
	return 0;
}
