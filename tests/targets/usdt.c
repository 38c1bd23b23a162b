/* USDT probes that are passed known numbers of times, with known arguments. */
#include <stdlib.h>

#include "target.h"
#include "usdt.h"

SEMAPHORE(shop, asked);
SEMAPHORE(shop, twice);
SEMAPHORE(shop, early);

static long total = 70000;
static int table[4] = { 10, -20, 30, -40 };

FUNCTION void plain(void) { USDT(shop, plain, "", ); }

/* In registers of every width. */
FUNCTION void registers(long wide, int number, short small, signed char tiny)
{
	USDT(shop, registers, "-8@%0 -4@%1 4@%1 -2@%2 2@%2 -1@%3 1@%3", "r"(wide), "r"(number), "r"(small), "q"(tiny));
}

/* In memory: a local variable, one that a pointer leads to, one of the file, and one of an array. */
FUNCTION void memory(int number, const char *name, long index)
{
	volatile long local = number * 2L;

	USDT(shop, memory, "-8@%0 -4@%1 8@%2 -4@%3", "m"(local), "m"(table[1]), "r"(name), "m"(table[index]));
}

FUNCTION void constants(void) { USDT(shop, constants, "-4@%0 8@%1 1@%2", "n"(-5), "n"(1L << 40), "n"(200)); }

FUNCTION void global(void) { USDT(shop, global, "8@%0", "m"(total)); }

FUNCTION void real(const double *of, double passed)
{
	USDT(shop, real, "8f@%0 8f@%1 -4@%2", "m"(*of), "x"(passed), "n"(7));
}

/* Only where somebody looks it is worth while. */
FUNCTION int asked(int number)
{
	if (!shop_asked_semaphore)
		return 0;
	USDT_COUNTED(shop, asked, "-4@%0", "r"(number));
	return 1;
}

/* One probe at two places, which have their arguments elsewhere. */
FUNCTION void twice(int number)
{
	if (number & 1)
		USDT_COUNTED(shop, twice, "-4@%0 -4@%1", "r"(number), "n"(1));
	else
		USDT_COUNTED(shop, twice, "-4@%0 -4@%1", "m"(table[number & 3]), "r"(number));
}

/* Its first instruction is the probe's. */
FUNCTION void early(int number) { USDT_COUNTED(shop, early, "-4@%0", "r"(number)); }

/* Where the stack is higher than at the entry, and other functions have been called. */
FUNCTION void within(int number)
{
	char space[200];

	snprintf(space, sizeof space, "%d", number);
	USDT(shop, within, "1@%0", "m"(space[0]));
}

FUNCTION void first(int number)
{
	within(number);
	plain();
}

FUNCTION void second(int number)
{
	volatile char space[77] = { 0 };

	within(number + space[5]);
	space[0]++;
}

int main(void)
{
	const double half = 0.5;
	int seen = 0;

	begin();
	do {
		seen = 0;
		TIMES(3) plain();
		TIMES(5) registers(-3, -4, -5, -6);
		TIMES(7) registers(1L << 62, 2000000000, 32000, 100);
		TIMES(11) memory(21, "GET", 2);
		TIMES(13) memory(-21, "", 3);
		TIMES(17) constants();
		TIMES(19) global();
		TIMES(23) real(&half, 0.25);
		TIMES(29) seen += asked(42);
		TIMES(31) twice(5);
		TIMES(37) twice(6);
		TIMES(41) early(1);
		TIMES(43) first(7);
		TIMES(47) second(8);
		printf("{\"usdt:shop:plain\": 46, \"usdt:shop:within\": 90, \"usdt:shop:registers\": 12, \"usdt:shop:memory\": 24,"
		       " \"usdt:shop:constants\": 17, \"usdt:shop:global\": 19, \"usdt:shop:real\": 23,"
		       " \"usdt:shop:asked\": %d, \"usdt:shop:twice\": 68, \"usdt:shop:early\": 41,"
		       " \"semaphores\": %d}\n",
		       seen, shop_asked_semaphore + shop_twice_semaphore + shop_early_semaphore);
		fflush(stdout);
	} while (*read_line());
	return 0;
}
