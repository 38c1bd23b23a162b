/* Functions whose arguments and results are known: what C++ adds. */
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "truth.h"

namespace shop {

enum class Level : unsigned char { low = 1, high = 200 };

struct Price {
	int euros;
	float weight;
};

/* Its address is passed, for it isn't copied byte by byte. */
struct Counted {
	long value;
	explicit Counted(long value) : value(value) {}
	Counted(const Counted &other) : value(other.value) {}
};

/* So is this one's, for what it holds. */
struct Holder {
	int id;
	std::unique_ptr<int> held;
};

struct Named {
	std::string name;
	virtual ~Named() = default;
};

class Till : public Named {
	int total = 100;

public:
	FUNCTION int add(int amount, const std::string &reason) { return total + amount + static_cast<int>(reason.size()); }
	FUNCTION virtual bool open(Level level) const { return level == Level::high; }
	FUNCTION static long shared(Till *till, long factor) { return till->total * factor; }
};

template <class T> FUNCTION T doubled(const T &value, T *other) { return value + *other; }

FUNCTION std::string repeated(char c, unsigned times) { return std::string(times, c); }
FUNCTION std::size_t texts(std::string value, std::string_view view, std::string *pointer, std::string &&moved)
{
	return value.size() + view.size() + pointer->size() + moved.size();
}

FUNCTION Counted passed(Price price, Counted counted, Holder holder, int last)
{
	return Counted(price.euros + counted.value + holder.id + last);
}

FUNCTION int references(int &number, const double &real, const Price &price, std::vector<int> &list, std::nullptr_t, bool yes)
{
	return number + static_cast<int>(real) + price.euros + static_cast<int>(list.size()) + yes;
}

} // namespace shop

using namespace shop;

static void methods()
{
	static Till till;

	ROWS(r) {
		const std::string reasons[] = { "", "short", "longer than what fits into the object itself" };
		int given = 0;

		ROW("shop::Till::add", r, "\"amount\": %d, \"reason\": \"%s\"", -r, reasons[r].c_str());
		CALL(r, given = till.add(-r, reasons[r]));
		GIVES(r, "\"return\": %d", given);
	}
	ROWS(r) {
		Level level = r == 1 ? Level::high : Level::low;
		bool given = false;

		ROW("shop::Till::open", r, "\"level\": %d", static_cast<int>(level));
		CALL(r, given = till.open(level));
		GIVES(r, "\"return\": %s", given ? "true" : "false");
	}
	ROWS(r) {
		long given = 0;

		ROW("shop::Till::shared", r, "\"factor\": %d", r - 1);
		CALL(r, given = Till::shared(&till, r - 1));
		GIVES(r, "\"return\": %ld", given);
	}
}

static void functions()
{
	ROWS(r) {
		int other = 5 * r, given = 0;

		ROW("shop::doubled<int>", r, "\"*value\": %d, \"*other\": %d", -r, other);
		CALL(r, given = doubled(-r, &other));
		GIVES(r, "\"return\": %d", given);
	}
	ROWS(r) {
		double other = 0.5 * r, given = 0;

		ROW("shop::doubled<double>", r, "\"*value\": %g, \"*other\": %g", -0.25 * (r + 1), other);
		CALL(r, given = doubled(-0.25 * (r + 1), &other));
		GIVES(r, "\"unreadable\": %g", given);
	}
	ROWS(r) {
		std::string given;

		ROW("shop::repeated", r, "\"c\": %d, \"times\": %d", 'a' + r, 15 * r);
		CALL(r, given = repeated('a' + r, 15 * r));
		GIVES(r, "\"return\": \"%s\"", given.c_str());
	}
	ROWS(r) {
		const std::string value(3 + 10 * r, 'v');
		std::string pointed(1 + r, 'p');
		std::size_t given = 0;

		ROW("shop::texts", r, "\"value\": \"%s\", \"view\": \"view\", \"*pointer\": \"%s\", \"moved\": \"moved\"", value.c_str(),
		    pointed.c_str());
		CALL(r, given = texts(value, std::string_view("view of more", 4), &pointed, "moved"));
		GIVES(r, "\"return\": %zu", given);
	}
	ROWS(r) {
		long given = 0;

		ROW("shop::passed", r, "\"price.euros\": %d, \"price.weight\": %g, \"counted.value\": %d, \"holder.id\": %d, \"last\": 9",
		    r, 0.5 * r, -r, 7 + r);
		CALL(r, given = passed(Price{r, 0.5F * static_cast<float>(r)}, Counted(-r), Holder{7 + r, nullptr}, 9).value);
		GIVES(r, "\"return.value\": %ld", given);
	}
	ROWS(r) {
		int number = -3 - r, given = 0;
		std::vector<int> list(r);

		ROW("shop::references", r, "\"*number\": %d, \"*real\": %g, \"price.euros\": %d, \"price.weight\": 2.5, \"yes\": %s", number,
		    1.5 * r, 11 * r, r ? "true" : "false");
		CALL(r, given = references(number, 1.5 * r, Price{11 * r, 2.5F}, list, nullptr, r != 0));
		GIVES(r, "\"return\": %d", given);
	}
}

int main()
{
	begin();
	methods();
	functions();
	return finish_with_truth();
}
