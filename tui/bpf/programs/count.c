/*
 * Calls per function.
 *
 * calls    one row per CPU, one cell per function (the link's cookie); mapped and summed by the reader. Rows keep two
 *          CPUs off one cache line; the addition is atomic because a preemptible kernel may move or interrupt us.
 * control  one cell: the generation that counts, times two, plus one while two are attached; written by the reader.
 * handed   threads whose hit has been counted by the generation that is the value; used while two are attached.
 *
 * Removing functions replaces the link while calls go on. Both generations are attached for a moment and both see a
 * hit; the kernel runs the newer first (consumers are added at the head of a uprobe's list, 6.6 to 6.18), which leaves
 * a note for the older one, so that every hit is counted by exactly one.
 *
 * Cost: a few ns over an empty program.
 */
#include <bpfscope.h>

BPF_F_TABLE("array", u32, u64, calls, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, u64, control, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("hash", u64, u64, handed, 16384, 0);

int count(struct pt_regs *ctx)
{
	CONSTANT(tgid, 0x7467696474676964);	/* only this process; 0: the link filters */
	CONSTANT(row, 0x726f77726f77726f);	/* cells per CPU */
	CONSTANT(generation, 0x67656e6572617469);
	u32 zero = 0;

	if (tgid && bpf_get_current_pid_tgid() >> 32 != tgid)
		return 0;

	u64 *control_cell = control.lookup(&zero);
	if (!control_cell)
		return 0;
	u64 state = *(volatile u64 *)control_cell, active = state >> 1;
	if (generation > active)
		return 0;
	if (state & 1) {
		u64 thread = bpf_get_current_pid_tgid();
		if (generation < active) {
			u64 *note = handed.lookup(&thread);
			if (note && *note == active) {
				handed.delete(&thread);
				return 0;
			}
		} else if (handed.update(&thread, &generation)) {
			return 0;
		}
	}

	u32 cell = bpf_get_smp_processor_id() * row + bpf_get_attach_cookie(ctx);
	u64 *counter = calls.lookup(&cell);
	if (counter)
		__sync_fetch_and_add(counter, 1);
	return 0;
}
