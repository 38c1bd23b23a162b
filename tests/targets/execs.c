/* Calls a function, then executes another program.    usage: execs PROGRAM */
#include <stdlib.h>

#include "target.h"

FUNCTION int before(int number) { return number + 1; }

int main(int argc, char **argv)
{
	begin();
	TIMES(997) before(argc);
	say("{\"before\": 997}");
	read_line();
	execv(argv[1], argv + 1);
	abort();
}
