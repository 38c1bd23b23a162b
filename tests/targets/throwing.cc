/* Exceptions that pass functions. */
#include <stdexcept>

#include "target.h"

FUNCTION int thrower(int number)
{
	if (number % 2)
		throw std::runtime_error("odd");
	return number;
}

FUNCTION int passed(int number) { return thrower(number) + 1; }

FUNCTION int catches(int number)
{
	try {
		return thrower(number);
	} catch (const std::exception &) {
		return -1;
	}
}

int main()
{
	int caught = 0;

	begin();
	TIMES(211) {
		try {
			passed(i_);
		} catch (const std::exception &) {
			caught++;
		}
	}
	TIMES(101) catches(i_);
	printf("{\"thrower\": 312, \"passed\": 211, \"caught\": %d, \"catches\": 101}\n", caught);
	fflush(stdout);
	read_line();
	return 0;
}
