/*
 * Two real-time threads of different priority on one CPU call one function: the higher one is woken by a timer, and so
 * interrupts the lower one anywhere, also in the middle of a BPF program where the kernel is preemptible.
 *
 * usage: realtime CALLS    the number of calls of the lower one
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "target.h"

enum { PERIOD_NS = 50000, CALLS_PER_PERIOD = 2 };

static volatile int stopped;
static long lower_calls, higher_calls;

FUNCTION int contended(int number)
{
	volatile int local = number;
	return local + 1;
}

static void *lower(void *argument)
{
	(void)argument;
	for (long i = 0; i < lower_calls; i++)
		contended((int)i);
	stopped = 1;
	return NULL;
}

static void *higher(void *argument)
{
	struct timespec due;

	(void)argument;
	while (!stopped) {
		clock_gettime(CLOCK_MONOTONIC, &due);
		due.tv_nsec += PERIOD_NS;
		due.tv_sec += due.tv_nsec / 1000000000;
		due.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
		for (int i = 0; i < CALLS_PER_PERIOD; i++, higher_calls++)
			contended(i);
	}
	return NULL;
}

static pthread_t start(void *(*function)(void *), int priority)
{
	struct sched_param parameter = { .sched_priority = priority };
	pthread_attr_t attributes;
	pthread_t thread;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof one, &one);
	pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
	pthread_attr_setschedparam(&attributes, &parameter);
	if (pthread_create(&thread, &attributes, function, NULL))
		abort();
	return thread;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	char truth[64];

	lower_calls = argc > 1 ? atol(argv[1]) : 1009;
	begin();
	threads[0] = start(higher, 20);
	threads[1] = start(lower, 10);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	snprintf(truth, sizeof truth, "{\"contended\": %ld}", lower_calls + higher_calls);
	return finish(truth);
}
