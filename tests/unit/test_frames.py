"""Which calls never return: of threads that have ended, of functions taken off, and by those that began after them."""

import struct
from collections.abc import Iterator

import pytest

from tui.bpf import frames as call_frames
from tui.bpf.frames import CallFrame, Ended, Kept, Left, Timed, outlived, swept

KEPT = Kept(16, 8, 8)  # start, thread, four bytes of the program's own; room for eight
PLACES = [Timed("/bin/a", 0), Timed("/bin/a", 1), Timed("/bin/go", 2, go=True)]


class Kernel:
    """A map of frames."""

    def __init__(self, *rows: tuple[int, int, int, int, int]) -> None:
        """Of runners, depths, functions, starts, threads."""
        self.map = {
            struct.pack("=3Q", runner, depth, function): struct.pack("=QII", start, thread, 0)
            for runner, depth, function, start, thread in rows
        }

    def map_items(self, _fd: int, _key: int, _value: int) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self.map.items()))

    def map_lookup(self, _fd: int, key: bytes, _size: int) -> bytes | None:
        return self.map.get(key)

    def map_delete(self, _fd: int, key: bytes) -> None:
        del self.map[key]


def found(
    monkeypatch: pytest.MonkeyPatch, kernel: Kernel, *ended: int, off: tuple[int, ...] = ()
) -> tuple[list[int], list[int], int]:
    """The functions of what was taken out, and of what stays; and how many frames there are then."""
    monkeypatch.setattr(call_frames, "kernel", kernel)
    threads = Ended(1)
    threads.update({thread: thread in ended for thread in range(100)})
    gone, stay = swept(threads, 3, KEPT, PLACES, off)
    assert all(isinstance(each, Left) for each in (*gone, *stay))
    return sorted(each.function for each in gone), sorted(each.function for each in stay), len(kernel.map)


def test_calls_of_threads_that_have_ended_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel((1, 10, 0, 1, 7), (1, 20, 1, 2, 8), (99, 30, 2, 3, 7))
    assert found(monkeypatch, kernel, 7) == ([], [0], 3)


def test_calls_of_functions_that_are_taken_off_go(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel((1, 10, 0, 1, 7), (1, 20, 1, 2, 8), (99, 30, 2, 3, 7))
    assert found(monkeypatch, kernel, 7, off=(0, 2)) == ([0, 2], [], 1)


def test_where_there_are_many_all_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = [(1, 1000 + at, 0, at, 7) for at in range(4)]
    kernel = Kernel(*ended, (1, 30, 1, 5, 8), (1, 20, 1, 6, 8))
    assert found(monkeypatch, kernel, 7) == ([0, 0, 0, 0, 1], [], 1)


def frames(*rows: tuple[int, int, int]) -> list[CallFrame]:
    """Of starts, depths and runners."""
    return [CallFrame(start, depth, runner, 0, bytes([start]), b"") for start, depth, runner in rows]


def starts(found: list[CallFrame]) -> list[int]:
    return sorted(frame.start for frame in found)


def test_calls_in_calls_are_all_under_way() -> None:
    assert outlived(frames((1, 100, 7), (2, 200, 7), (3, 300, 7))) == []


def test_a_later_call_that_is_no_deeper_outlives_those_above() -> None:
    assert starts(outlived(frames((4, 200, 7), (1, 100, 7), (3, 300, 7), (2, 200, 7)))) == [2, 3]


def test_other_runners_have_stacks_of_their_own() -> None:
    assert outlived(frames((1, 300, 7), (2, 200, 8), (3, 100, 9))) == []


def test_what_is_much_deeper_lies_on_another_stack() -> None:
    assert starts(outlived(frames((1, 100 << 20, 7), (2, 91 << 20, 7), (3, 90 << 20, 7)))) == [2]
