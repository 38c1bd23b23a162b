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
from tui.bpf.frames import Timed
from tui.bpf.timing import Timing
from tui.errors import NotSupported

_CALLS: Final = 500
_ROUNDS: Final = 7
_FUNCTIONS: Final = (64, 128)
_MODEL: Final = ("model name", "CPU implementer", "CPU part")  # in /proc/cpuinfo; the last two on arm64


class _Code(NamedTuple):
    """Code of our own for one kind of machine."""

    code: bytes  # a page; it begins with loop(function, calls)
    functions: tuple[int, int]  # offsets: of one whose first instruction the kernel emulates, and one that it steps
    returns: tuple[int, int]  # of their returns


def _code_of(machine: str) -> _Code | None:
    """The code for a machine that is known."""
    if machine == "x86_64":
        # push rbx, r12; mov rbx, rdi; mov r12, rsi; again: call rbx; dec r12; jnz again; pop; pop; ret
        loop = "53 4154 4889fb 4989f4 ffd3 49ffcc 75f9 415c 5b c3"
        # push rbp; pop rbp; ret   mov rax, rdi; ret
        return _Code(_page(loop, "555dc3", "4889f8c3", b"\x90"), _FUNCTIONS, (66, 131))
    if machine == "aarch64":
        # stp x29, x30, [sp, -32]!; stp x19, x20, [sp, 16]; mov x19, x0; mov x20, x1
        # again: blr x19; subs x20, x20, 1; b.ne again; ldp x19, x20, [sp, 16]; ldp x29, x30, [sp], 32; ret
        loop = "fd7bbea9 f35301a9 f30300aa f40301aa 60023fd6 940600f1 c1ffff54 f35341a9 fd7bc2a8 c0035fd6"
        # adr x9, .; ret   mov x9, x0; ret
        return _Code(_page(loop, "09000010 c0035fd6", "e90300aa c0035fd6", b"\x1f\x20\x03\xd5"), _FUNCTIONS, (68, 132))
    return None


def _page(loop: str, emulated: str, stepped: str, nop: bytes) -> bytes:
    """The loop and the functions at their offsets, and nops between."""
    page = bytearray(nop * (mmap.PAGESIZE // len(nop)))
    for at, code in zip((0, *_FUNCTIONS), map(bytes.fromhex, (loop, emulated, stepped)), strict=True):
        page[at : at + len(code)] = code
    return bytes(page)


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


# Where nothing was measured: about what bare metal and virtual machines of 2020 to 2025 take. arm64 emulates RET too.
_ASSUMED_ARM64: Final = Costs(700, 1_200, (Call(1_500, 700), Call(2_000, 1_200), Call(2_000, 700), Call(2_500, 1_200)))
ASSUMED: Final = (
    _ASSUMED_ARM64
    if os.uname().machine == "aarch64"
    else Costs(1_000, 4_000, (Call(6_000, 1_000), Call(9_000, 4_000), Call(2_500, 1_000), Call(6_000, 4_000)))
)


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
    code = _code_of(os.uname().machine)
    if code is None:
        raise NotSupported("the cost of a hit can be measured on x86-64 and arm64 only")
    with _mapped(code.code) as (file, loop):
        bare = [_time(loop, offset) for offset in code.functions]
        hits = []
        for offset, before in zip(code.functions, bare, strict=True):
            with Batch([Place(file, offset)], os.getpid(), attach_method()):
                hits.append(max(0, _time(loop, offset) - before))
        found = Costs(hits[0], hits[1], (*_calls(code, file, loop, bare, at_ret=True), *_calls(code, file, loop, bare)))
    cache.keep("costs", _name(), json.dumps(found).encode())
    return found


def _calls(
    code: _Code, file: str, loop: Callable[[int], None], bare: list[int], *, at_ret: bool = False
) -> Iterator[Call]:
    """Of calls that are timed."""
    places = [
        Timed(file, offset, (back,) if at_ret else ())
        for offset, back in zip(code.functions, code.returns, strict=True)
    ]
    with Timing(places, os.getpid(), attach_method()) as timing:
        for index, offset in enumerate(code.functions):
            taken = _time(loop, offset)
            yield Call(max(0, taken - bare[index]), timing.rows()[index][0].shortest)


@contextmanager
def _mapped(code: bytes) -> Iterator[tuple[str, Callable[[int], None]]]:
    """The code as a file that can be probed, and what calls a function of it some times. Raises NotSupported."""
    fd = os.memfd_create("calibration")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    try:
        os.write(fd, code)
        at = libc.mmap(None, len(code), mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, fd, 0)
        if at in (None, ctypes.c_void_p(-1).value):
            raise NotSupported("no code of our own can be run here: the cost of a hit can't be measured")
        loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_long)(at)
        try:
            yield f"/proc/self/fd/{fd}", lambda offset: loop(at + offset, _CALLS)
        finally:
            libc.munmap(at, len(code))
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
        emulated, stepped, calls = json.loads(cache.kept("costs", _name()) or b"null")
        found = Costs(int(emulated), int(stepped), tuple(Call(int(cost), int(floor)) for cost, floor in calls))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    return found if len(found.calls) == len(ASSUMED.calls) and min(found[:2]) >= 0 else None


def _name() -> str:
    """Of this kernel on this CPU."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        first = file.read().partition("\n\n")[0].splitlines()
    model = " ".join(line.partition(":")[2].strip() for line in first if line.startswith(_MODEL))
    words = f"{os.uname().release} {model}"
    return "".join(letter if letter.isalnum() else "-" for letter in words)[:200]
