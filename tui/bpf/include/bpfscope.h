/* What every program of ours starts with. */
#ifndef BPFSCOPE_H
#define BPFSCOPE_H
#include <uapi/linux/ptrace.h>

#define BPF_F_MMAPABLE 1024

/*
 * A 64-bit constant that the loader sets: it finds the magic number in the bytecode and writes the value over it, and
 * the verifier then drops the branches that can't be taken. A plain constant would be folded by the compiler.
 */
#define CONSTANT(name, magic) \
	u64 name;             \
	asm volatile("%0 = " #magic " ll" : "=r"(name))

/*
 * Puts the variable's value into the cell, and what the cell had into the variable, at once. LLVM 14's assembler has no
 * word for it: an addition at this offset, which nothing else uses, stands for it, and `relocatable` in compile_child.py
 * makes it the exchange (BPF_XCHG, Linux 5.12).
 */
#define EXCHANGE(cell, variable) \
	asm volatile("lock *(u64 *)(%1 + 0x5843) += %0" : "+r"(variable) : "r"(cell) : "memory")

/* Puts 0 into the cell, to be seen after all that was written before: arm64 shows plain stores in any order. */
#if defined(__x86_64__)
#define FREE(cell) (*(volatile u64 *)(cell) = 0)
#else
#define FREE(cell)                        \
	do {                              \
		u64 nothing = 0;          \
		EXCHANGE(cell, nothing);  \
	} while (0)
#endif

#endif
