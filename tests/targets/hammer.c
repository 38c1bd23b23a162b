/*
 * Threads that call functions as fast as they can, each on a CPU of its own, until told to stop.
 *
 * usage: hammer [THREADS [CALLS]]    CALLS: each thread stops by itself after so many rounds
 * Lines: `late` makes the threads call late() too from then on; `stop` ends the work.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "target.h"

enum { MOST = 64, HOT = 8 };

#define HOT_FUNCTION(number)                                                                                   \
	FUNCTION int hot##number(int value)                                                                    \
	{                                                                                                      \
		volatile int local = value;                                                                    \
		return local + number;                                                                         \
	}
HOT_FUNCTION(0)
HOT_FUNCTION(1)
HOT_FUNCTION(2)
HOT_FUNCTION(3)
HOT_FUNCTION(4)
HOT_FUNCTION(5)
HOT_FUNCTION(6)
HOT_FUNCTION(7)

FUNCTION int late(int value)
{
	volatile int local = value;
	return local + 8;
}

static int (*const functions[HOT])(int) = { hot0, hot1, hot2, hot3, hot4, hot5, hot6, hot7 };
static volatile int stopped, calls_late;
static long rounds;
static struct thread {
	pthread_t id;
	long hot, late;
	int cpu;
} __attribute__((aligned(128))) threads[MOST];

static void *work(void *argument)
{
	struct thread *thread = argument;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(thread->cpu, &one);
	sched_setaffinity(0, sizeof one, &one); /* where that CPU isn't ours, any will do */
	while (!stopped && (!rounds || thread->hot < rounds)) {
		for (int i = 0; i < HOT; i++)
			functions[i]((int)thread->hot);
		thread->hot++;
		if (calls_late) {
			late((int)thread->hot);
			thread->late++;
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int number = argc > 1 ? atoi(argv[1]) : 2;
	long hot = 0, later = 0;
	char truth[512];
	const char *line;

	rounds = argc > 2 ? atol(argv[2]) : 0;
	number = number > MOST ? MOST : number;
	begin();
	for (int i = 0; i < number; i++) {
		threads[i].cpu = i % (int)sysconf(_SC_NPROCESSORS_ONLN);
		if (pthread_create(&threads[i].id, NULL, work, &threads[i]))
			abort();
	}
	while (!rounds && *(line = read_line()) && strcmp(line, "stop"))
		calls_late = !strcmp(line, "late");
	stopped = !rounds;
	for (int i = 0; i < number; i++) {
		pthread_join(threads[i].id, NULL);
		hot += threads[i].hot;
		later += threads[i].late;
	}
	snprintf(truth, sizeof truth,
		 "{\"hot0\": %ld, \"hot1\": %ld, \"hot2\": %ld, \"hot3\": %ld, \"hot4\": %ld, \"hot5\": %ld, "
		 "\"hot6\": %ld, \"hot7\": %ld, \"late\": %ld}",
		 hot, hot, hot, hot, hot, hot, hot, hot, later);
	return finish(truth);
}
