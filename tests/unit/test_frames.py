"""Which calls never return, by those that began after them."""

from tui.bpf.frames import CallFrame, outlived


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
