/* A shared library; its executable segment lies elsewhere in memory than in the file. */
#include "target.h"

static FUNCTION int inner(int number) { return number ^ 5; }

FUNCTION int outer(int number) { return inner(number) + 1; }

FUNCTION int direct(int number) { return number + 7; }
