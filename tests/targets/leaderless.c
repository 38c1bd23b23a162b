/* A process whose main thread ends after `alone`, while another thread goes on: two lines of work, each with a truth. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/syscall.h>

#include "target.h"

FUNCTION int stays(int number) { return number + 1; }
FUNCTION int goes(int number) { return number + 2; }

static void *work(void *unused)
{
	int number = unused != NULL;

	TIMES(499) number = goes(stays(number));
	say("{\"stays\": 499, \"goes\": 499}");
	read_line();
	TIMES(997) number = goes(stays(number));
	finish("{\"stays\": 997, \"goes\": 997}");
	_exit(0);
}

int main(void)
{
	pthread_t thread;

	begin();
	pthread_create(&thread, NULL, work, NULL);
	syscall(SYS_exit, 0);
}
