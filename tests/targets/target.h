/*
 * What every target written in C or C++ does: it says `ready` when it is loaded, waits for a line before the work that
 * is counted, prints the truth as one line of JSON, and stays until its standard input ends.
 */
#ifndef TARGET_H
#define TARGET_H
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As it is written: neither inlined, cloned, merged nor left out. */
#define FUNCTION __attribute__((noipa))
#define TIMES(number) for (volatile int i_ = 0; i_ < (number); i_++)

/* Reads a line without its end; an empty one where the input has ended. */
static inline const char *read_line(void)
{
	static char line[256];
	size_t length = 0;
	char c;

	while (read(0, &c, 1) == 1 && c != '\n')
		if (length < sizeof line - 1)
			line[length++] = c;
	line[length] = 0;
	return line;
}

static inline void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static inline void begin(void)
{
	say("ready");
	read_line();
}

static inline int finish(const char *truth)
{
	say(truth);
	while (*read_line())
		;
	return 0;
}
#endif
