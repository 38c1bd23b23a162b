"""Each call as an event, against programs whose calls are known. Signatures are made by hand here."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, gone, link_ids, pick, program_ids, resolve, wait_until
from tests.kernel.test_values import FIBONACCI, GO, HOT, LONG, NAMED, SLOW, given
from tests.targets.running import SECONDS, Running
from tui.bpf.events import memory
from tui.bpf.features import Method
from tui.collectors import conditions
from tui.collectors.events import SIZE, EventsProbe
from tui.collectors.reading import Wanted
from tui.collectors.samples import Attached, Event, EventsSample
from tui.elf.values import Kind, Signature

DESCEND = Signature((given("depth", Kind.INT, 8, GO[0]), given("number", Kind.INT, 8, GO[1])), (LONG,))
SIGNATURES = {
    "fibonacci": FIBONACCI, "hot": HOT, "slow": SLOW, "named": NAMED, "main.descend": DESCEND, "threaded": HOT,
    "leaver": HOT, "around": HOT, "ping": HOT, "pong": HOT,
}  # fmt: skip
Probing = Iterator[tuple[EventsProbe, Attached]]


@contextmanager
def tracing(
    process: Running | Path, *names: str, wanted: Wanted | None = None, size: int = SIZE, return_probes: bool = False
) -> Probing:
    target = resolve(process if isinstance(process, Path) else process.pid)
    functions = pick(target, *names)
    signatures = {function: SIGNATURES[function.name] for function in functions if function.name in SIGNATURES}
    with EventsProbe(target, wanted, size=size, return_probes=return_probes) as probe:
        yield probe, probe.add(functions, signatures)


def named(event: Event) -> tuple[object, ...]:
    return (*(value for _, value in event.arguments), *(value for _, value in event.results))


def assert_nested(events: tuple[Event, ...]) -> None:
    """The calls of each thread or goroutine lie one in another, or one after the other."""
    tracks = defaultdict(list)
    for event in events:
        assert event.duration_ns is not None
        tracks[event.goroutine or event.tid].append((event.start_ns, event.start_ns + event.duration_ns))
    for calls in tracks.values():
        open_until: list[int] = []
        for start, end in sorted(calls, key=lambda call: (call[0], -call[1])):
            while open_until and open_until[-1] <= start:
                open_until.pop()
            assert not open_until or end < open_until[-1]
            open_until.append(end)


@pytest.mark.guest
def test_a_call_with_all_that_is_known_of_it(start: Start, method: Method) -> None:
    process = start("given", 3)
    before = time.monotonic_ns()
    with tracing(process, "hot", "slow") as (probe, attached):
        assert probe.read().events == ()
        process.work()
        sample = probe.read()
        after = time.monotonic_ns()
    hot, slow = attached.attached
    assert [event.function for event in sample.events] == [slow] * 32 + [hot] * 3
    assert [named(event) for event in sample.events if event.function == hot] == [(0, 0), (1, 3), (2, 6)]
    for event in sample.events:
        assert (event.pid, event.tid, event.comm, event.goroutine) == (process.pid, process.pid, "given", 0)
        assert event.duration_ns is not None
        assert before < event.start_ns < event.start_ns + event.duration_ns < after
    assert [number for number, e in enumerate(sample.events) if (e.duration_ns or 0) > 20_000_000] == [29, 30, 31]
    assert sample.events[0].arguments == (("microseconds", 0),)
    assert sample.events[-1].results == (("return", 6),)
    assert (sample.calls, sample.seen, sample.dropped, sample.unmatched, sample.lost) == (35, 35, 0, 0, 0)


@pytest.mark.guest
@pytest.mark.parametrize("return_probes", [False, True])
def test_recursion_gives_each_its_own_result(start: Start, *, return_probes: bool) -> None:
    process = start("given", 1)
    with tracing(process, "fibonacci", return_probes=return_probes) as (probe, _):
        process.work()
        events = probe.read().events
    found = Counter(named(event) for event in events)
    assert found[1, 1] == 55
    assert found[10, 55] == 1
    assert found.total() == 177
    assert_nested(events)


def test_goroutines_are_told_apart(start: Start) -> None:
    process = start("given-go")
    with tracing(process, "main.descend") as (probe, _):
        process.work()
        events = probe.read().events
    numbers: dict[int, set[object]] = defaultdict(set)
    for event in events:
        depth, number, result = named(event)
        assert isinstance(depth, int)
        assert isinstance(number, int)
        assert result == depth * number
        numbers[number].add(event.goroutine)
    assert len(events) == 1000
    assert all(len(goroutines) == 1 for goroutines in numbers.values())
    assert_nested(events)


def test_many_threads(start: Start) -> None:
    process = start("timing")
    with tracing(process, "threaded", "ping", "pong") as (probe, _):
        process.work()
        events = probe.read().events
    threads = Counter(event.tid for event in events if event.function.name == "threaded")
    assert list(threads.values()) == [101] * 64
    assert Counter(event.function.name for event in events) == {"threaded": 6464, "ping": 101, "pong": 100}
    assert_nested(events)


@pytest.mark.guest
def test_a_ring_buffer_that_is_full(start: Start) -> None:
    process = start("given", 20011)
    with tracing(process, "hot", size=4096) as (probe, _):
        process.work()
        sample = probe.read()
        assert 0 < len(sample.events) == sample.seen < 4096 // 72
        assert sample.seen + sample.dropped == sample.calls == 20011
        assert [named(event) for event in sample.events] == [(n, 3 * n) for n in range(sample.seen)]
        process.send("more")
        process.truth()
        after = probe.read()
        assert [named(event) for event in after.events] == [(-1, -3)]
        assert after.seen + after.dropped == after.calls == 20012


def test_reading_while_calls_go_on_loses_nothing(start: Start) -> None:
    process = start("given", 20011)
    with tracing(process, "hot", size=1 << 16) as (probe, _):
        process.send("go")
        events: list[Event] = []
        while True:
            assert select.select([probe], [], [], SECONDS)[0]
            sample = probe.read()
            events += sample.events
            if sample.calls == 20011 == sample.seen + sample.dropped:
                break
        process.truth()
    assert len(events) == sample.seen
    assert sample.seen > 1_000  # more than find room at once: it was read meanwhile
    arguments = [event.arguments[0][1] for event in events]
    assert arguments == sorted(set(arguments))  # type: ignore[type-var]


def test_only_so_many_at_a_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.collectors.events._MOST_READ", 1000)
    process = start("given", 2003)
    with tracing(process, "hot") as (probe, _):
        process.work()
        assert [len(probe.read().events) for _ in range(4)] == [1000, 1000, 3, 0]


def test_conditions(start: Start) -> None:
    process = start("given", 2003)
    wanted = Wanted((), where=conditions.parse("number >= 1000 && number < 1010 && return != 3006"))
    with tracing(process, "hot", wanted=wanted) as (probe, _):
        process.work()
        sample = probe.read()
    assert [named(event) for event in sample.events] == [(3 * n,) for n in range(1000, 1010) if n != 1002]
    assert (sample.calls, sample.unmatched, sample.lost) == (2003, 0, 0)


def test_only_slow_calls(start: Start) -> None:
    process = start("given", 1)
    with tracing(process, "slow", "hot", wanted=Wanted(slower_than=15_000_000)) as (probe, _):
        process.work()
        assert [named(event) for event in probe.read().events] == [(20000,)] * 3


def test_functions_without_a_condition_s_value_are_skipped(start: Start) -> None:
    process = start("given", 1)
    wanted = Wanted(where=conditions.parse("n == 10"))
    with tracing(process, "fibonacci", "hot", wanted=wanted) as (probe, attached):
        assert [(each.function.name, each.reason) for each in attached.skipped] == [
            ("hot", "--where: no value is called n; there are number, return")
        ]
        process.work()
        assert [named(event) for event in probe.read().events] == [(10, 55)]


def test_calls_that_are_left_by_longjmp(start: Start) -> None:
    process = start("timing")
    with tracing(process, "around", "leaver") as (probe, _):
        process.work()
        sample = probe.read()
    assert Counter((event.function.name, event.arguments[0][1]) for event in sample.events) == {
        ("around", 0): 89,
        ("leaver", 0): 89,
    }
    assert (sample.calls, sample.unmatched) == (2 * 186, 2 * 97)


def test_no_room_for_calls_under_way(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.bpf.events._FRAMES", 1000)
    process = start("timing")
    with tracing(process, "deep") as (probe, _):
        process.work()
        sample = probe.read()
    assert sample.calls == 100_003
    assert sample.seen + sample.lost == sample.calls
    assert sample.seen >= 1000
    assert sample.unmatched == 0


def test_functions_whose_returns_are_not_known(start: Start) -> None:
    target = resolve(start("stacks").pid)
    (begins,) = pick(target, "_start")
    with EventsProbe(resolve(target.modules[0].path)) as probe:
        attached = probe.add([begins], {})
        assert "without durations: where it returns isn't known: it never returns" in attached.inexact[0].reason
        other = start("stacks")
        wait_until(lambda: probe.read().seen == 1, "the start of the program is seen")
        assert other.pid != target.pid
    with EventsProbe(target, Wanted(slower_than=1)) as probe, pytest.raises(Exception, match="never returns"):
        probe.add([begins], {})


def test_an_event_without_duration(start: Start) -> None:
    path = Path(resolve(start("stacks").pid).modules[0].path)
    with EventsProbe(resolve(path)) as probe:
        probe.add(pick(resolve(path), "_start"), {})
        other = start("stacks")
        (event,) = _events_until(probe, 1)
    assert (event.pid, event.duration_ns, event.results) == (other.pid, None, ())


def _events_until(probe: EventsProbe, number: int) -> list[Event]:
    events: list[Event] = []
    while len(events) < number:
        assert select.select([probe], [], [], SECONDS)[0]
        events += probe.read().events
    return events


def test_taking_functions_off(start: Start, method: Method) -> None:
    process = start("given", 100)
    with tracing(process, "hot", "slow", "fibonacci") as (probe, attached):
        hot, slow, fibonacci = attached.attached
        probe.remove([slow, fibonacci])
        assert probe.read().functions == (hot,)
        process.work()
        assert [named(event) for event in probe.read().events] == [(n, 3 * n) for n in range(100)]
        probe.remove([hot])
        process.send("more")
        process.truth()
        sample = probe.read()
        assert (sample.functions, sample.events, sample.calls) == ((), (), 100)


def test_suspending_and_resuming(start: Start, method: Method) -> None:
    process = start("given", 3)
    with tracing(process, "hot", "fibonacci") as (probe, attached):
        hot, _ = attached.attached
        probe.suspend([hot])
        process.work()
        assert {event.function.name for event in probe.read().events} == {"fibonacci"}
        spent = dict(zip(probe.functions, probe.spent(), strict=True))
        assert spent[hot] == 0 < sum(spent.values())
        probe.resume([hot])
        process.send("more")
        process.truth()
        sample = probe.read()
        assert [named(event) for event in sample.events] == [(-1, -3)]
        assert (sample.functions, sample.calls, sample.unmatched) == (attached.attached, 178, 0)
        assert probe.spent()[0] > 0


@pytest.mark.requires("uprobe_multi")
def test_of_many_functions_the_dearest_are_held_back(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.collectors.budget.FEW", 8)
    process = start("hammer", 2)
    target = resolve(process.pid)
    with EventsProbe(target) as probe:
        process.send("go")
        attached = probe.add(pick(target, "hot*", "late"), limit=10.0)
        held_back = probe.held_back.functions
        assert {function.name for function in held_back} <= {f"hot{number}" for number in range(8)}
        assert held_back
        assert probe.held_back.percent > 10
        assert set(held_back) < set(attached.attached) == set(probe.functions)


def test_every_process_of_a_file(start: Start, targets: Path) -> None:
    with tracing(targets / "given", "hot") as (probe, _):
        processes = [start("given", number) for number in (3, 5)]
        for process in processes:
            process.work()
        sample: EventsSample = probe.read()
    assert Counter(event.pid for event in sample.events) == {processes[0].pid: 3, processes[1].pid: 5}


def test_the_target_executes_another_program(start: Start, targets: Path) -> None:
    process = start("execs", targets / "plain-pie")
    with tracing(process, "before") as (probe, _):
        process.work()
        process.send("execute")
        process.expect_ready()
        sample = probe.read()
        assert sample.ended == f"executed {targets / 'plain-pie'}"
        assert (len(sample.events), sample.calls, sample.lost) == (997, 997, 0)


def test_the_target_is_killed_inside_a_call(start: Start) -> None:
    process = start("given", 1)
    with tracing(process, "main", "hot") as (probe, _):
        process.work()
        process.kill()
        sample = probe.read()
        assert sample.ended
        assert [named(event) for event in sample.events] == [(0, 0)]


def test_nothing_is_left(start: Start) -> None:
    before, links_before = program_ids(os.getpid()), link_ids(os.getpid())
    process = start("given", 1)
    files, maps = len(os.listdir("/proc/self/fd")), Path("/proc/self/maps").read_text().count("bpf-map")
    with tracing(process, "hot", "slow") as (probe, attached):
        probe.remove(attached.attached[:1])
        programs, links = program_ids(os.getpid()) - before, link_ids(os.getpid()) - links_before
        assert programs
        assert links
        assert Path("/proc/self/maps").read_text().count("bpf-map") > maps
    wait_until(lambda: gone(programs, links), "programs and links gone")
    assert len(os.listdir("/proc/self/fd")) == files
    assert Path("/proc/self/maps").read_text().count("bpf-map") == maps


def test_the_command(start: Start, tmp_path: Path) -> None:
    process = start("given", 3)
    trace = tmp_path / "trace.json"
    with Command(process.pid, "hot", "slow", "--chrome", trace, name="trace") as command:
        truth = process.work()
        process.end()
        summary = command.finish()
    calls = truth["hot"] + truth["slow"]
    assert {key: summary[key] for key in ("events", "dropped", "unmatched", "lost", "calls")} == {
        "events": calls, "dropped": 0, "unmatched": 0, "lost": 0, "calls": calls,
    }  # fmt: skip
    events = [row for row in command.rows if row["kind"] == "event"]
    assert len(events) == calls
    assert [(row["args"], row["return"]) for row in events[-3:]] == [({"number": n}, 3 * n) for n in range(3)]
    assert {row["pid"] for row in events} == {process.pid}
    spans = [span for span in json.loads(trace.read_text()) if span["ph"] == "X"]
    assert [span["dur"] for span in spans] == [row["duration_ns"] / 1000 for row in events]


def test_a_command_that_is_ended_by_a_signal(start: Start) -> None:
    process = start("given", 3)
    with Command(process.pid, "hot", name="trace") as command:
        process.work()
        summary = command.finish(signal.SIGTERM)
    assert (summary["events"], summary["ended"]) == (3, None)


@pytest.mark.skipif(not shutil.which("bpftrace"), reason="bpftrace is not installed")
def test_bpftrace_sees_the_same(start: Start, targets: Path) -> None:
    path = targets / "given"
    script = (
        f'uprobe:{path}:"fibonacci" {{ printf("enter %d\\n", arg0); }} '
        f'uretprobe:{path}:"fibonacci" {{ printf("leave %d\\n", retval); }}'
    )
    with tracing(path, "fibonacci") as (probe, _):
        bpftrace = ["bpftrace", "-B", "full", "-c", f"{path} 1", "-e", script]
        done = subprocess.run(bpftrace, input="go\n", capture_output=True, text=True, timeout=SECONDS, check=False)
        events = probe.read().events
    entered = re.findall(r"^enter (\d+)$", done.stdout, re.MULTILINE)
    left = re.findall(r"^leave (\d+)$", done.stdout, re.MULTILINE)
    assert [str(event.results[0][1]) for event in events] == left
    assert [str(event.arguments[0][1]) for event in sorted(events, key=lambda event: event.start_ns)] == entered
    assert len(entered) == 177


def test_the_memory_that_is_said_before_is_about_what_is_taken(start: Start) -> None:
    process = start("given")
    target = resolve(process.pid)
    (function,) = pick(target, "fibonacci")
    with EventsProbe(target, Wanted(results=True)) as probe:
        probe.add([function], {function: FIBONACCI})
        assert probe._events is not None
        maps = probe._events._loaded._maps.values()
        taken = sum(memory_of(fd) for fd in maps)
    said = memory(1, ring=SIZE)
    assert taken / 2 < said < 4 * taken


def memory_of(fd: int) -> int:
    """Bytes, as the kernel accounts for a map."""
    (found,) = re.findall(r"^memlock:\s*(\d+)$", Path(f"/proc/self/fdinfo/{fd}").read_text(), re.MULTILINE)
    return int(found)
