/* Symbols of every kind: an indirect function, aliases of one address, assembly without a size. */
#include "target.h"

FUNCTION int picked(int number) { return number + 1; }

static int (*pick(void))(int) { return picked; }
int indirect(int number) __attribute__((ifunc("pick")));

FUNCTION int original(int number) { return number + 2; }
FUNCTION int also_called(int number) __attribute__((alias("original")));
FUNCTION int weakly_called(int number) __attribute__((weak, alias("original")));

int sizeless(int number);
__asm__(".pushsection .text\n"
	".globl sizeless\n"
	".type sizeless, @function\n"
	"sizeless:\n"
#if defined(__x86_64__)
	"	push %rbp\n"
	"	lea 3(%rdi), %eax\n"
	"	pop %rbp\n"
#else
	"	add w0, w0, 3\n"
#endif
	"	ret\n"
	".popsection\n");

int main(int argc, char **argv)
{
	(void)argv;
	begin();
	TIMES(307) indirect(argc);
	TIMES(150) original(argc);
	TIMES(161) also_called(argc);
	TIMES(313) sizeless(argc);
	return finish("{\"picked\": 307, \"original\": 311, \"sizeless\": 313}");
}
