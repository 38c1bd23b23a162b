/* A signal's stack that lies inside the thread's own, above the calls that signals interrupt: they all go on after it. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>

#include "target.h"

enum { STACK = 65536, CALLS = 211, DEPTH = 5 };

static volatile int wrong;

FUNCTION int takes_time(int number)
{
	for (volatile int i = 0; i < 1000; i++)
		;
	return number + 1;
}

static void handler(int number) { wrong += takes_time(number) != number + 1; }

/* Each is interrupted, and then calls something that has no caller that is known. */
FUNCTION int descends(int depth)
{
	int deeper = depth ? descends(depth - 1) : 0;

	raise(SIGUSR1);
	return deeper + takes_time(depth);
}

FUNCTION int repeats(int calls)
{
	int sum = 0;

	TIMES(calls) sum += descends(DEPTH);
	return sum;
}

/* Its frame holds the signal's stack, above all that it calls. */
FUNCTION int holds_stack(int calls)
{
	char stack[STACK];
	stack_t other = { .ss_sp = stack, .ss_size = STACK }, none = { .ss_flags = SS_DISABLE };

	sigaltstack(&other, NULL);
	int sum = repeats(calls);
	sigaltstack(&none, NULL);
	return sum;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	char truth[256];

	sigaction(SIGUSR1, &action, NULL);
	begin();
	int sum = holds_stack(CALLS);
	wrong += sum != CALLS * (DEPTH + 1) * (DEPTH + 2) / 2;
	snprintf(truth, sizeof truth, "{\"repeats\": 1, \"descends\": %d, \"takes_time\": %d, \"wrong\": %d}", CALLS * (DEPTH + 1),
		 2 * CALLS * (DEPTH + 1), wrong);
	return finish(truth);
}
