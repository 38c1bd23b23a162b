"""The bpftrace program that comes nearest to a view, to be read, learnt from, or taken elsewhere; and in what it would
be wrong. Pure.

Names come from files of others, and the text may end in a root shell: it is quoted for bpftrace, and for the shell.
"""

import os
import shlex
from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.elf.names import UNWIND, USDT, Function

_OWN_REGISTERS: Final = os.uname().machine == "x86_64"  # whether Go passes arguments elsewhere than C does
_STARTS: Final = (
    "It counts at the first byte. Where jumps lead back there (a loop without a prologue), and in Go, where a function"
    " begins anew after its stack grew, it counts too much."
)
_RETURN_PROBES: Final = (
    "Return probes end or mislead programs that throw C++ exceptions, switch stacks, or filter system calls; the kernel"
    " keeps 64 of them per thread, and drops deeper ones without a word."
)
_GO: Final = "DON'T RUN IT: return probes end Go programs, whose stacks move (“unexpected return pc”)."
_BY_THREAD: Final = (
    "Start times are kept by thread: a recursive call overwrites its caller's, and in Go a goroutine that waits is"
    " mixed up with the next one on its thread."
)
_POWERS: Final = "Its histogram has powers of two only: a percentile can be off by half."
_STACKS: Final = (
    "Where the function doesn't begin with `push rbp`, older kernels (before 6.11) leave out the direct caller; stacks"
    " are told apart by a hash, and symbols are looked up at the end, when the process may be gone."
)
_ARGUMENTS: Final = "It prints registers: which of them is what, and how large, is for you to know."
_LOST: Final = "Events that find no room are dropped; it counts them all together."


class Program(NamedTuple):
    """What to type into a shell, and what to know before."""

    text: str
    wrong: tuple[str, ...]


def program(view: str, pid: int | None, probed: Sequence[tuple[Function, str]], *, go: bool) -> Program:
    """For a view ("calls", "latency", "stacks", "arguments", "events") of functions and their modules' paths."""
    lines = [
        line
        for function, path in probed
        for line in (
            [_usdt(view, path, _text(function))]
            if function.origin == USDT
            else _LINES[view](_place(path, function), _text(function), go)
        )
    ]
    where = f" -p {pid}" if pid is not None else ""
    wrong = {
        "calls": [_STARTS],
        "latency": [_GO if go else _RETURN_PROBES, _BY_THREAD, _POWERS],
        "stacks": [_STARTS, _STACKS],
        "arguments": [_STARTS, _ARGUMENTS],
        "events": [_GO if go else _RETURN_PROBES, _BY_THREAD, _ARGUMENTS, _LOST],
    }
    said = wrong[view] if any(function.origin != USDT for function, _ in probed) else [_LOST]
    return Program(f"bpftrace{where} -e {shlex.quote(chr(10).join(['', *lines, '']))}", tuple(said))


def _place(path: str, function: Function) -> str:
    return f"{path}:0x{function.address:x}" if function.origin == UNWIND else f'{path}:"{_text(function)}"'


def _text(function: Function) -> str:
    """The name, as a bpftrace string has it."""
    return function.raw_name.replace("\\", "\\\\").replace('"', '\\"')


def _usdt(view: str, path: str, name: str) -> str:
    """What there is to see of a USDT probe; it has no duration."""
    does = {
        "calls": f'@calls["{name}"] = count();',
        "stacks": "@[ustack] = count();",
        "arguments": "@[arg0] = count();",
        "events": f'printf("%d %s\\n", tid, "{name}");',
    }
    _, provider, probe = name.split(":", 2)
    return f'usdt:{path}:"{provider}":"{probe}" {{ {does[view]} }}' if view in does else f'// "{name}" takes no time'


def _calls(place: str, name: str, _: bool) -> list[str]:
    return [f'uprobe:{place} {{ @calls["{name}"] = count(); }}']


def _latency(place: str, name: str, _: bool) -> list[str]:
    return [
        f"uprobe:{place} {{ @start[tid] = nsecs; }}",
        f'uretprobe:{place} /@start[tid]/ {{ @ns["{name}"] = hist(nsecs - @start[tid]); delete(@start[tid]); }}',
    ]


def _stacks(place: str, _: str, __: bool) -> list[str]:
    return [f"uprobe:{place} {{ @[ustack] = count(); }}"]


def _arguments(place: str, _: str, go: bool) -> list[str]:
    own = go and _OWN_REGISTERS
    values = ", ".join(f'reg("{name}")' for name in ("ax", "bx", "cx")) if own else "arg0, arg1, arg2"
    return [f"uprobe:{place} {{ @[{values}] = count(); }}"]


def _events(place: str, name: str, go: bool) -> list[str]:
    first = 'reg("ax")' if go and _OWN_REGISTERS else "arg0"
    return [
        f"uprobe:{place} {{ @start[tid] = nsecs; @argument[tid] = {first}; }}",
        (
            f"uretprobe:{place} /@start[tid]/ {{"
            f' printf("%d %s(%d) = %d, %d ns\\n", tid, "{name}", @argument[tid], retval, nsecs - @start[tid]);'
            " delete(@start[tid]); delete(@argument[tid]); }"
        ),
    ]


_LINES: Final = {
    "calls": _calls,
    "latency": _latency,
    "stacks": _stacks,
    "arguments": _arguments,
    "events": _events,
}
