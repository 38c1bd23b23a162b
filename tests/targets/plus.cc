/* C++: overloads, templates, methods, and a constructor under two names (C1, C2). */
#include "target.h"

namespace shapes {

FUNCTION int area(int side) { return side * side; }
FUNCTION double area(double side) { return side * side; }

template <typename T> FUNCTION T twice(T value) { return value + value; }

class Square {
public:
	FUNCTION explicit Square(int side);
	FUNCTION int perimeter() const;
	FUNCTION virtual int corners(int more);
	virtual ~Square() = default;

private:
	int side_;
};

Square::Square(int side) : side_(side) {}
int Square::perimeter() const { return 4 * side_; }
int Square::corners(int more) { return 4 + more; }

} // namespace shapes

int main(int argc, char **)
{
	using namespace shapes;

	begin();
	TIMES(211) area(argc);
	TIMES(223) area(0.5 * argc);
	TIMES(227) twice(argc);
	TIMES(229) twice(2L * argc);
	TIMES(232) { Square made(argc); }
	Square square(argc);
	Square *volatile where = &square;
	TIMES(239) where->perimeter();
	TIMES(241) where->corners(argc);
	return finish("{\"_ZN6shapes4areaEi\": 211, \"_ZN6shapes4areaEd\": 223, \"_ZN6shapes5twiceIiEET_S1_\": 227, "
		      "\"_ZN6shapes5twiceIlEET_S1_\": 229, \"_ZN6shapes6SquareC1Ei\": 233, "
		      "\"_ZNK6shapes6Square9perimeterEv\": 239, \"_ZN6shapes6Square7cornersEi\": 241}");
}
