/* Functions that are called with known values, and give known ones. The tests know where each lies. */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "target.h"

struct measure {
	double width;
	float height;
	struct measure *next;
};

FUNCTION int narrow(signed char a, unsigned char b, short c, unsigned short d) { return a + b + c + d; }
FUNCTION long wide(int a, unsigned int b, long c, unsigned long d) { return a + b + c + (d != 0); }
FUNCTION bool flagged(bool on, unsigned char rest) { return !on && rest; }
FUNCTION const char *named(const char *name, long number) { return number ? name : "nought"; }
FUNCTION double area(const struct measure *of) { return of->width * of->height; }
FUNCTION long many(long a, long b, long c, long d, long e, long f, long g, long h)
{
	return a + b + c + d + e + f + g + h;
}

FUNCTION long fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
FUNCTION int hot(int number) { return number * 3; }

FUNCTION void slow(long microseconds)
{
	if (microseconds)
		usleep(microseconds);
}

static char letters[256];

static const char *text(int length)
{
	letters[length] = 0;
	return memset(letters, 'x', length);
}

static void texts(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(page + 4096, 4096);
	strcpy(page + 4092, "end");
	memcpy(page + 4000, "abc", 3);
	TIMES(3) named("GET", 1);
	TIMES(5) named("", 2);
	TIMES(7) named(NULL, 3);
	TIMES(11) named(text(62), 4);
	TIMES(13) named(text(63), 5);
	TIMES(17) named(text(64), 6);
	TIMES(19) named(text(200), 7);
	TIMES(23) named((char *)16, 8);
	TIMES(29) named(page + 4092, 9);
	memset(page + 4092, 'y', 4);
	TIMES(31) named(page + 4092, 10); /* no end before the page's */
	TIMES(37) named("h\303\251\033[1m", 0);
}

int main(int argc, char **argv)
{
	struct measure inner = { 0.5, 8, NULL }, outer = { -2.25, 1.5, &inner };
	int calls = argc > 1 ? atoi(argv[1]) : 20011;

	begin();
	TIMES(3) narrow(-1, 255, -2, 65535);
	TIMES(5) narrow(127, 0, -32768, 1);
	TIMES(7) wide(-1, 4294967295U, -1, ~0UL);
	TIMES(11) wide(2147483647, 0, 1L << 62, 1UL << 63);
	TIMES(13) flagged(true, 2);
	TIMES(17) flagged(false, 3);
	texts();
	TIMES(19) area(&outer);
	TIMES(23) many(1, 2, 3, 4, 5, 6, -7, 8);
	fibonacci(10);
	TIMES(29) slow(0);
	TIMES(3) slow(20000);
	for (int i = 0; i < calls; i++)
		hot(i);
	printf("{\"narrow\": 8, \"wide\": 18, \"flagged\": 30, \"named\": 195, \"area\": 19, \"many\": 23, "
	       "\"fibonacci\": 177, \"slow\": 32, \"hot\": %d}\n", calls);
	fflush(stdout);
	while (*read_line()) {
		hot(-1);
		say("{}");
	}
	return 0;
}
