/*
 * Calls that never return: they throw, always from the same place on the stack.
 *
 * Lines: a number calls step() with it, and tells what it gave; `catches` a number calls that; `holds` starts a thread
 * that stays in a call.
 */
#include <stdlib.h>

#include <stdexcept>
#include <thread>

#include "target.h"

extern "C" {
/* Throws for a number below 0; for 0 it says so, and waits for a line. */
FUNCTION int step(int number)
{
	if (number < 0)
		throw std::runtime_error("below");
	if (!number) {
		say("{\"inside\": 1}");
		read_line();
	}
	return number * 3;
}

FUNCTION void takes_time(int microseconds) { usleep(microseconds); }

FUNCTION int passes(int number)
{
	takes_time(100);
	if (number % 2)
		throw std::runtime_error("odd");
	return number;
}

FUNCTION int catches(int number)
{
	try {
		return passes(number);
	} catch (const std::exception &) {
		return -1;
	}
}

FUNCTION void holds(int seconds) { sleep(seconds); }
}

static void call(const char *line)
{
	int gave = 0;

	if (!strncmp(line, "catches ", 8)) {
		gave = catches(atoi(line + 8));
	} else if (!strcmp(line, "holds")) {
		std::thread([] { holds(1000); }).detach();
	} else {
		try {
			gave = step(atoi(line));
		} catch (const std::exception &) {
			gave = -1;
		}
	}
	printf("{\"gave\": %d}\n", gave);
	fflush(stdout);
}

int main()
{
	begin();
	TIMES(101) catches(i_);
	say("{\"catches\": 101, \"passes\": 101, \"takes_time\": 101, \"thrown\": 50}");
	for (const char *line = read_line(); *line; line = read_line())
		call(line);
	return 0;
}
