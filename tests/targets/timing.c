/*
 * Functions whose times, returns and ways out are known.    usage: timing [seccomp]
 *
 * `seccomp` puts a filter on that kills for the system call of return probes (uretprobe, 335 on x86-64).
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "target.h"

static jmp_buf back;
volatile int sink;

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

FUNCTION void spin(long ns)
{
	for (long end = now() + ns; now() < end;)
		;
}

static long measured[1024]; /* of each spin, by its caller */
static int spins;

static void timed_spin(long ns)
{
	long start = now();

	spin(ns);
	measured[spins++] = now() - start;
}

static int compare(const void *left, const void *right)
{
	long difference = *(const long *)left - *(const long *)right;

	return (difference > 0) - (difference < 0);
}

/* What so many percent of the spins took at most. */
static long percentile(int percent)
{
	qsort(measured, spins, sizeof *measured, compare);
	return measured[(percent * spins + 99) / 100 - 1];
}

FUNCTION void outer(long ns)
{
	timed_spin(ns);
	for (long end = now() + ns; now() < end;)
		;
	timed_spin(ns);
}

FUNCTION int pong(int depth);
FUNCTION int ping(int depth) { return depth ? pong(depth - 1) + 1 : sink; }
FUNCTION int pong(int depth) { return depth ? ping(depth - 1) + 1 : sink; }

FUNCTION int deep(int depth)
{
	volatile int local = depth;

	return depth > 1 ? deep(depth - 1) + local : sink;
}

FUNCTION int leaver(int leave)
{
	if (leave)
		longjmp(back, 1);
	return sink + leave;
}

FUNCTION int around(int leave) { return leaver(leave) + 1; }

FUNCTION int many(int number)
{
	switch (number & 7) {
	case 0: return sink;
	case 1: sink++; return 3;
	case 2: sink--; return number;
	case 3: sink += 2; return 5;
	case 4: sink -= 2; return number * 3;
	}
	if (number & 8)
		return sink * 7;
	return number - sink;
}

FUNCTION int threaded(int number) { return number + sink; }

static void *thread(void *argument)
{
	TIMES(101) threaded(argument != NULL);
	return NULL;
}

FUNCTION void exits(int number)
{
	if (number >= 0)
		pthread_exit(NULL);
}

static void *exiting(void *argument)
{
	exits(argument != NULL);
	return NULL;
}

static void filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 335, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		abort();
}

int main(int argc, char **argv)
{
	pthread_t threads[64];

	(void)argv;
	if (argc > 1)
		filter();
	begin();
	TIMES(397) timed_spin(1000000);
	TIMES(101) timed_spin(4000000);
	TIMES(13) timed_spin(16000000);
	timed_spin(64000000);
	TIMES(3) outer(2000000);
	ping(200);
	TIMES(97) if (!setjmp(back)) around(1);
	TIMES(89) around(0);
	TIMES(499) many(i_);
	for (int i = 0; i < 64; i++)
		if (pthread_create(&threads[i], NULL, thread, argv))
			abort();
	for (int i = 0; i < 64; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 59; i++) {
		if (pthread_create(&threads[0], NULL, exiting, argv))
			abort();
		pthread_join(threads[0], NULL);
	}
	deep(100003);
	printf("{\"spin\": 518, \"outer\": 3, \"ping\": 101, \"pong\": 100, \"around\": 186, \"leaver\": 186, "
	       "\"many\": 499, \"threaded\": 6464, \"deep\": 100003, \"exits\": 59, \"p50\": %ld, \"p90\": %ld, \"p99\": %ld, \"longest\": %ld}\n",
	       percentile(50), percentile(90), percentile(99), percentile(100));
	fflush(stdout);
	read_line();
	return 0;
}
