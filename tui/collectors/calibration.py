"""What a hit costs on this machine, measured on code of our own in this process: two functions in an anonymous file,
called in a loop with a counting probe on them and without.
"""

import ctypes
import mmap
import os
import time
from typing import Final, NamedTuple

from tui.bpf.counting import Batch, Place
from tui.bpf.features import attach_method
from tui.errors import NotSupported

_CALLS: Final = 2_000
_ROUNDS: Final = 5
# loop(function, calls): push rbx, r12; mov rbx, rdi; mov r12, rsi; again: call rbx; dec r12; jnz again; pop; pop; ret
_LOOP: Final = bytes.fromhex("53 4154 4889fb 4989f4 ffd3 49ffcc 75f9 415c 5b c3".replace(" ", ""))
_EMULATED_AT: Final = 64
_STEPPED_AT: Final = 128
_CODE: Final = (
    _LOOP.ljust(_EMULATED_AT, b"\x90")
    + bytes.fromhex("555dc3").ljust(_STEPPED_AT - _EMULATED_AT, b"\x90")  # push rbp; pop rbp; ret
    + bytes.fromhex("4889f8c3").ljust(mmap.PAGESIZE - _STEPPED_AT, b"\x90")  # mov rax, rdi; ret
)


class Costs(NamedTuple):
    """Nanoseconds that the target loses per hit."""

    emulated: int
    stepped: int


def measure() -> Costs:
    """Takes some 0.2 s. Raises NotPermitted, NotSupported where nothing can be attached."""
    if os.uname().machine != "x86_64":
        raise NotSupported("the cost of a hit can be measured on x86-64 only")
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
        try:
            return Costs(*(_cost(fd, at, offset) for offset in (_EMULATED_AT, _STEPPED_AT)))
        finally:
            libc.munmap(at, len(_CODE))
    finally:
        os.close(fd)


def _cost(fd: int, at: int, offset: int) -> int:
    bare = _time(at, offset)
    with Batch([Place(f"/proc/self/fd/{fd}", offset)], os.getpid(), attach_method()):
        probed = _time(at, offset)
    return max(0, probed - bare)


def _time(at: int, offset: int) -> int:
    """Nanoseconds of CPU time that a call takes, the least of some rounds: what disturbs only adds."""
    loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_long)(at)
    rounds = []
    for _ in range(_ROUNDS):
        start = time.thread_time_ns()
        loop(at + offset, _CALLS)
        rounds.append((time.thread_time_ns() - start) // _CALLS)
    return min(rounds)
