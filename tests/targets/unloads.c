/* Loads a library, calls it and unloads it, again and again.    usage: unloads LIBRARY
 *
 * It has loaded it once when it says `ready`. Each line is a number of calls to outer(), before which the library is
 * loaded if it isn't, and after which it is unloaded; the number of calls that gave a wrong result is printed.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "target.h"

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	const char *line;

	if (!library)
		abort();
	say("ready");
	while (*(line = read_line())) {
		if (!library && !(library = dlopen(argv[1], RTLD_NOW)))
			abort();
		int (*outer)(int) = (int (*)(int))dlsym(library, "outer");
		int wrong = 0;

		for (int i = atoi(line); i > 0; i--)
			wrong += outer(i) != (i ^ 5) + 1;
		dlclose(library);
		library = NULL;
		printf("{\"wrong\": %d}\n", wrong);
		fflush(stdout);
	}
	return 0;
}
