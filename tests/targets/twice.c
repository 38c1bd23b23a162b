/* Has a library mapped twice, as its own and in a second namespace of the linker's.    usage: twice LIBRARY
 *
 * It calls outer() of the first 1,009 times, and of the second 503 times.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "target.h"

int main(int argc, char **argv)
{
	void *first = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void *second = argc > 1 ? dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW) : NULL;

	if (!first || !second)
		abort();
	int (*one)(int) = (int (*)(int))dlsym(first, "outer"), (*other)(int) = (int (*)(int))dlsym(second, "outer");

	if (one == other)
		abort();
	begin();
	TIMES(1009) one(argc);
	TIMES(503) other(argc);
	return finish("{\"outer\": 1512}");
}
