/*
 * Functions that are called on known ways: from one or two places of a function, through recursion, from a library, from
 * code that is made at run time, from a signal's handler, and from so deep that the root is out of reach.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "target.h"

enum { DIRECT = 211, BOTH = 223, SELF = 227, MUTUAL = 229, DEEP = 233, LIBRARY = 239, MADE = 241, SIGNAL = 251,
       FULL = 257, OVERFULL = 263, FRAMED = 269 };

int through(int (*call)(int), int number);
int rooted(int (*call)(int), int number);

static volatile int sum;

/* No frame of its own: only the return address tells who called. */
FUNCTION int leaf(int number) { return number + 1; }

FUNCTION int direct(int number) { return leaf(number) + 1; }

FUNCTION int both(int number) { return leaf(number) + leaf(number + 1); }

FUNCTION int self(int depth) { return (depth > 1 ? self(depth - 1) : leaf(depth)) + 1; }

FUNCTION int pong(int depth);

FUNCTION int ping(int depth) { return (depth > 1 ? pong(depth - 1) : leaf(depth)) + 1; }

FUNCTION int pong(int depth) { return (depth > 1 ? ping(depth - 1) : leaf(depth)) + 1; }

FUNCTION int deep(int depth) { return (depth > 1 ? deep(depth - 1) : leaf(depth)) + 1; }

FUNCTION int back(int number) { return leaf(number) + 1; }

/* On x86-64 it begins with `push %rbp`, where the kernel's own walk is right too. */
FUNCTION int framed(int number) { return leaf(number) * 2; }

FUNCTION int frames(int number) { return framed(number) + 1; }

static void handler(int number) { sum += leaf(number); }

#if defined(__x86_64__)
/* push %rbp; mov %rsp, %rbp; movabs $leaf, %rax; call *%rax; pop %rbp; ret */
static uint8_t code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3 };
enum { ADDRESS = 6 };
#else
/* stp x29, x30, [sp, -16]!; mov x29, sp; ldr x9, ADDRESS; blr x9; ldp x29, x30, [sp], 16; ret */
static uint32_t code[] = { 0xa9bf7bfd, 0x910003fd, 0x58000089, 0xd63f0120, 0xa8c17bfd, 0xd65f03c0, 0, 0 };
enum { ADDRESS = 24 };
#endif

static int (*make(void))(int)
{
	int (*called)(int) = leaf;
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy((char *)code + ADDRESS, &called, sizeof called);
	memcpy(memory, code, sizeof code);
	__builtin___clear_cache(memory, memory + sizeof code);
	mprotect(memory, 4096, PROT_READ | PROT_EXEC);
	return (int (*)(int))memory;
}

/* Calls with a frame pointer of 0: here every walk ends. */
asm(".globl rooted\n"
    ".type rooted, @function\n"
    "rooted:\n"
#if defined(__x86_64__)
    "	push %rbp\n"
    "	xor %ebp, %ebp\n"
    "	mov %rdi, %rax\n"
    "	mov %esi, %edi\n"
    "	call *%rax\n"
    "	pop %rbp\n"
#else
    "	stp x29, x30, [sp, -16]!\n"
    "	mov x29, 0\n"
    "	mov x9, x0\n"
    "	mov w0, w1\n"
    "	blr x9\n"
    "	ldp x29, x30, [sp], 16\n"
#endif
    "	ret\n"
    ".size rooted, . - rooted\n");

int main(void)
{
	int (*made)(int) = make();

	signal(SIGUSR1, handler);
	begin();
	TIMES(DIRECT) sum += direct(i_);
	TIMES(BOTH) sum += both(i_);
	TIMES(SELF) sum += self(5);
	TIMES(MUTUAL) sum += ping(4);
	TIMES(DEEP) sum += deep(199);
	TIMES(LIBRARY) sum += through(back, i_);
	TIMES(MADE) sum += made(i_);
	TIMES(SIGNAL) raise(SIGUSR1);
	TIMES(FULL) sum += rooted(deep, 125);
	TIMES(OVERFULL) sum += rooted(deep, 126);
	TIMES(FRAMED) sum += frames(i_);
	printf("{\"direct\": %d, \"both\": %d, \"self\": %d, \"mutual\": %d, \"deep\": %d, \"library\": %d, \"made\": %d,"
	       " \"signal\": %d, \"full\": %d, \"overfull\": %d, \"framed\": %d, \"made at\": %lu}\n",
	       DIRECT, 2 * BOTH, SELF, MUTUAL, DEEP, LIBRARY, MADE, SIGNAL, FULL, OVERFULL, FRAMED, (unsigned long)made);
	fflush(stdout);
	while (*read_line())
		;
	return 0;
}
