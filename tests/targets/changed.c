/*
 * Code that isn't what the file says, or that must not be probed.
 * usage: changed patched|trapped|called|writable|plain|anew
 *
 * `patched` changes the first instruction of `answer` in memory, as a hot patch does; `trapped` puts a breakpoint there
 * that is the program's own, and `called` a call in the place of the long nop of `traced`; `writable` makes their page
 * writable. `anew` executes the same program from another thread after its work.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "target.h"

int answer(void), flags(void), outer(void), leaf(void), traced(int), hook(int);

__asm__(".text\n"
	".balign 4096\n"
	".type answer, @function\n"
	"answer: mov $41, %eax\n"
	"	ret\n"
	".size answer, . - answer\n"
	".type flags, @function\n"
	"flags: pushf\n"
	"	popf\n"
	"	mov $2, %eax\n"
	"	ret\n"
	".size flags, . - flags\n"
	".type outer, @function\n"
	"outer: mov $1, %eax\n"
	"	.byte 0x05\n"
	".type inner, @function\n"
	"inner: .long 0x310\n"
	"	ret\n"
	".size outer, . - outer\n"
	".size inner, . - inner\n"
	".type leaf, @function\n"
	"leaf: movl $7, -8(%rsp)\n"
	".type mark, @function\n"
	"mark: .byte 0x0f, 0x1f, 0x44, 0, 0\n"
	"	mov -8(%rsp), %eax\n"
	"	ret\n"
	".size leaf, . - leaf\n"
	".size mark, . - mark\n"
	".type traced, @function\n"
	"traced: .byte 0x0f, 0x1f, 0x44, 0, 0\n"
	"	lea 1(%rdi), %eax\n"
	"	ret\n"
	".size traced, . - traced\n"
	".type hook, @function\n"
	"hook: add $1, %edi\n"
	"	ret\n"
	".size hook, . - hook\n"
	".balign 4096\n");

static void protect(int protection)
{
	if (mprotect((void *)answer, 4096, protection))
		abort();
}

/* What `answer` gives where its breakpoint is. */
static void trapped(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number, (void)info;
	registers[REG_RAX] = 43;
	registers[REG_RIP] = *(greg_t *)registers[REG_RSP];
	registers[REG_RSP] += 8;
}

static void *anew(void *argv)
{
	execv("/proc/self/exe", argv);
	abort();
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "plain";
	int expected = 41, more = 1, wrong = 0;

	if (!strcmp(how, "patched")) {
		protect(PROT_READ | PROT_WRITE | PROT_EXEC);
		((volatile unsigned char *)answer)[1] = expected = 42;
		protect(PROT_READ | PROT_EXEC);
	}
	if (!strcmp(how, "trapped")) {
		struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };

		sigaction(SIGTRAP, &action, NULL);
		protect(PROT_READ | PROT_WRITE | PROT_EXEC);
		*(volatile unsigned char *)answer = 0xcc;
		protect(PROT_READ | PROT_EXEC);
		expected = 43;
	}
	if (!strcmp(how, "called")) {
		volatile unsigned char *code = (volatile unsigned char *)traced;
		int distance = (int)((long)hook - (long)traced - 5);

		protect(PROT_READ | PROT_WRITE | PROT_EXEC);
		code[0] = 0xe8;
		memcpy((void *)(code + 1), &distance, 4);
		protect(PROT_READ | PROT_EXEC);
		more = 2;
	}
	if (!strcmp(how, "plain")) { /* the code that runs is mapped privately all the same */
		int file = open("/proc/self/exe", O_RDONLY);

		if (mmap(NULL, 65536, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0) == MAP_FAILED)
			abort();
	}
	if (!strcmp(how, "writable"))
		protect(PROT_READ | PROT_WRITE | PROT_EXEC);
	begin();
	TIMES(997) wrong += answer() != expected;
	TIMES(97) wrong += traced(5) != 5 + more;
	TIMES(97) wrong += (flags() != 2) + (outer() != 0x311) + (leaf() != 7);
	printf("{\"answer\": 997, \"wrong\": %d}\n", wrong);
	fflush(stdout);
	if (!strcmp(how, "anew")) {
		pthread_t thread;

		read_line();
		argv[1] = "plain";
		pthread_create(&thread, NULL, anew, argv);
		pthread_join(thread, NULL);
	}
	read_line();
	return 0;
}
