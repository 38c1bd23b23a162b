/* Functions whose names the build replaces by some that a terminal or a markup reader would act on. */
#include "target.h"

FUNCTION int odd_escape(int number) { return number + 1; }
FUNCTION int odd_markup(int number) { return number + 2; }
FUNCTION int odd_close(int number) { return number + 3; }
FUNCTION int odd_action(int number) { return number + 4; }
FUNCTION int odd_bytes(int number) { return number + 5; }

int main(int argc, char **argv)
{
	(void)argv;
	begin();
	TIMES(11) odd_escape(argc);
	TIMES(13) odd_markup(argc);
	TIMES(17) odd_close(argc);
	TIMES(19) odd_action(argc);
	TIMES(23) odd_bytes(argc);
	return finish("{\"odd_escape\": 11, \"odd_markup\": 13, \"odd_close\": 17, \"odd_action\": 19, \"odd_bytes\": 23}");
}
