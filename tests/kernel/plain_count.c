/*
 * Calls, counted wrongly: as programs/count.c, but the cell is read and then written, not added to atomically.
 *
 * Shows that the tests see lost calls. The helper between reading and writing is there for emulated processors, which
 * look for interrupts only where code branches: `(*counter)++` alone is never interrupted there.
 */
#include <bpfscope.h>

BPF_F_TABLE("array", u32, u64, calls, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, u64, control, 1, BPF_F_MMAPABLE);
BPF_F_TABLE("hash", u64, u64, handed, 1024, 0);

int count(struct pt_regs *ctx)
{
	CONSTANT(tgid, 0x7467696474676964);
	CONSTANT(row, 0x726f77726f77726f);
	CONSTANT(generation, 0x67656e6572617469);
	u32 zero = 0;

	if (tgid && bpf_get_current_pid_tgid() >> 32 != tgid)
		return 0;
	u64 *control_cell = control.lookup(&zero);
	if (!control_cell || generation > *(volatile u64 *)control_cell >> 1)
		return 0;
	u32 cell = bpf_get_smp_processor_id() * row + bpf_get_attach_cookie(ctx);
	u64 *counter = calls.lookup(&cell);
	if (counter) {
		u64 next = *counter + 1;

		calls.update(&cell, &next);
	}
	return 0;
}
