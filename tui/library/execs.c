/* Programs that are started: by whom, and with which file. */
// show at: time
#include <linux/sched.h>

struct exec {
	u64 at;
	u32 pid;
	u32 parent;
	u32 uid;
	char comm[TASK_COMM_LEN];
	char parent_comm[TASK_COMM_LEN];
	char file[192];
};
BPF_RINGBUF_OUTPUT(execs, 64);

TRACEPOINT_PROBE(sched, sched_process_exec)
{
	struct exec *exec = execs.ringbuf_reserve(sizeof(struct exec));
	if (!exec)
		return 0;
	exec->at = bpf_ktime_get_ns();
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *parent = task->real_parent;
	exec->pid = bpf_get_current_pid_tgid() >> 32;
	exec->parent = parent->tgid;
	exec->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(&exec->comm, sizeof(exec->comm));
	bpf_probe_read_kernel_str(&exec->parent_comm, sizeof(exec->parent_comm), parent->comm);
	bpf_probe_read_kernel_str(&exec->file, sizeof(exec->file), (char *)args + (args->data_loc_filename & 0xffff));
	execs.ringbuf_submit(exec, 0);
	return 0;
}
