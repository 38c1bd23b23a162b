/* Calls on other stacks than the thread's: coroutines, a signal's; code that is jumped to; and a thread for each call. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "target.h"

enum { STACK = 65536, YIELDS = 499, SIGNALS = 211, THREADS = 499 };

static ucontext_t rest, one, two;
static volatile int wrong, yields;

FUNCTION int yields_in(int number, ucontext_t *own)
{
	swapcontext(own, &rest);
	return number * 2 + 1;
}

static void run_one(void)
{
	for (int i = 0;; i++)
		wrong += yields_in(i, &one) != 2 * i + 1;
}

static void run_two(void)
{
	for (int i = 0;; i++)
		wrong += yields_in(i + 7, &two) != 2 * (i + 7) + 1;
}

static void prepare(ucontext_t *context, void (*run)(void))
{
	getcontext(context);
	context->uc_stack.ss_sp = malloc(STACK);
	context->uc_stack.ss_size = STACK;
	makecontext(context, run, 0);
}

FUNCTION int handled(int number) { return number + 1; }

static void handler(int number) { wrong += handled(number) != number + 1; }

FUNCTION int interrupted(int number)
{
	raise(SIGUSR1);
	return number * 2;
}

FUNCTION int around(int number) { return interrupted(number) + 1; }

static void *signals(void *stack)
{
	stack_t other = { .ss_sp = stack, .ss_size = STACK };

	sigaltstack(&other, NULL);
	TIMES(SIGNALS) { int number = i_; wrong += around(number) != 2 * number + 1; }
	return NULL;
}

__attribute__((cold, noinline)) static void rare(long *numbers) { numbers[1] += wrong; }

__attribute__((noinline)) static int fill(long *numbers, int number)
{
	numbers[0] = number;
	numbers[1] = number + 1;
	return number;
}

__attribute__((noinline, noclone)) long split(int number)
{
	long numbers[2];

	fill(numbers, number);
	if (__builtin_expect(number % 7 == 0, 0))
		rare(numbers);
	return numbers[0] + numbers[1];
}

FUNCTION long brief(long number) { return number * 3; }

static void *call_brief(void *number) { return (void *)brief((long)number); }

int main(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	void *above = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	prepare(&one, run_one);
	prepare(&two, run_two);
	sigaction(SIGUSR1, &action, NULL);
	begin();
	TIMES(YIELDS) {
		swapcontext(&rest, &one);
		swapcontext(&rest, &two);
	}
	pthread_create(&thread, NULL, signals, above);
	pthread_join(thread, NULL);
	TIMES(1009) { int number = i_; wrong += split(number) != 2 * number + 1; }
	for (long i = 0; i < THREADS; i++) {
		pthread_create(&thread, NULL, call_brief, (void *)i);
		pthread_join(thread, NULL);
	}
	printf("{\"yields_in\": %d, \"interrupted\": %d, \"handled\": %d, \"around\": %d, \"split\": 1009, \"brief\": %d, \"wrong\": %d}\n",
	       2 * YIELDS, SIGNALS, SIGNALS, SIGNALS, THREADS, wrong);
	fflush(stdout);
	read_line();
	return 0;
}
