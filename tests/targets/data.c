/*
 * Calls the functions of data.S, and says how many of them gave something wrong.
 */
#include "target.h"

unsigned callover(void), inlinearg(void), tailreg(void), opaque(void);
unsigned overlap(int), adjacent(int), bounded(unsigned);
void noreturn(int);
extern const unsigned data;

int main(void)
{
	int wrong = 0;

	begin();
	TIMES(97) {
		wrong += callover() != 0x909090c3;
		wrong += inlinearg() != 0x909090c3;
		wrong += tailreg() != 0xc3c3c3c3;
		wrong += (overlap(1) != 0xc3) + (overlap(0) != 1);
		wrong += opaque() != 0x90c390c3;
		wrong += (adjacent(0) != 0xc3c3c3c3) + (adjacent(1) != 7);
		wrong += (bounded(0) != 10) + (bounded(1) != 11) + (bounded(2) != 12);
		noreturn(1);
		wrong += data != 0x909090c3;
	}
	printf("{\"wrong\": %d}\n", wrong);
	fflush(stdout);
	read_line();
	return 0;
}
