// A busy program: it allocates, hashes, sorts, sends and locks, on several goroutines, and knows what must come out.
//
// Each line that it reads is a number of milliseconds; it works for so long, and prints how many rounds it did, and how
// many of them gave a wrong result.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type shape interface{ area() int }
type square struct{ side int }
type oblong struct{ width, height int }

func (s square) area() int { return s.side * s.side }
func (o oblong) area() int { return o.width * o.height }

//go:noinline
func areas(shapes []shape) (sum int) {
	for _, one := range shapes {
		sum += one.area()
	}
	return
}

//go:noinline
func words(n int) map[string]int {
	found := map[string]int{}
	for i := 0; i < n; i++ {
		found["word"+strconv.Itoa(i%37)] += i
	}
	return found
}

//go:noinline
func sorted(found map[string]int) string {
	var keys []string
	for key := range found {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return strings.Join(keys, ",")
}

//go:noinline
func descend(n int) int {
	var frame [256]byte
	frame[n%256] = 1
	if n == 0 {
		return int(frame[0])
	}
	return descend(n-1) + int(frame[n%256])
}

//go:noinline
func guarded(n int) (result int) {
	defer func() {
		if recover() != nil {
			result = -n
		}
	}()
	if n%7 == 0 {
		panic("seven")
	}
	return n
}

//go:noinline
func spinning(n int) (sum int) {
	for i := 0; i < n; i++ {
		sum = sum*31 + i
	}
	return
}

func round(expected int) bool {
	ok := areas([]shape{square{3}, oblong{2, 5}, square{1}}) == 20
	ok = ok && len(words(500)) == 37 && strings.Count(sorted(words(100)), ",") == 36
	ok = ok && descend(100) == 101
	ok = ok && guarded(14) == -14 && guarded(15) == 15
	ok = ok && spinning(100000) == expected
	queue, sum := make(chan int, 3), 0
	go func() {
		for i := 0; i < 100; i++ {
			queue <- i
		}
		close(queue)
	}()
	for i := range queue {
		sum += i
	}
	return ok && sum == 4950
}

func work(duration time.Duration, expected int) (rounds, wrong int64) {
	var group sync.WaitGroup
	end := time.Now().Add(duration)
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for time.Now().Before(end) {
				if !round(expected) {
					atomic.AddInt64(&wrong, 1)
				}
				if atomic.AddInt64(&rounds, 1)%101 == 0 {
					runtime.GC()
				}
			}
		}()
	}
	group.Wait()
	return
}

func readLine() string {
	line, one := "", make([]byte, 1)
	for {
		if n, err := os.Stdin.Read(one); n == 0 || err != nil || one[0] == '\n' {
			return line
		}
		line += string(one)
	}
}

func main() {
	expected := spinning(100000)
	os.Stdout.WriteString("ready\n")
	for {
		milliseconds, err := strconv.Atoi(readLine())
		if err != nil {
			return
		}
		rounds, wrong := work(time.Duration(milliseconds)*time.Millisecond, expected)
		fmt.Printf("{\"rounds\": %d, \"wrong\": %d}\n", rounds, wrong)
	}
}
