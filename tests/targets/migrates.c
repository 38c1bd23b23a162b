/* Coroutines on one stack that is used again and again; each begins its call on one thread and ends it on the other. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <ucontext.h>

#include "target.h"

enum { STACK = 65536, CALLS = 53, PAUSE_US = 20000 };

static ucontext_t homes[2], coroutine;
static sem_t turns[2], done;
static char stack[STACK];
static volatile int running_on, fresh, over, wrong;

FUNCTION static void yield(void) { swapcontext(&coroutine, &homes[running_on]); }

FUNCTION int changes_threads(int number)
{
	yield();
	return number + 1;
}

static void body(void)
{
	wrong += changes_threads(running_on) > 2;
	yield();
}

static void *runs(void *which)
{
	long own = (long)which;

	for (;;) {
		sem_wait(&turns[own]);
		if (over)
			return NULL;
		running_on = own;
		if (fresh) {
			getcontext(&coroutine);
			coroutine.uc_stack.ss_sp = stack;
			coroutine.uc_stack.ss_size = sizeof stack;
			makecontext(&coroutine, body, 0);
		}
		swapcontext(&homes[own], &coroutine);
		sem_post(&done);
	}
}

static void lets(int thread, int begins)
{
	fresh = begins;
	sem_post(&turns[thread]);
	sem_wait(&done);
}

int main(void)
{
	pthread_t threads[2];
	char truth[128];

	sem_init(&done, 0, 0);
	for (long i = 0; i < 2; i++) {
		sem_init(&turns[i], 0, 0);
		pthread_create(&threads[i], NULL, runs, (void *)i);
	}
	begin();
	TIMES(CALLS) {
		int first = i_ & 1;

		lets(first, 1);
		lets(!first, 0);
		usleep(PAUSE_US);	/* what is matched with the call before would seem to take so long */
	}
	over = 1;
	for (int i = 0; i < 2; i++) {
		sem_post(&turns[i]);
		pthread_join(threads[i], NULL);
	}
	snprintf(truth, sizeof truth, "{\"changes_threads\": %d, \"pause\": %d, \"wrong\": %d}", CALLS, 1000 * PAUSE_US, wrong);
	return finish(truth);
}
