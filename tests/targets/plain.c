/* Functions in an executable; built in every way an executable can be laid out. */
#include "target.h"

FUNCTION int alpha(int number) { return number + 1; }

FUNCTION int beta(int number)
{
	volatile int local[8] = { number };

	return local[number & 7];
}

FUNCTION int countdown(int number)
{
	int (*volatile next)(int) = number > 1 ? alpha : NULL; /* keeps this a recursion, not a loop */

	return number ? countdown(number - 1) + !next : 0;
}

FUNCTION int never(int number) { return number - 1; }

static FUNCTION int hidden(int number) { return number * 3; }

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 20)
		never(argc);
	begin();
	TIMES(997) alpha(argc);
	TIMES(7919) beta(argc);
	countdown(1008);
	TIMES(101) hidden(argc);
	return finish("{\"alpha\": 997, \"beta\": 7919, \"countdown\": 1009, \"hidden\": 101, \"never\": 0}");
}
