/* For each line "c N" it computes, for "s N" its two threads, on one CPU, wake each other, so often; prints the
 * nanoseconds of CPU time that one round took. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int there[2], back[2];

static void *answer(void *unused)
{
	char byte;

	while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
		;
	return unused;
}

static void compute(long rounds)
{
	for (long i = 0; i < rounds * 1000; i++)
		__asm__ volatile("" : "+r"(i));
}

static int change(long rounds)
{
	char byte = 0;

	for (long i = 0; i < rounds; i++)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			return 1;
	return 0;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(void)
{
	struct sched_param none = { 0 };
	pthread_t thread;
	cpu_set_t one;
	char which;
	long rounds;

	setsid(); /* the scheduler shares the CPU out by session, */
	sched_setscheduler(0, SCHED_OTHER, &none); /* and real-time priority isn't for us */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof one, &one);
	if (pipe(there) || pipe(back) || pthread_create(&thread, NULL, answer, NULL))
		return 1;
	puts("ready");
	fflush(stdout);
	while (scanf(" %c %ld", &which, &rounds) == 2) {
		double start = seconds();
		if (which == 'c')
			compute(rounds);
		else if (change(rounds))
			return 1;
		printf("%.2f\n", (seconds() - start) * 1e9 / rounds);
		fflush(stdout);
	}
	return 0;
}
