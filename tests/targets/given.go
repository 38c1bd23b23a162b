// Functions of Go that are called with known values, by goroutines that change threads.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
)

//go:noinline
func greet(name string, loud bool) int {
	return len(name)
}

//go:noinline
func total(numbers []int32) int {
	sum := 0
	for _, number := range numbers {
		sum += int(number)
	}
	return sum
}

//go:noinline
func check(number int) (string, error) {
	if number < 0 {
		return "", errors.New("negative")
	}
	return strings.Repeat("é", number), nil
}

//go:noinline
func descend(depth, number int) int {
	var frame [64]int
	frame[depth%64] = number
	if depth <= 1 {
		runtime.Gosched()
		return frame[depth%64]
	}
	return descend(depth-1, number) + frame[depth%64]
}

func main() {
	runtime.GOMAXPROCS(2)
	os.Stdout.WriteString("ready\n")
	line := make([]byte, 1)
	os.Stdin.Read(line)
	for i := 0; i < 3; i++ {
		greet("Ada", true)
	}
	for i := 0; i < 5; i++ {
		greet(strings.Repeat("z", 1000), false)
	}
	greet("", false)
	for i := 0; i < 7; i++ {
		total([]int32{1, 2, 3, -4})
	}
	total(nil)
	for i := -3; i < 40; i += 3 {
		check(i)
	}
	var group sync.WaitGroup
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			descend(50, i)
			group.Done()
		}()
	}
	group.Wait()
	fmt.Println(`{"main.greet": 9, "main.total": 8, "main.check": 15, "main.descend": 1000}`)
	for n, _ := os.Stdin.Read(line); n > 0 && line[0] != '\n'; n, _ = os.Stdin.Read(line) {
	}
	os.Stdin.Read(line)
}
