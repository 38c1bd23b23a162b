// The three functions of the talk: Fibonacci numbers recursively, with a cache, and in a loop.
package main

import (
	"os"
	"runtime"
)

//go:noinline
func fibonacciRecursive(n int) int {
	if n < 2 {
		return n
	}
	return fibonacciRecursive(n-1) + fibonacciRecursive(n-2)
}

//go:noinline
func fibonacciCache(n int, cache map[int]int) int {
	if n < 2 {
		return n
	}
	if known, ok := cache[n]; ok {
		return known
	}
	cache[n] = fibonacciCache(n-1, cache) + fibonacciCache(n-2, cache)
	return cache[n]
}

//go:noinline
func fibonacciLoop(n int) int {
	a, b := 0, 1
	for ; n > 0; n-- {
		a, b = b, a+b
	}
	return a
}

// Functions with large frames check the stack in other ways.
//
//go:noinline
func largeFrame(depth int) byte {
	var frame [2048]byte
	frame[depth] = byte(depth)
	if depth > 1 {
		frame[0] = largeFrame(depth - 1)
	}
	return frame[depth] + frame[0]
}

//go:noinline
func hugeFrame(depth int) byte {
	var frame [40000]byte
	frame[depth] = byte(depth)
	if depth > 1 {
		frame[0] = hugeFrame(depth - 1)
	}
	return frame[depth] + frame[0]
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
	done := make(chan bool)
	go func() {
		fibonacciRecursive(15) // 1,973 calls: 2 F(16) - 1
		done <- true
	}()
	go func() {
		cache := map[int]int{}
		fibonacciCache(51, cache) // 101 calls: 2 n - 1
		for i := 0; i < 8; i++ {
			runtime.Gosched()
			fibonacciCache(51, cache) // 1 call
		}
		done <- true
	}()
	go func() {
		largeFrame(103)
		hugeFrame(31)
		done <- true
	}()
	for i := 0; i < 1511; i++ {
		fibonacciLoop(i % 90)
	}
	for i := 0; i < 3; i++ {
		<-done
	}
	os.Stdout.WriteString(`{"main.fibonacciRecursive": 1973, "main.fibonacciCache": 109, "main.fibonacciLoop": 1511, ` +
		`"main.largeFrame": 103, "main.hugeFrame": 31}` + "\n")
	for readLine() {
	}
}
