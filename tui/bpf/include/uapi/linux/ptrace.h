/* Registers as the kernel lays them out: arch/x86/include/asm/ptrace.h, arch/arm64/include/uapi/asm/ptrace.h. */
#ifndef BPFSCOPE_PTRACE_H
#define BPFSCOPE_PTRACE_H
#include <linux/types.h>

/*
 * Of a hit: POINTER is the stack's, FRAME the frame pointer, GOROUTINE Go's g, REGISTERS how many there are up to the
 * stack pointer, which is the last. CALLER reads where a function returns to that was entered with this stack pointer. A return takes
 * POPPED bytes off the stack. At an entry, frames that callers made lie above LOWER. Stacks lie below HIGHEST. UNSIGNED
 * is a return address as a number of at most ADDRESS_BITS, or what is none.
 */
#if defined(__x86_64__)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#define PLACE(ctx) ((ctx)->ip)
#define POINTER(ctx) ((ctx)->sp)
#define FRAME(ctx) ((ctx)->bp)
#define GOROUTINE(ctx) ((ctx)->r14)
#define REGISTERS 20
#define CALLER(ctx, pointer, address) bpf_probe_read_user(address, 8, (void *)(pointer))
#define POPPED 8
#define LOWER(ctx) ((ctx)->sp)
#define HIGHEST (1ULL << 47)
#define ADDRESS_BITS 47
#define UNSIGNED(address) (address)
#elif defined(__aarch64__)
struct pt_regs {
	u64 regs[31], sp, pc, pstate;
};
#define PLACE(ctx) ((ctx)->pc)
#define POINTER(ctx) ((ctx)->sp)
#define FRAME(ctx) ((ctx)->regs[29])
#define GOROUTINE(ctx) ((ctx)->regs[28])
#define REGISTERS 32
#define CALLER(ctx, pointer, address) (*(address) = (ctx)->regs[30])
#define POPPED 0
#define LOWER(ctx) ((ctx)->sp - 16)	/* Go's are one word below the stack pointer, others at it or above */
#define HIGHEST (1ULL << 52)
#define ADDRESS_BITS 48
#define UNSIGNED(address) ((address) >> 55 & 1 ? 0 : (address) & ((1ULL << ADDRESS_BITS) - 1))
#endif

#endif
