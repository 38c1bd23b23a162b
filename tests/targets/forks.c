/* Calls a function, and forks a child that calls it too. */
#include <stdlib.h>
#include <sys/wait.h>

#include "target.h"

FUNCTION int work(int number) { return number + 1; }

int main(int argc, char **argv)
{
	(void)argv;
	begin();
	TIMES(499) work(argc);
	pid_t child = fork();
	if (child == 0) {
		TIMES(1009) work(argc);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		abort();
	TIMES(498) work(argc);
	return finish("{\"work\": 997, \"children\": 1009}");
}
