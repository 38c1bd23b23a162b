/*
 * What functions are called with and what they give, told as
 *     {"FUNCTION": [[{"NAME": VALUE, …}, {"return": VALUE}, COUNT], …], …}
 * with a row for each set of values. The counts of a function's three rows add up to a prime number.
 */
#ifndef TRUTH_H
#define TRUTH_H
#include <stdarg.h>

#include "target.h"

static const int counts[] = { 53, 31, 17 }; /* calls in each row: 101 */
static char truth[1 << 16] = "{";
static size_t told = 1;

__attribute__((format(printf, 1, 2))) static inline void tell(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	told += vsnprintf(truth + told, sizeof truth - told, format, values);
	va_end(values);
}

#define ROWS(row) for (int row = 0; row < 3; row++)
#define CALL(row, call) TIMES(counts[row]) call

/* A row of a function: the names and values that the rest prints; then what `gives` prints. */
#define ROW(function, row, ...) \
	(tell("%s", (row) ? ", [{" : told > 1 ? "], \"" function "\": [[{" : "\"" function "\": [[{"), tell(__VA_ARGS__))
#define GIVES(row, ...) (tell("}, {"), tell(__VA_ARGS__), tell("}, %d]", counts[row]))

static inline int finish_with_truth(void)
{
	tell("]}");
	return finish(truth);
}
#endif
