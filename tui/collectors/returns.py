"""Where calls of a function can be seen to return; what times or reads results asks here.

Returns are seen at the function's own RET instructions. A return probe would cost less: the kernel puts an address of
its own in place of the caller's. But that ends or misleads the target wherever the stack isn't used as the kernel
expects: exceptions, Go, coroutines, signal stacks, code that is jumped to, seccomp filters; and what a process will do,
load or link in can't be known. So return probes are only used where somebody asks for them, and never in Go.
"""

import re
from typing import Final

from tui.bpf.frames import Timed
from tui.collectors.files import Chosen
from tui.elf.names import Function

_COLD: Final = re.compile(r"\.cold(?:\.\d+)?$")
NO_CALL: Final = "a USDT probe is a place in a function, not a call: it takes no time, and gives nothing"
_MOST_RETURNS: Final = 256  # of a function


def part_of_another(function: Function) -> bool:
    """Whether it is what a compiler moved out of a function: it is jumped to, and no return address is on the stack."""
    return _COLD.search(function.raw_name) is not None


def no_function(chosen: Chosen) -> str:
    """Why what begins there is no call; empty: it is one."""
    return "it is a part of another function, which is jumped to" if part_of_another(chosen.function) else ""


def of_assembly(chosen: Chosen) -> bool:
    """Whether it is a function of Go that is written in assembly: in it the goroutine's register may not be that."""
    return chosen.go and chosen.function.raw_name.endswith(".abi0")


def unseen(chosen: Chosen, *, return_probes: bool) -> str:
    """Why calls can't be seen to return without harm, or not rightly; empty: they can."""
    returns = chosen.returns
    if chosen.usdt:
        return NO_CALL
    if of_assembly(chosen):
        return "it is written in assembly, and may change goroutines or stacks"
    if return_probes:
        return "a return probe would end a Go program" if chosen.in_go else ""
    if not returns.offsets or "data lies" in returns.note:
        return f"where it returns isn't known: {returns.note}"
    if len(returns.offsets) > _MOST_RETURNS:
        return f"it has {len(returns.offsets):,} returns"
    return ""


def note(chosen: Chosen, *, return_probes: bool) -> str:
    """What isn't quite right about a function whose returns are seen; empty: nothing."""
    if chosen.returns.note and not return_probes:
        return f"some calls may count as unmatched: {chosen.returns.note}"
    return chosen.site.note


def place(file: str, chosen: Chosen, *, seen: bool, return_probes: bool) -> Timed:
    """Where a function's probes go: at its entry and, if its returns are to be seen, at these."""
    offsets = () if return_probes else chosen.returns.offsets
    go = chosen.go and not of_assembly(chosen)
    return Timed(file, chosen.site.offset, offsets if seen else None, go, chosen.semaphore)
