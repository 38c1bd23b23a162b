import pytest

from tui.collectors.beginnings import early, is_whole
from tui.collectors.samples import Frame, Stack


def stack(*names: str, module: str = "program", calls: int = 7, cut: bool = False) -> Stack:
    return Stack(tuple(Frame(name, module) for name in names), calls, cut)


WHOLE = [
    stack("_start", "__libc_start_main@@GLIBC_2.34", "main", "work"),
    stack("runtime.goexit.abi0", "main.work"),
    stack("main"),
    stack("anything", "main", "work"),
    stack("libc.so.6+0x2724a", "work", module="libc.so.6"),
    stack("start_thread", "work"),
]
EARLY = [
    stack("work"),
    stack("middle", "work"),
    stack("program+0x1139", "work"),
    stack("qsort_r", "compare", module="libc.so.6"),
]


@pytest.mark.parametrize("one", WHOLE)
def test_whole(one: Stack) -> None:
    assert is_whole(one)


@pytest.mark.parametrize("one", EARLY)
def test_early(one: Stack) -> None:
    assert not is_whole(one)


def test_calls_of_stacks_that_end_early() -> None:
    assert early([*WHOLE, *EARLY, stack("work", cut=True)]) == 28
