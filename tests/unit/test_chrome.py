import io
import json
from collections import defaultdict
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tui.collectors.samples import Event
from tui.elf.names import Function
from tui.export import chrome

OUTER = Function("server", "outer(int)", "_Z5outeri", 0x1000, 16, "symtab", 0x1000)
INNER = OUTER._replace(name="inner")
START = 7_000_000_000_000_000  # a clock that has run for 81 days


def event(function: Function, start: int, took: int | None, tid: int = 12, goroutine: int = 0) -> Event:
    return Event(function, START + start, took, 11, tid, "worker", goroutine, (), ())


def written(*events: Event, finish: bool = True) -> str:
    file = io.StringIO()
    trace = chrome.Trace(file, START)
    for one in events:
        trace.write([one])
    if finish:
        trace.finish()
    return file.getvalue()


def test_a_call_has_its_time_thread_and_values() -> None:
    about, call = json.loads(
        written(
            event(OUTER, 1_234_567, 89)._replace(arguments=(("n", 3), ("x", float("nan"))), results=(("return", "ok"),))
        )
    )
    assert about == {"ph": "M", "pid": 11, "tid": 12, "name": "thread_name", "args": {"name": "worker"}}
    assert call == {
        "ph": "X", "ts": 1234.567, "dur": 0.089, "name": "outer(int)", "cat": "server", "pid": 11, "tid": 12,
        "args": {"n": 3, "x": "nan", "return": "ok"},
    }  # fmt: skip


def test_a_call_without_a_return_is_an_instant() -> None:
    _, call = json.loads(written(event(OUTER, 5, None)))
    assert (call["ph"], call["s"], call["ts"]) == ("i", "t", 0.005)
    assert "dur" not in call


def test_goroutines_have_tracks_whatever_thread_they_run_on() -> None:
    found = json.loads(written(*(event(OUTER, 10 * n, 5, tid=n % 3, goroutine=0xC000 + n % 2) for n in range(6))))
    names = {each["tid"]: each["args"]["name"] for each in found if each["ph"] == "M"}
    assert names == {10_000_000: "goroutine 0", 10_000_001: "goroutine 1"}
    assert [each["tid"] - 10_000_000 for each in found if each["ph"] == "X"] == [0, 1] * 3


def test_what_is_cut_off_can_be_loaded() -> None:
    text = written(event(INNER, 10, 5), event(OUTER, 5, 20), finish=False)
    assert json.loads(text + "]") == json.loads(written(event(INNER, 10, 5), event(OUTER, 5, 20)))


def test_nothing() -> None:
    assert json.loads(written()) == []


def _calls(depth: int, start: int, draw: Callable[[st.SearchStrategy[int]], int]) -> tuple[list[tuple[int, int]], int]:
    """Calls one in another, and when they are over."""
    calls, now = [], start + draw(st.integers(1, 999_999))
    for _ in range(draw(st.integers(0, 3)) if depth else 0):
        inner, now = _calls(depth - 1, now + draw(st.integers(1, 999)), draw)
        calls += inner
    end = now + draw(st.integers(1, 999))
    return [*calls, (start, end)], end


@given(st.data(), st.integers(0, 10**15))
def test_calls_lie_one_in_another_exactly(data: st.DataObject, offset: int) -> None:
    calls, _ = _calls(3, offset, data.draw)
    found = json.loads(written(*(event(OUTER, start, end - start) for start, end in calls)), parse_float=_exact)
    read = [(each["ts"], each["ts"] + each["dur"]) for each in found if each["ph"] == "X"]
    assert read == calls
    tracks = defaultdict(list)
    for each in found:
        tracks[each["pid"], each["tid"]].append(each)
    assert len(tracks) == 1


def _exact(text: str) -> int:
    whole, _, decimals = text.partition(".")
    assert len(decimals) == 3
    return int(whole + decimals)
