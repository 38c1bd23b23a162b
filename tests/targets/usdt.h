/*
 * USDT probes as systemtap's sys/sdt.h makes them: a nop, and a note that says where it and its arguments are. A
 * probe that has a semaphore says so by where it counts: in a variable of two bytes, in .probes.
 */
#ifndef USDT_H
#define USDT_H

#define SEMAPHORE(provider, name) \
	__attribute__((section(".probes"), used)) volatile unsigned short provider##_##name##_semaphore

/* `arguments` is the note's text, in which %N stands for an operand as the assembler has it. */
#define NOTED(provider, name, semaphore, arguments, ...)                            \
	asm volatile("990: nop\n"                                                   \
		     ".pushsection .note.stapsdt,\"\",\"note\"\n"                   \
		     ".balign 4\n"                                                  \
		     ".4byte 992f-991f, 994f-993f, 3\n"                             \
		     "991: .asciz \"stapsdt\"\n"                                    \
		     "992: .balign 4\n"                                             \
		     "993: .8byte 990b\n"                                           \
		     ".8byte _.stapsdt.base\n"                                      \
		     ".8byte " semaphore "\n"                                       \
		     ".asciz \"" #provider "\"\n"                                   \
		     ".asciz \"" #name "\"\n"                                       \
		     ".asciz \"" arguments "\"\n"                                   \
		     "994: .balign 4\n"                                             \
		     ".popsection\n"                                                \
		     ".ifndef _.stapsdt.base\n"                                     \
		     ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n" \
		     ".weak _.stapsdt.base\n"                                       \
		     ".hidden _.stapsdt.base\n"                                     \
		     "_.stapsdt.base: .space 1\n"                                   \
		     ".size _.stapsdt.base, 1\n"                                    \
		     ".popsection\n"                                                \
		     ".endif\n" ::__VA_ARGS__                                       \
		     : "memory")

#define USDT(provider, name, arguments, ...) NOTED(provider, name, "0", arguments, __VA_ARGS__)
#define USDT_COUNTED(provider, name, arguments, ...) \
	NOTED(provider, name, #provider "_" #name "_semaphore", arguments, __VA_ARGS__)
#endif
