// Functions whose arguments and results are known: of every kind that Go has, and more than there are registers.
//
// It tells what they are called with and what they give as truth.h says.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

type point struct{ x, y int32 }
type person struct {
	name string
	age  uint8
	at   point
	size float64
}
type celsius float64
type stack[T any] struct{ items []T }
type shape interface{ area() int }

func (p point) area() int { return int(p.x * p.y) }

//go:noinline
func integers(a int8, b uint8, c int16, d uint16, e int32, f uint32, g int64, h uint64, i uintptr, j int) int64 {
	return int64(a) + int64(b) + int64(c) + int64(d) + int64(e) + int64(f) + g + int64(h) + int64(i) + int64(j)
}

//go:noinline
func texts(yes bool, text string, bytes []byte, r rune) (string, bool) {
	return text + string(bytes), !yes && r > 0
}

//go:noinline
func failing(err error, n int) (int, error) {
	if n%2 == 0 {
		return n, err
	}
	return -n, errOdd
}

//go:noinline
func structs(p point, who person, last int) (person, point) {
	who.age += uint8(last)
	return who, point{p.y, p.x}
}

//go:noinline
func floats(x float64, y *float64, z float32, t *celsius, last int) (float64, int) {
	return x + *y + float64(z) + float64(*t), last
}

//go:noinline
func many(a string, b []int, c, d, e, f int, g string, h float64, i [2]int16, j [1]int, k struct{}, l *int) (int, string) {
	return len(a) + len(b) + c + d + e + f + len(g) + int(h) + int(i[0]+i[1]) + j[0] + *l, a
}

//go:noinline
func (p *person) older(years uint8) *person {
	p.age += years
	return p
}

//go:noinline
func (p point) moved(by int32, _ int, last string) (to point, far bool) {
	return point{p.x + by, p.y + by}, len(last) > 3
}

//go:noinline
func (s *stack[T]) push(item T, n int) int {
	s.items = append(s.items[:0], item)
	return n + 1
}

//go:noinline
func mapped[T, U any](in []T, convert func(T) U) []U {
	out := []U{}
	for _, item := range in {
		out = append(out, convert(item))
	}
	return out
}

//go:noinline
func interfaces(s shape, a any, m map[string]int, c chan int, f func(int) int) uintptr {
	return uintptr(len(m) + cap(c))
}

//go:noinline
func eleven(a, b, c, d, e, f, g, h, i, j, k int) (int, int, int, int, int, int, int, int, int, int, string) {
	return k, j, i, h, g, f, e, d, c, b, "eleventh"
}

//go:noinline
func spread(first int, rest ...string) {
	sink += first + len(rest)
}

var sink int
var errOdd = errors.New("odd")
var counts = []int{53, 31, 17} // calls with each of three sets of values: 101

// row calls as often as the row says, and tells the row.
func row(rows *[]string, r int, call func(), takes, gives string) {
	for i := 0; i < counts[r]; i++ {
		call()
	}
	*rows = append(*rows, fmt.Sprintf("[{%s}, {%s}, %d]", takes, gives, counts[r]))
}

// told has a function's rows.
func told(function string, each func(rows *[]string, r int)) string {
	rows := []string{}
	for r := range counts {
		each(&rows, r)
	}
	return fmt.Sprintf("%q: [%s]", "main."+function, strings.Join(rows, ", "))
}

func numbers() []string {
	return []string{
		told("integers", func(rows *[]string, r int) {
			a, b, c, d, e, f := int8(-1-r), uint8(250+r), int16(-300*r), uint16(65535-r), int32(-100000*r), uint32(4294967295-r)
			g, h, i, j := int64(-5000000000*r), uint64(18446744073709551615-uint64(r)), uintptr(70+r), -80-r
			var sum int64
			row(rows, r, func() { sum = integers(a, b, c, d, e, f, g, h, i, j) },
				fmt.Sprintf(`"a": %d, "b": %d, "c": %d, "d": %d, "e": %d, "f": %d, "g": %d, "h": %d, "i": %d, "j": %d`, a, b, c, d, e, f, g, h, i, j),
				fmt.Sprintf(`"return": %d`, int64(a)+int64(b)+int64(c)+int64(d)+int64(e)+int64(f)+g+int64(h)+int64(i)+int64(j)))
			sink += int(sum)
		}),
		told("floats", func(rows *[]string, r int) {
			x, y, z, t := 1.5, 0.25*float64(r), float32(2), celsius(-0.5*float64(r+1))
			row(rows, r, func() { floats(x, &y, z, &t, 40+r) },
				fmt.Sprintf(`"*y": %g, "*t": %g, "last": %d`, y, t, 40+r), fmt.Sprintf(`"return1": %d`, 40+r))
		}),
		told("eleven", func(rows *[]string, r int) {
			row(rows, r, func() { eleven(r, 2, 3, 4, 5, 6, 7, 8, 9, 10+r, 11) },
				fmt.Sprintf(`"a": %d, "b": 2, "i": 9, "j": %d, "k": 11`, r, 10+r),
				fmt.Sprintf(`"return0": 11, "return1": %d, "return8": 3, "return9": 2, "return10": "eleventh"`, 10+r))
		}),
	}
}

func words() []string {
	values := []string{"", "twelve bytes", "café"}
	return []string{
		told("texts", func(rows *[]string, r int) {
			row(rows, r, func() { texts(r == 1, values[r], make([]byte, r), 'é') },
				fmt.Sprintf(`"yes": %t, "text": %q, "bytes": %d, "r": 233`, r == 1, values[r], r),
				fmt.Sprintf(`"return1": %t`, r != 1))
		}),
		told("failing", func(rows *[]string, r int) {
			var err error
			if r == 2 {
				err = errOdd
			}
			row(rows, r, func() { failing(err, r) }, fmt.Sprintf(`"err": %t, "n": %d`, err != nil, r),
				fmt.Sprintf(`"return0": %d, "return1": %t`, []int{0, -1, 2}[r], r > 0))
		}),
		told("many", func(rows *[]string, r int) {
			l := 90 + r
			row(rows, r, func() { many(values[r], make([]int, r), 3, 4, 5, -r, "stack", 0.5, [2]int16{-1, 7}, [1]int{r}, struct{}{}, &l) },
				fmt.Sprintf(`"a": %q, "b": %d, "c": 3, "d": 4, "e": 5, "f": %d, "g": "stack", "i[0]": -1, "i[1]": 7, "j[0]": %d, "*l": %d`,
					values[r], r, -r, r, l),
				fmt.Sprintf(`"return1": %q`, values[r]))
		}),
		told("spread", func(rows *[]string, r int) {
			row(rows, r, func() { spread(r, values[:r]...) }, fmt.Sprintf(`"first": %d, "rest": %d`, r, r), "")
		}),
	}
}

func composed() []string {
	return []string{
		told("structs", func(rows *[]string, r int) {
			who := person{"Zoë", uint8(r), point{1, -2}, 0.5}
			row(rows, r, func() { structs(point{int32(r), -7}, who, 3) },
				fmt.Sprintf(`"p.x": %d, "p.y": -7, "who.name": "Zoë", "who.age": %d, "who.at.x": 1, "who.at.y": -2, "last": 3`, r, r),
				fmt.Sprintf(`"return0.name": "Zoë", "return0.age": %d, "return1.x": -7, "return1.y": %d`, r+3, r))
		}),
		told("(*person).older", func(rows *[]string, r int) {
			row(rows, r, func() { (&person{"Ann", uint8(r), point{}, 0.25}).older(9) },
				fmt.Sprintf(`"p->name": "Ann", "p->age": %d, "p->size": 0.25, "years": 9`, r), fmt.Sprintf(`"return->age": %d`, r+9))
		}),
		told("point.moved", func(rows *[]string, r int) {
			row(rows, r, func() { point{int32(r), 3}.moved(-5, 6, "last") },
				fmt.Sprintf(`"p.x": %d, "p.y": 3, "by": -5, "arg2": 6, "last": "last"`, r),
				fmt.Sprintf(`"to.x": %d, "to.y": -2, "far": true`, r-5))
		}),
		told("(*stack[go.shape.int]).push", func(rows *[]string, r int) {
			s := &stack[int]{}
			row(rows, r, func() { s.push(-r, r) }, fmt.Sprintf(`"item": %d, "n": %d`, -r, r), fmt.Sprintf(`"return": %d`, r+1))
		}),
		told("mapped[go.shape.int,go.shape.string]", func(rows *[]string, r int) {
			row(rows, r, func() { mapped(make([]int, r), func(n int) string { return "" }) },
				fmt.Sprintf(`"in": %d`, r), fmt.Sprintf(`"return": %d`, r))
		}),
		told("interfaces", func(rows *[]string, r int) {
			c := make(chan int, r)
			row(rows, r, func() { interfaces(nil, nil, nil, c, nil) },
				`"s": 0, "a": 0, "m": 0, "f": 0`, fmt.Sprintf(`"return": %d`, r))
		}),
	}
}

func readLine() bool {
	one := make([]byte, 1)
	for {
		if n, err := os.Stdin.Read(one); n == 0 || err != nil {
			return false
		} else if one[0] == '\n' {
			return true
		}
	}
}

func main() {
	os.Stdout.WriteString("ready\n")
	readLine()
	all := append(append(numbers(), words()...), composed()...)
	os.Stdout.WriteString("{" + strings.Join(all, ", ") + "}\n")
	for readLine() {
	}
}
