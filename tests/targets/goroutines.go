// Two hundred goroutines that recurse so deep that their stacks grow, on two threads that take turns with them.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

//go:noinline
func descend(depth int) int {
	var frame [64]int
	frame[depth%64] = depth
	if depth <= 1 {
		runtime.Gosched()
		return frame[depth%64]
	}
	return descend(depth-1) + frame[depth%64]
}

//go:noinline
func outermost(depth int) int {
	return descend(depth) + 1
}

func main() {
	runtime.GOMAXPROCS(2)
	os.Stdout.WriteString("ready\n")
	line := make([]byte, 1)
	os.Stdin.Read(line)
	done := make(chan time.Duration)
	for i := 0; i < 200; i++ {
		go func() {
			start := time.Now()
			outermost(101)
			done <- time.Since(start)
		}()
	}
	longest := time.Duration(0)
	for i := 0; i < 200; i++ {
		if took := <-done; took > longest {
			longest = took
		}
	}
	fmt.Printf("{\"main.descend\": 20200, \"main.outermost\": 200, \"longest\": %d}\n", longest.Nanoseconds())
	for n, _ := os.Stdin.Read(line); n > 0 && line[0] != '\n'; n, _ = os.Stdin.Read(line) {
	}
	os.Stdin.Read(line)
}
