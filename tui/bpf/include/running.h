/*
 * Whose turn it is: which program handles a hit, when counting begins and ends, and that each hit is handled once.
 *
 * control  an array whose first cell is written by tui/bpf/attachment.py: the generation that works, times four; plus
 *          HANDING while it takes over from the one before, plus COUNTING once everything is attached. 0: nothing works
 * handed   threads whose hit has been handled by the generation that is the value, while two are attached
 *
 * While one takes over, both are attached, and both see a hit; the kernel runs the newer first (consumers are added at
 * the head of a uprobe's list, 6.6 to 6.18), which leaves a note for the older one. Where the newer passed over a hit,
 * because it came before its turn, there is no note, and the older one handles it: no entry is lost whose return is
 * seen, and no return whose entry was.
 *
 * To be included in quotes: it has a map (compile_child.py).
 */
#ifndef BPFSCOPE_RUNNING_H
#define BPFSCOPE_RUNNING_H

#define COUNTING 1
#define HANDING 2
#define OFF 1	/* a function's turn is odd while it is taken off, also where its probes are still on or already */

BPF_F_TABLE("hash", u64, u64, handed, 8192, 0);

/* Whether a hit is another generation's. */
static inline __attribute__((always_inline)) bool passed_over(u64 state, u64 generation, u64 thread)
{
	u64 active = state >> 2;

	if (!(state & HANDING))
		return generation != active;
	if (generation >= active)
		return generation > active || handed.update(&thread, &generation);
	u64 *note = handed.lookup(&thread);
	if (!note || *note != active)
		return false;
	handed.delete(&thread);
	return true;
}

/* Leaves the program unless a hit is this generation's; `cell` is control's. `counts` is 0 until all is attached. */
#define RUNNING(counts, cell, thread)                                                                              \
	CONSTANT(generation, 0x67656e6572617469);                                                                  \
	if (!cell)                                                                                                 \
		return 0;                                                                                          \
	u64 counts = *(volatile u64 *)cell;                                                                        \
	if ((counts >> 2 != generation || counts & HANDING) && passed_over(counts, generation, thread))            \
		return 0;                                                                                          \
	counts &= COUNTING

#endif
