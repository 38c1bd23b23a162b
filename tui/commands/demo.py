"""`bpfscope demo`'s workload: a small Python process whose interpreter has functions to watch; it ends with us."""

import ctypes
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

HINT = (
    "This Python program adds, sorts and writes JSON, over and over. To see what is called: a marks all functions,"
    " enter probes them."
)
_PR_SET_PDEATHSIG = 1


@contextmanager
def workload() -> Iterator[int]:
    """Runs it, gives its pid, ends it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tui.commands.demo", str(os.getpid())],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield child.pid
    finally:
        child.terminate()
        child.wait()


def _fibonacci(number: int) -> int:
    return number if number < 2 else _fibonacci(number - 1) + _fibonacci(number - 2)


def main() -> None:
    """Works a little, rests more and less, until the parent is gone.

    It is called so seldom that all its functions can be probed at once: the budget leaves alone what takes under a
    hundredth of a CPU.
    """
    parent = int(sys.argv[1])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    unsorted = [number * 0.618 % 1 for number in range(10_000)]
    while os.getppid() == parent:
        numbers = {str(number): _fibonacci(number) for number in range(5)}
        json.loads(json.dumps(sorted(numbers.items())))
        sorted(unsorted)
        pow(3, 20_000)
        time.sleep(0.08 + 0.06 * math.sin(time.monotonic()))


if __name__ == "__main__":
    main()
