"""Whether a stack is whole: up to where a program or a thread begins, or as near as can be told. Pure.

A walk by frame pointers ends early where code keeps none: then the callers above are missing, and what looks like the
root is only the last one that is known.
"""

from collections.abc import Iterable
from typing import Final

from tui.collectors.samples import Frame, Stack

_BEGINNINGS: Final = frozenset(
    {
        "main", "_start", "__libc_start_main", "__libc_start_call_main", "_dl_start_user", "_dl_init",
        "start_thread", "clone", "__clone", "clone3", "__clone3", "thread_start", "__clone_internal",
        "runtime.goexit", "runtime.main", "runtime.mstart", "runtime.mstart0", "runtime.rt0_go", "runtime.mcall",
        "runtime.systemstack", "runtime.asmcgocall", "runtime.morestack",
    }
)  # fmt: skip
_OWN: Final = ("libc.so", "libc-", "libpthread", "ld-linux", "ld-musl")  # where programs and threads begin


def is_whole(stack: Stack) -> bool:
    """Whether it leads to a beginning. Unnamed code of the C library is taken for one: its start is seldom named."""
    return _nameless(stack.frames[0]) or any(_bare(frame.name) in _BEGINNINGS for frame in stack.frames)


def early(stacks: Iterable[Stack]) -> int:
    """Calls whose stacks end before a beginning, besides those that were cut."""
    return sum(stack.calls for stack in stacks if not stack.cut and not is_whole(stack))


def _bare(name: str) -> str:
    return name.partition("@")[0].removesuffix(".abi0")


def _nameless(frame: Frame) -> bool:
    return frame.module.startswith(_OWN) and frame.name.startswith(f"{frame.module}+")
