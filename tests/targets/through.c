/* A library that calls back. */
#include "target.h"

static FUNCTION int inside(int (*call)(int), int number) { return call(number) + 1; }

FUNCTION int through(int (*call)(int), int number) { return inside(call, number) + 1; }
