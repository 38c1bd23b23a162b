// CPU time in known parts: of the same loop's rounds 61 % in main.most, 30 in main.some, 9 in a method, on five
// goroutines, until the process has used so many milliseconds of CPU time. The truth are the rounds.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type part struct{ sum uint64 }

//go:noinline
func most(rounds int) (sum uint64) {
	for i := 0; i < rounds; i++ {
		sum = sum*31 + uint64(i)
	}
	return
}

//go:noinline
func some(rounds int) (sum uint64) {
	for i := 0; i < rounds; i++ {
		sum = sum*31 + uint64(i)
	}
	return
}

//go:noinline
func (p *part) little(rounds int) {
	sum := p.sum
	for i := 0; i < rounds; i++ {
		sum = sum*31 + uint64(i)
	}
	p.sum = sum
}

func used() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	os.Stdout.WriteString("ready\n")
	line := make([]byte, 1)
	os.Stdin.Read(line)
	wanted, _ := strconv.Atoi(os.Args[1])
	var rounds [3]int64
	var running sync.WaitGroup
	for i := 0; i < 5; i++ {
		running.Add(1)
		go func(random *rand.Rand) {
			defer running.Done()
			rest := part{}
			for used() < time.Duration(wanted)*time.Millisecond {
				unit := 2000 + random.Intn(8000)
				rest.sum += most(61*unit) + some(30*unit)
				rest.little(9 * unit)
				for index, share := range []int{61, 30, 9} {
					atomic.AddInt64(&rounds[index], int64(share*unit))
				}
			}
		}(rand.New(rand.NewSource(int64(i))))
	}
	running.Wait()
	fmt.Printf("{\"main.most\": %d, \"main.some\": %d, \"main.(*part).little\": %d}\n", rounds[0], rounds[1], rounds[2])
	for n, _ := os.Stdin.Read(line); n > 0 && line[0] != '\n'; n, _ = os.Stdin.Read(line) {
	}
	os.Stdin.Read(line)
}
