/* Calls a shared library; has a function of the same name as one that the library keeps to itself. */
#include "target.h"

int outer(int number);
int direct(int number);

FUNCTION int inner(int number) { return number + 9; }

int main(int argc, char **argv)
{
	(void)argv;
	begin();
	TIMES(1013) outer(argc);
	TIMES(499) direct(argc);
	TIMES(11) inner(argc);
	return finish("{\"outer\": 1013, \"direct\": 499, \"inner\": 1013}");
}
