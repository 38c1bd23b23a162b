/*
 * Code that isn't what the file says, or that must not be probed.
 * usage: changed patched|writable|plain|anew
 *
 * `patched` changes the first instruction of `answer` in memory, as a hot patch does; `writable` makes its page
 * writable. `anew` executes the same program from another thread after its work.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "target.h"

int answer(void), flags(void), outer(void), leaf(void);

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
	".balign 4096\n");

static void protect(int protection)
{
	if (mprotect((void *)answer, 4096, protection))
		abort();
}

static void *anew(void *argv)
{
	execv("/proc/self/exe", argv);
	abort();
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "plain";
	int expected = 41, wrong = 0;

	if (!strcmp(how, "patched")) {
		protect(PROT_READ | PROT_WRITE | PROT_EXEC);
		((volatile unsigned char *)answer)[1] = expected = 42;
		protect(PROT_READ | PROT_EXEC);
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
