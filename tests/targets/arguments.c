/* Functions whose arguments and results are known: of every kind that C has, and more of them than registers. */
#include <complex.h>
#include <stdbool.h>
#include <stdint.h>

#include "truth.h"

enum color { RED, GREEN = 7, BLUE = -2 };

struct point { int x, y; };
struct mixed { double d; long n; };
struct large { long a, b, c; struct point p; };
struct node { struct node *next; const char *name; uint16_t id; double weight; struct point at; char tag[8]; };
struct bits { unsigned low : 3, high : 5; int n; };
union word { int n; char c[4]; };
typedef struct { char a; short b; } pair;

volatile int sink;

FUNCTION int64_t integers(int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t f, int64_t g, uint64_t h)
{
	return a + b + c + d + e + f + g + (int64_t)h;
}

FUNCTION bool letters(bool yes, char c, const char *text, unsigned char *name, uint8_t *byte)
{
	return yes && c + *text + *name + *byte;
}

FUNCTION enum color colors(enum color color, unsigned long long n) { return n & 1 ? color : RED; }
FUNCTION double floats(double *d, const float *f, int *n, double x, int last) { return *d + *f + *n + x + last; }
FUNCTION int many(int a, int b, int c, int d, int e, int f, int g, short h, int i, char *j)
{
	return a + b + c + d + e + f + g + h + i + *j;
}

FUNCTION float vectors(double a, double b, double c, double d, double e, double f, double g, float h, double i, float j)
{
	return (float)(a + b + c + d + e + f + g + h + i + j);
}

FUNCTION struct point small(struct point p, struct mixed m, pair u, int last)
{
	return (struct point){ p.y + u.a + u.b, p.x + (int)m.n + (int)m.d + last };
}

FUNCTION struct large large(struct large l, struct point p, int last)
{
	l.a += p.x + last;
	return l;
}

FUNCTION struct mixed odd(struct bits b, union word w, long double wide, __int128 huge, complex float z, int last)
{
	return (struct mixed){ (double)wide + crealf(z), (long)huge + b.low + w.n + last };
}

FUNCTION struct node *through(struct node *node, int n) { return n ? node->next : node; }
FUNCTION int8_t narrow(int n) { return (int8_t)n; }
FUNCTION const char *named(struct node *node) { return node->name; }
FUNCTION int variadic(int count, ...) { return count + sink; }
FUNCTION void nothing(void) { sink++; }
FUNCTION int called(int (*function)(int, const char *), void *with) { return function ? 1 : with ? 2 : 3; }

/* At -O2 GCC makes a variant of it without `factor`, which is always 7. */
static __attribute__((noinline)) int specialised(int first, int factor, int last)
{
	for (int i = 0; i < first; i++)
		sink += last * factor;
	return first * factor - last;
}

static void numbers(void)
{
	ROWS(r) {
		int64_t sum = 0, g = -5000000000 * r;
		int8_t a = -1 - r;
		uint8_t b = 250 + r;
		int16_t c = -300 * r;
		uint16_t d = 65535 - r;
		int32_t e = -100000 * r;
		uint32_t f = 4294967295u - r;
		uint64_t h = UINT64_MAX - r;

		ROW("integers", r, "\"a\": %d, \"b\": %u, \"c\": %d, \"d\": %u, \"e\": %d, \"f\": %u, \"g\": %ld, \"h\": %lu",
		    a, b, c, d, e, f, g, h);
		CALL(r, sum = integers(a, b, c, d, e, f, g, h));
		GIVES(r, "\"return\": %ld", sum);
	}
	ROWS(r) {
		enum color color = r == 0 ? RED : r == 1 ? GREEN : BLUE, given = RED;

		ROW("colors", r, "\"color\": %d, \"n\": %u", color, 1 + r);
		CALL(r, given = colors(color, 1 + r));
		GIVES(r, "\"return\": %d", given);
	}
	ROWS(r) {
		int given = 0;
		char j = 'j' + r;

		ROW("many", r, "\"a\": %d, \"b\": 1, \"c\": 2, \"d\": 3, \"e\": 4, \"f\": 5, \"g\": %d, \"h\": -8, \"i\": %d, \"j\": \"%c\"",
		    r, -7 - r, 9 + r, j);
		CALL(r, given = many(r, 1, 2, 3, 4, 5, -7 - r, -8, 9 + r, (char[]){ j, 0 }));
		GIVES(r, "\"return\": %d", given);
	}
	ROWS(r) {
		int8_t given = 0;

		ROW("narrow", r, "\"n\": %d", 127 + r);
		CALL(r, given = narrow(127 + r));
		GIVES(r, "\"return\": %d", given);
	}
	ROWS(r) {
		int given = 0;

		ROW("variadic", r, "\"count\": %d", r - 1);
		CALL(r, given = variadic(r - 1, 1, 2.5));
		GIVES(r, "\"return\": %d", given);
	}
	ROWS(r) {
		int given = 0;

		ROW("specialised", r, "\"first\": %d, \"last\": %d", r + 3, -r);
		CALL(r, given = specialised(r + 3, 7, -r));
		GIVES(r, "\"return\": %d", given);
	}
}

static void texts(void)
{
	static const char *const words[] = { "one", "", "caf\303\251" };
	static unsigned char name[] = "seven bytes and more";
	static struct node last = { NULL, "last", 65535, 0.5, { 7, -8 }, "tag" };

	ROWS(r) {
		uint8_t byte = 250 + r;
		bool given = false;

		ROW("letters", r, "\"yes\": %s, \"c\": %d, \"text\": \"%s\", \"name\": \"%s\", \"*byte\": %u", r ? "true" : "false",
		    'x' + r, words[r], name + r, byte);
		CALL(r, given = letters(r != 0, 'x' + r, words[r], name + r, &byte));
		GIVES(r, "\"return\": %s", given ? "true" : "false");
	}
	ROWS(r) {
		struct node node = { r ? &last : NULL, words[r], r, r / 4.0, { r, -r }, "" };
		struct node *next = NULL;

		ROW("through", r, "\"node->name\": \"%s\", \"node->id\": %d, \"node->weight\": %g, \"n\": 1, \"node->next\": %lu",
		    words[r], r, r / 4.0, (unsigned long)node.next);
		CALL(r, next = through(&node, 1));
		GIVES(r, "\"return\": %lu", (unsigned long)next);
	}
	ROWS(r) {
		struct node node = { NULL, words[r], r, 0, { 0, 0 }, "" };
		const char *given = NULL;

		ROW("named", r, "\"node->id\": %d", r);
		CALL(r, given = named(&node));
		GIVES(r, "\"return\": \"%s\"", given);
	}
}

static void fractions(void)
{
	ROWS(r) {
		double d = 0.5 + r, given = 0;
		float f = -0.25f * (r + 1);
		int n = -r;

		ROW("floats", r, "\"*d\": %g, \"*f\": %g, \"*n\": %d, \"last\": %d", d, (double)f, n, 40 + r);
		CALL(r, given = floats(&d, &f, &n, 1.5, 40 + r));
		GIVES(r, "\"unreadable\": %g", given);
	}
	ROWS(r) {
		float given = 0;

		ROW("vectors", r, "\"i\": %g, \"j\": %g", 0.125 * r, -0.5 * (r + 1));
		CALL(r, given = vectors(1, 2, 3, 4, 5, 6, 7, 8, 0.125 * r, -0.5f * (float)(r + 1)));
		GIVES(r, "\"unreadable\": %g", (double)given);
	}
}

static void structs(void)
{
	ROWS(r) {
		struct point given = { 0, 0 };

		ROW("small", r, "\"p.x\": %d, \"p.y\": %d, \"m.n\": %d, \"u.a\": %d, \"u.b\": %d, \"last\": %d", -1 - r, r, -5 * r,
		    'a' + r, -300 - r, 50 + r);
		CALL(r, given = small((struct point){ -1 - r, r }, (struct mixed){ 2.0, -5 * r }, (pair){ 'a' + r, -300 - r }, 50 + r));
		GIVES(r, "\"return.x\": %d, \"return.y\": %d", given.x, given.y);
	}
	ROWS(r) {
		struct large l = { r, -r, 3, { 4 + r, -4 - r } }, given = l;

		ROW("large", r, "\"l.a\": %d, \"l.b\": %d, \"l.c\": 3, \"l.p.x\": %d, \"l.p.y\": %d, \"p.x\": %d, \"p.y\": -6, \"last\": %d",
		    r, -r, 4 + r, -4 - r, 5 * r, 60 + r);
		CALL(r, given = large(l, (struct point){ 5 * r, -6 }, 60 + r));
		GIVES(r, "\"return.a\": %ld, \"return.b\": %ld, \"return.p.y\": %d", given.a, given.b, given.p.y);
	}
	ROWS(r) {
		struct mixed given = { 0, 0 };

		ROW("odd", r, "\"b.n\": %d, \"w.n\": %d, \"w.c[0]\": %d, \"last\": %d", 20 + r, 65 + r, 65 + r, 70 + r);
		CALL(r, given = odd((struct bits){ 1, 2, 20 + r }, (union word){ 65 + r }, 1.5L, r, 1.0f, 70 + r));
		GIVES(r, "\"return.n\": %ld", given.n);
	}
}

static void others(void)
{
	ROWS(r) {
		int given = 0;

		ROW("called", r, "\"function\": 0, \"with\": %d", r);
		CALL(r, given = called(NULL, (void *)(long)r));
		GIVES(r, "\"return\": %d", given);
	}
	ROWS(r) {
		ROW("nothing", r, "%s", "");
		CALL(r, nothing());
		GIVES(r, "%s", "");
	}
}

int main(void)
{
	begin();
	numbers();
	texts();
	fractions();
	structs();
	others();
	return finish_with_truth();
}
