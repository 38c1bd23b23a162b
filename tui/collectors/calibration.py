"""What probes cost on this machine, measured on code of our own in this process: two functions in an anonymous file,
called in a loop with probes on them and without. What was measured is remembered for this kernel and this CPU.
"""

import ctypes
import json
import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from tui import cache
from tui.bpf.counting import Batch, Place
from tui.bpf.features import attach_method
from tui.bpf.timing import Timed, Timing
from tui.errors import NotSupported

_CALLS: Final = 500
_ROUNDS: Final = 7
# loop(function, calls): push rbx, r12; mov rbx, rdi; mov r12, rsi; again: call rbx; dec r12; jnz again; pop; pop; ret
_LOOP: Final = bytes.fromhex("53 4154 4889fb 4989f4 ffd3 49ffcc 75f9 415c 5b c3".replace(" ", ""))
_FUNCTIONS: Final = (64, 128)  # offsets: of one whose first instruction the kernel emulates, and one that it steps
_RETURNS: Final = (66, 131)
_CODE: Final = (
    _LOOP.ljust(_FUNCTIONS[0], b"\x90")
    + bytes.fromhex("555dc3").ljust(_FUNCTIONS[1] - _FUNCTIONS[0], b"\x90")  # push rbp; pop rbp; ret
    + bytes.fromhex("4889f8c3").ljust(mmap.PAGESIZE - _FUNCTIONS[1], b"\x90")  # mov rax, rdi; ret
)


class Call(NamedTuple):
    """A call that is timed; nanoseconds."""

    cost: int  # what the target loses
    floor: int  # how long it seems to take at least


class Costs(NamedTuple):
    """What probes cost the target; nanoseconds."""

    emulated: int  # a hit where the kernel emulates the instruction
    stepped: int  # a hit where it executes a copy
    calls: tuple[Call, ...]  # timed at RET from an emulated and a stepped entry, and the same by return probe

    def hit(self, *, emulated: bool) -> int:
        """Of a probe that counts."""
        return self.emulated if emulated else self.stepped

    def call(self, *, emulated: bool, return_probe: bool = False) -> Call:
        """Of a call that is timed."""
        return self.calls[2 * return_probe + (not emulated)]


# Where nothing was measured: about what bare metal and virtual machines of 2020 to 2025 take.
ASSUMED: Final = Costs(1_000, 4_000, (Call(6_000, 1_000), Call(9_000, 4_000), Call(2_500, 1_000), Call(6_000, 4_000)))


def known() -> Costs:
    """What was measured here before, or else what is assumed; at once."""
    return _remembered() or ASSUMED


def costs() -> Costs:
    """What was measured here before; or measured now, which takes half a second, where that works."""
    try:
        return _remembered() or measure()
    except NotSupported:
        return ASSUMED


def measure() -> Costs:
    """Takes half a second. Raises NotPermitted, NotSupported where nothing can be attached."""
    if os.uname().machine != "x86_64":
        raise NotSupported("the cost of a hit can be measured on x86-64 only")
    with _code() as (file, loop):
        bare = [_time(loop, offset) for offset in _FUNCTIONS]
        hits = []
        for offset, before in zip(_FUNCTIONS, bare, strict=True):
            with Batch([Place(file, offset)], os.getpid(), attach_method()):
                hits.append(max(0, _time(loop, offset) - before))
        found = Costs(hits[0], hits[1], (*_calls(file, loop, bare, at_ret=True), *_calls(file, loop, bare)))
    cache.write("costs", _name(), json.dumps(found).encode())
    return found


def _calls(file: str, loop: Callable[[int], None], bare: list[int], *, at_ret: bool = False) -> Iterator[Call]:
    """Of calls that are timed."""
    places = [Timed(file, offset, (back,) if at_ret else ()) for offset, back in zip(_FUNCTIONS, _RETURNS, strict=True)]
    with Timing(places, os.getpid(), attach_method()) as timing:
        for index, offset in enumerate(_FUNCTIONS):
            taken = _time(loop, offset)
            yield Call(max(0, taken - bare[index]), timing.rows()[index][0].shortest)


@contextmanager
def _code() -> Iterator[tuple[str, Callable[[int], None]]]:
    """The code as a file that can be probed, and what calls a function of it some times. Raises NotSupported."""
    fd = os.memfd_create("calibration")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    try:
        os.write(fd, _CODE)
        at = libc.mmap(None, len(_CODE), mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, fd, 0)
        if at in (None, ctypes.c_void_p(-1).value):
            raise NotSupported("no code of our own can be run here: the cost of a hit can't be measured")
        loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_long)(at)
        try:
            yield f"/proc/self/fd/{fd}", lambda offset: loop(at + offset, _CALLS)
        finally:
            libc.munmap(at, len(_CODE))
    finally:
        os.close(fd)


def _time(loop: Callable[[int], None], offset: int) -> int:
    """Nanoseconds of CPU time that a call takes, the least of some rounds: what disturbs only adds."""
    rounds = []
    for _ in range(_ROUNDS):
        start = time.thread_time_ns()
        loop(offset)
        rounds.append((time.thread_time_ns() - start) // _CALLS)
    return min(rounds)


def _remembered() -> Costs | None:
    """What the cache has; None where that isn't what it should be."""
    try:
        emulated, stepped, calls = json.loads(cache.read("costs", _name()) or b"null")
        found = Costs(int(emulated), int(stepped), tuple(Call(int(cost), int(floor)) for cost, floor in calls))
    except (ValueError, TypeError):
        return None
    return found if len(found.calls) == len(ASSUMED.calls) and min(found[:2]) >= 0 else None


def _name() -> str:
    """Of this kernel on this CPU."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        model = next((line.partition(":")[2] for line in file if line.startswith("model name")), "")
    words = f"{os.uname().release} {model.strip()}"
    return "".join(letter if letter.isalnum() else "-" for letter in words)[:200]
