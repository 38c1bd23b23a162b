"""A process that attaches counting programs until its input ends, or it is killed; for tests that kill it.

usage: python -m tests.kernel.hook_holder IFINDEX [--clsact] HOOK…

Prints `ready`, then for each line that comes, what each program has counted so far.
"""

import sys
from contextlib import ExitStack

from tests.kernel.hooking import Counter
from tui.bpf.hooks import Hook, attach


def main(number: int, words: list[str]) -> None:
    with ExitStack() as owned:
        counters = []
        for hook in [Hook(word) for word in words if word != "--clsact"]:
            counters.append(owned.enter_context(Counter()))
            program = counters[-1].program(hook)
            owned.enter_context(attach(hook, number, program, clsact="--clsact" in words))
        print("ready", flush=True)
        for _ in sys.stdin:
            print(*(counter.count() for counter in counters), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
