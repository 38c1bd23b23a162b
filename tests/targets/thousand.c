/* Calls what thousand.py writes. */
#include "target.h"

extern void (*const functions[1000])(void);

static const int primes[10] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29 };

int main(void)
{
	begin();
	for (int i = 0; i < 1000; i++)
		if (functions[i])
			TIMES(primes[i % 10]) functions[i]();
	return finish("{}");
}
