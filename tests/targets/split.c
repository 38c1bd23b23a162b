/*
 * CPU time in known parts: 52 % in `most`, 26 in `some`, 8 in code made at run time, 14 in the kernel, about, in so many
 * threads for so many milliseconds of CPU time each. The truth are nanoseconds of the threads' own clocks, and where
 * the code is that was made, and its size.
 */
#define _GNU_SOURCE
#include "target.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { MOST, SOME, MADE, KERNEL, PARTS };
#define SIZE 128	/* bytes of `spin`, or more */
#define READ 262144

typedef void work(long);
static const int shares[PARTS] = { 52, 26, 8, 14 };
static long spent[PARTS], wanted;
static work *made;

#define SPIN for (long i = 0; i < times * 1000; i++) __asm__ volatile("" : "+r"(i))
FUNCTION static void spin(long times) { SPIN; }
FUNCTION static void most(long times) { SPIN; }
FUNCTION static void some(long times) { SPIN; }

static void in_kernel(long times)
{
	static char page[READ];
	int fd = open("/dev/zero", O_RDONLY);

	for (long i = 0; i < times; i++)
		if (read(fd, page, sizeof page) != sizeof page)
			abort();
	close(fd);
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void *run(void *unused)
{
	work *const works[PARTS] = { most, some, made, in_kernel };
	long times[PARTS] = { 80, 80, 80, 2 }, took[PARTS] = { 0 }, all = 0;
	long began = now();
	unsigned seed = 7;

	while (all < wanted) {	/* whichever part is behind the most goes on, for a time that fits no clock's ticks */
		int next = 0;
		for (int part = 1; part < PARTS; part++)
			if (took[part] * shares[next] < took[next] * shares[part])
				next = part;
		long start = now();
		works[next](times[next] * (1 + rand_r(&seed) % 16));
		took[next] += now() - start;
		all = now() - began;
	}
	took[KERNEL] = all - took[MOST] - took[SOME] - took[MADE];	/* asking for the time, too */
	for (int part = 0; part < PARTS; part++)
		__sync_fetch_and_add(&spent[part], took[part]);
	return unused;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t running[64];
	char truth[256];

	wanted = (argc > 2 ? atol(argv[2]) : 100) * 1000000;
	made = (work *)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy((void *)made, (void *)spin, SIZE);
	__builtin___clear_cache((char *)made, (char *)made + SIZE);
	begin();
	for (int i = 0; i < threads && i < 64; i++)
		pthread_create(&running[i], NULL, run, NULL);
	for (int i = 0; i < threads && i < 64; i++)
		pthread_join(running[i], NULL);
	snprintf(truth, sizeof truth, "{\"most\": %ld, \"some\": %ld, \"made\": %ld, \"kernel\": %ld, \"made at\": %lu}",
		 spent[MOST], spent[SOME], spent[MADE], spent[KERNEL], (unsigned long)made);
	return finish(truth);
}
