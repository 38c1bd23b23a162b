/* Functions that end by a jump to another one, for even numbers. */
#include "target.h"

static volatile int sink;

FUNCTION int inner(int number)
{
	usleep(50);
	return number + sink;
}

FUNCTION int last(int number)
{
	usleep(200);
	return number + sink;
}

FUNCTION int middle(int number)
{
	sink += inner(number);
	if (number % 2)
		return sink;
	return last(number + 1);
}

FUNCTION int outer(int number)
{
	int found = middle(number);

	sink -= 2;
	return found * 3;
}

int main(void)
{
	begin();
	TIMES(211) outer(i_);
	return finish("{\"outer\": 211, \"middle\": 211, \"inner\": 211, \"last\": 106, \"odd\": 105}");
}
