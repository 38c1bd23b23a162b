/* Registers as the kernel lays them out: arch/x86/include/asm/ptrace.h, arch/arm64/include/uapi/asm/ptrace.h. */
#ifndef BPFSCOPE_PTRACE_H
#define BPFSCOPE_PTRACE_H
#include <linux/types.h>

#if defined(__x86_64__)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__aarch64__)
struct pt_regs {
	u64 regs[31], sp, pc, pstate;
};
#endif

struct bpf_perf_event_data {
	struct pt_regs regs;
	u64 sample_period;
	u64 addr;
};

#endif
