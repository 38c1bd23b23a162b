/*
 * A call is found again at its return by its place: who runs (in Go a goroutine; elsewhere the process, of whose stacks
 * no two lie at one address, so that a coroutine may change threads), how deep the stack is, and the function. In Go the
 * depth is the distance from the stack's upper end, since stacks move.
 *
 * A hit's cookie is the function's index and what the hit is (the flags below): tui/bpf/frames.py makes them.
 */
#ifndef BPFSCOPE_PLACE_H
#define BPFSCOPE_PLACE_H
#include <uapi/linux/ptrace.h>

#define GO 0x100000000ULL	/* a function of Go: the runner is a goroutine */
#define RETURN 0x200000000ULL	/* a return: at a RET, or where URETPROBE is set, a return probe */
#define URETPROBE 0x400000000ULL	/* an entry whose return is a return probe; or such a return */

struct place {
	u64 runner, depth, function;
};

static inline struct place place_of(struct pt_regs *ctx, u64 thread, u64 cookie)
{
	struct place place = { .runner = thread >> 32, .depth = POINTER(ctx), .function = (u32)cookie };

	if ((cookie & (RETURN | URETPROBE)) == (RETURN | URETPROBE))
		place.depth -= POPPED;	/* the return address has been taken off */
	if (cookie & GO) {
		u64 high = 0;

		bpf_probe_read_user(&high, sizeof high, (void *)GOROUTINE(ctx) + 8);	/* g.stack.hi */
		place.runner = GOROUTINE(ctx) ^ (thread >> 32) << 42;
		place.depth = high - place.depth;
	} else {
		place.depth = HIGHEST - place.depth;
	}
	return place;
}

#endif
