"""The programs that are measured on, or with: generated, compiled, and run for as long as they are needed."""

import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

SECONDS = 60  # that anything may take to answer
UNPROBEABLE = ("lock incl odd_counter(%rip)", "hlt", "vpxord %zmm0, %zmm0, %zmm0", ".byte 0x3e, 0x90")

_LOOP = """
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

extern void (*const functions[])(void);
extern void with_push(void), with_endbr(void);

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Says "ready". With a number: calls so many functions in turn, for ever. Without: for each line "p N" or "e N" it
 * calls a function N times and prints the nanoseconds of CPU time that one call took. */
int main(int argc, char **argv)
{
	struct sched_param none = { 0 };
	char which;
	long calls;

	setsid(); /* the scheduler shares the CPU out by session, */
	sched_setscheduler(0, SCHED_OTHER, &none); /* and real-time priority isn't for us */
	puts("ready");
	fflush(stdout);
	if (argc > 1)
		for (int number = atoi(argv[1]);;)
			for (int i = 0; i < number; i++)
				functions[i]();
	while (scanf(" %c %ld", &which, &calls) == 2) {
		void (*volatile function)(void) = which == 'e' ? with_endbr : with_push;
		double start = seconds();
		for (long i = 0; i < calls; i++)
			function();
		printf("%.2f\\n", (seconds() - start) * 1e9 / calls);
		fflush(stdout);
	}
	return 0;
}
"""

_WAITING = """
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
"""

_STOPWATCH = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Runs a command with its output thrown away; prints seconds, the most memory it had in KiB, and its wait status.
 * Small on purpose: a process starts its account of memory with that of the one that it was forked from. */
int main(int argc, char **argv)
{
	struct timespec start, end;
	struct rusage usage;
	int status;

	(void)argc;
	clock_gettime(CLOCK_MONOTONIC, &start);
	pid_t child = fork();
	if (!child) {
		int nowhere = open("/dev/null", O_RDWR);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int fd = 0; fd < 3; fd++)
			dup2(nowhere, fd);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	wait4(child, &status, 0, &usage);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.6f %ld %d\\n", end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9, usage.ru_maxrss, status);
	return 0;
}
"""


def loop(folder: Path, number: int, odd: int = 0) -> Path:
    """A program with functions f_000 … that it can call, and odd_00 … that no kernel probes and nobody calls."""
    names = [f"f_{index:03}" for index in range(number)]
    bodies = {name: ["push %rbp", "pop %rbp"] for name in [*names, "with_push"]}
    bodies["with_endbr"] = ["endbr64", "push %rbp", "pop %rbp"]
    bodies |= {f"odd_{index:02}": [UNPROBEABLE[index % len(UNPROBEABLE)]] for index in range(odd)}
    table = ['.section .data.rel.ro, "aw"', ".globl functions", "functions:", *(f"\t.quad {name}" for name in names)]
    source = folder / f"loop{number}.c"
    source.write_text(_LOOP, encoding="ascii")
    return _compiled(source, _assembly(bodies, [".data", "odd_counter: .long 0", *table]))


def stopwatch(folder: Path) -> Path:
    """The program that runs others and measures them."""
    source = folder / "stopwatch.c"
    source.write_text(_STOPWATCH, encoding="ascii")
    return _compiled(source)


def sender(folder: Path) -> Path:
    """The tests' program that sends a frame as fast as it can."""
    source = folder / "sender.c"
    source.write_text(Path("tests/targets/sender.c").read_text(encoding="utf-8"), encoding="utf-8")
    return _compiled(source)


def steady(folder: Path) -> Path:
    """A program that does the same again and again, as much as it is told."""
    source = folder / "steady.c"
    source.write_text(Path("bench/steady.c").read_text(encoding="ascii"), encoding="ascii")
    return _compiled(source)


def many_symbols(folder: Path, number: int, *, mangled: bool = False) -> Path:
    """A program of so many functions, to list; it says "ready" and waits."""
    source = folder / f"{'mangled' if mangled else 'symbols'}{number}.c"
    source.write_text(_WAITING, encoding="ascii")
    names = (_mangled(index) if mangled else f"generated_function_{index}" for index in range(number))
    return _compiled(source, _assembly({name: ["nop"] for name in names}, []))


def _mangled(index: int) -> str:
    """component_0::Handler0::process_request_0(std::vector<std::string> const&, int), as C++ has it."""
    names = (f"component_{index % 977}", f"Handler{index // 7}", f"process_request_{index}")
    return f"_ZN{''.join(f'{len(name)}{name}' for name in names)}ERKSt6vectorISsSaISsEEi"


def _assembly(bodies: dict[str, list[str]], data: list[str]) -> str:
    lines = [".text"]
    for name, body in bodies.items():
        lines += [f".globl {name}", f".type {name}, @function", f"{name}:", *(f"\t{each}" for each in body)]
        lines += ["\tret", f".size {name}, . - {name}"]
    return "\n".join([*lines, *data, '.section .note.GNU-stack, "", @progbits', ""])


def _compiled(source: Path, assembly: str = "") -> Path:
    """The program, unless it is there already. Raises subprocess.CalledProcessError."""
    sources, program = [source], source.with_suffix("")
    if program.exists():
        return program
    if assembly:
        sources.append(source.with_suffix(".S"))
        sources[-1].write_text(assembly, encoding="ascii")
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", *sources, "-o", program], check=True)
    return program


def target(program: Path, *words: object) -> "Running":
    """A process of what `loop` made, ready."""
    running = Running([str(program), *map(str, words)])
    running.line()
    return running


class Running:
    """A process of a program; a context manager that ends it."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        """Starts it."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        self._unread = b""
        self.pid = self._process.pid

    def tell(self, line: str) -> None:
        """Gives it a line."""
        assert self._process.stdin  # noqa: S101 - for the types
        self._process.stdin.write(line.encode() + b"\n")

    def line(self, due: float | None = None) -> bytes | None:
        """Its next line of output; None where it ends or takes longer than until `due` (monotonic)."""
        assert self._process.stdout  # noqa: S101 - for the types
        due = time.monotonic() + SECONDS if due is None else due
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, due - time.monotonic()))
            more = self._process.stdout.read(65536) if ready else b""
            if not more:
                return None
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def end(self, number: int) -> None:
        """Sends it a signal, or 0 to let it end by itself; reads what it still says until it has ended."""
        if number:
            self._process.send_signal(number)
        try:
            self._process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
