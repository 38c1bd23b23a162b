"""Who calls, against programs that know it: each call is in the right stack by the right names, or lost and counted."""

import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import BPFSCOPE, Command, gone, link_ids, pick, program_ids, resolve, run, wait_until
from tests.kernel.test_load import HOT
from tests.targets.running import SECONDS, Running
from tui.bpf.features import Method
from tui.bpf.stacks import _SLOT
from tui.collectors.samples import Frame, StacksSample
from tui.collectors.stacks import StacksProbe
from tui.elf.names import JIT

Path_ = tuple[str, ...]
OURS = ("callers", "libthrough.so", JIT, "")  # modules of frames whose names are known beforehand
AROUND_SIGNALS = ("main",) if os.uname().machine == "aarch64" else ()  # there the kernel makes a frame for them
MADE = "jit made\x1b[31m(int)"


@contextmanager
def counted(target: int | Path, *names: str, most: int = 8192) -> Iterator[StacksProbe]:
    resolved = resolve(target)
    with StacksProbe(resolved, most=most) as probe:
        assert probe.add(pick(resolved, *names)).skipped == ()
        yield probe


def whole(sample: StacksSample) -> None:
    """Every call is in a stack, or lost."""
    assert sample.calls == sample.lost + sum(stack.calls for stack in sample.stacks)
    assert len({(stack.frames, stack.cut) for stack in sample.stacks}) == len(sample.stacks)
    assert all(stack.calls for stack in sample.stacks)


def ways(sample: StacksSample, *modules: str) -> Counter[tuple[Path_, bool]]:
    """Calls by names, the called function first, and whether callers are missing; only frames of these modules."""
    found: Counter[tuple[Path_, bool]] = Counter()
    for stack in sample.stacks:
        ours = (frame for frame in reversed(stack.frames) if frame.module in modules or not modules)
        names = tuple(frame.name for frame in ours if frame.name != "_start")  # which arm64's libc leads to
        found[names, stack.cut] += stack.calls
    return found


def of_callers(truth: dict[str, int], made: str) -> dict[tuple[Path_, bool], int]:
    """What callers.c does, as `ways` has it."""
    return {
        (("leaf", "direct", "main"), False): truth["direct"],
        (("leaf", "both", "main"), False): truth["both"],
        (("leaf", *["self"] * 5, "main"), False): truth["self"],
        (("leaf", "pong", "ping", "pong", "ping", "main"), False): truth["mutual"],
        (("leaf", *["deep"] * 126), True): truth["deep"] + truth["overfull"],
        (("leaf", *["deep"] * 125, "rooted"), False): truth["full"],
        (("leaf", "back", "inside", "through", "main"), False): truth["library"],
        (("leaf", made, "main"), False): truth["made"],
        (("leaf", "handler", *AROUND_SIGNALS), False): truth["signal"],
        (("leaf", "framed", "frames", "main"), False): truth["framed"],
        (("framed", "frames", "main"), False): truth["framed"],
    }


@contextmanager
def perf_map(path: Path, truth: dict[str, int], name: str = MADE) -> Iterator[None]:
    """What a JIT compiler would have written."""
    lines = ["garbage", f"{truth['made at'] - 64:x} 40 before", f"{truth['made at']:x} 12 {name}"]
    path.write_text("\n".join(lines) + "\n")
    try:
        yield
    finally:
        path.unlink()


@pytest.mark.guest
def test_every_way_to_a_function(start: Start, method: Method) -> None:
    process = start("callers")
    with counted(process.pid, "leaf", "framed") as probe:
        truth = process.work()
        with perf_map(Path(f"/tmp/perf-{process.pid}.map"), truth):
            sample = probe.read()
    assert sample.lost == 0
    whole(sample)
    assert ways(sample, *OURS) == of_callers(truth, "jit made␛[31m(int)")
    modules = {frame.name: frame.module for stack in sample.stacks for frame in stack.frames}
    assert (modules["through"], modules["main"], modules["jit made␛[31m(int)"]) == ("libthrough.so", "callers", JIT)
    roots = {stack.frames[0] for stack in sample.stacks if stack.frames[-2].name == "direct"}
    assert all(frame.module.startswith("libc") or frame.name == "_start" for frame in roots)


def test_code_without_a_name_is_its_address(start: Start) -> None:
    process = start("callers")
    with counted(process.pid, "leaf", "framed") as probe:
        truth = process.work()
        sample = probe.read()
    made = f"0x{truth['made at'] + 16:x}"  # behind the call
    assert ways(sample, *OURS) == of_callers(truth, made)
    assert Frame(made, "") in {frame for stack in sample.stacks for frame in stack.frames}


def test_a_map_of_somebody_else_is_not_believed(start: Start) -> None:
    process = start("callers")
    with counted(process.pid, "leaf") as probe:
        truth = process.work()
        path = Path(f"/tmp/perf-{process.pid}.map")
        with perf_map(path, truth):
            os.chown(path, 65534, 65534)
            names = {frame.name for stack in probe.read().stacks for frame in stack.frames}
    assert MADE not in names
    assert f"0x{truth['made at'] + 16:x}" in names


def test_a_map_in_a_container(start: Start, targets: Path) -> None:
    inside = f"mount --bind {targets} /mnt && mount -t tmpfs none /tmp && exec /mnt/callers"
    outer = start("/usr/bin/unshare", "--pid", "--fork", "--mount", "sh", "-c", inside)
    pid = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
    with counted(pid, "leaf", "framed") as probe:
        truth = outer.work()
        with perf_map(Path(f"/proc/{pid}/root/tmp/perf-1.map"), truth, "inside"):
            sample = probe.read()
    assert ways(sample, *OURS) == of_callers(truth, "inside")


@pytest.mark.guest
@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_files_that_are_not_there_any_more(start: Start, targets: Path, tmp_path: Path, how: str) -> None:
    files = [shutil.copy(targets / name, tmp_path) for name in ("callers", "libthrough.so")]
    process = start(tmp_path / "callers")
    for file in map(Path, files):
        file.unlink()
        if how == "replaced":
            shutil.copy(targets / "plain-pie", file)
    with counted(process.pid, "leaf", "framed") as probe:
        truth = process.work()
        process.end()
        sample = probe.read()
    expected = of_callers(truth, f"0x{truth['made at'] + 16:x}")
    modules = [*OURS, "callers (deleted)", "libthrough.so (deleted)"]
    assert ways(sample, *modules) == expected


def fibonacci(number: int, depth: int, calls: Counter[int]) -> None:
    """How many calls each depth of the recursion has."""
    calls[depth] += 1
    if number >= 2:
        fibonacci(number - 1, depth + 1, calls)
        fibonacci(number - 2, depth + 1, calls)


def test_recursion_on_many_ways_is_one_stack_for_each_depth(start: Start) -> None:
    depths: Counter[int] = Counter()
    fibonacci(15, 1, depths)
    process = start("fibonacci")
    with counted(process.pid, "main.fibonacciRecursive", most=32) as probe:
        truth = process.work()
        sample = probe.read()
    assert sample.lost == 0
    assert sample.calls == truth["main.fibonacciRecursive"]
    whole(sample)
    outside = ("main.main.func1", "runtime.goexit.abi0")
    assert ways(sample) == {
        ((*["main.fibonacciRecursive"] * depth, *outside), False): calls for depth, calls in depths.items()
    }


@pytest.mark.guest
def test_goroutines_whose_stacks_grow(start: Start) -> None:
    process = start("goroutines")
    with counted(process.pid, "main.descend") as probe:
        process.work()
        sample = probe.read()
    assert sample.lost == 0
    outside = ("main.outermost", "main.main.func1", "runtime.goexit.abi0")
    assert ways(sample) == {((*["main.descend"] * depth, *outside), False): 200 for depth in range(1, 102)}


@pytest.mark.requires("uprobe_multi")
def test_hundreds_of_probes_on_a_busy_go_program(start: Start) -> None:
    process = start("load")
    target = resolve(process.pid)
    functions = [*pick(target, "main.*"), *pick(target, "runtime.*")[:640]]
    for _ in range(5):
        process.send("200")  # attached while it works
        with StacksProbe(target) as probe:
            assert len(probe.add(functions).attached) > 500
            assert process.truth()["wrong"] == 0
            process.send("200")
            assert process.truth()["wrong"] == 0
            sample = probe.read()
            whole(sample)
            assert sample.calls > 10_000
            assert sample.lost < sample.calls / 100
            assert {frame.module for stack in sample.stacks for frame in stack.frames} <= {"load", "[vdso]"}
            process.send("200")  # detached while it works
        assert process.truth()["wrong"] == 0
    assert process.end() == 0


def test_no_room_is_lost_and_counted(start: Start) -> None:
    process = start("goroutines")
    with counted(process.pid, "main.descend", most=50) as probe:
        process.work()
        first = probe.read()
        assert first == probe.read()._replace(time=first.time, elapsed=first.elapsed)
    assert first.calls == 20_200
    assert first.lost > 0
    whole(first)
    assert len(first.stacks) == 50
    assert {stack.calls for stack in first.stacks} == {200}


@pytest.mark.guest
def test_readings_under_load_have_every_call(start: Start, method: Method) -> None:
    process = start("hammer", 2)
    with counted(process.pid, *HOT) as probe:
        process.send("go")
        calls = [0]
        while len(calls) < 40 or calls[-1] == 0:
            sample = probe.read()
            whole(sample)
            assert sample.lost == 0
            calls.append(sample.calls)
        process.send("stop")
        truth = process.truth()
        sample = probe.read()
    assert calls == sorted(calls)
    whole(sample)
    found = Counter[str]()
    for stack in sample.stacks:
        found[stack.frames[-1].name] += stack.calls
    assert dict(found) == {name: truth[name] for name in HOT}


@pytest.mark.preempt_full
def test_threads_that_interrupt_one_another_lose_nothing(start: Start) -> None:
    for _ in range(5):
        with start("realtime", 20_011) as process, counted(process.pid, "contended") as probe:
            truth = process.work()
            sample = probe.read()
            whole(sample)
            assert (sample.calls, sample.lost) == (truth["contended"], 0)


def slots(probe: StacksProbe) -> "memoryview[int]":
    """The kernel's slots, to be changed: whether each is taken, in which turn, and a stack."""
    assert probe._callers
    return probe._callers._loaded.mapped("slots", writable=True)


def test_without_a_slot_calls_are_lost_and_counted(start: Start) -> None:
    process = start("callers")
    with counted(process.pid, "leaf") as probe:
        cells = slots(probe)
        for at in range(0, len(cells), _SLOT):
            cells[at], cells[at + 1] = 1, 1
        truth = process.work()
        sample = probe.read()
    assert sample.stacks == ()
    assert sample.calls == sample.lost == calls_of_leaf(truth)


def test_a_hit_that_takes_long_is_waited_for(start: Start) -> None:
    process = start("callers")
    with counted(process.pid, "leaf") as probe:
        cells = slots(probe)
        cells[0], cells[1] = 1, 0  # under way since the first turn
        truth = process.work()
        early = probe.read()
        assert (early.stacks, early.calls, early.lost) == ((), 0, 0)
        cells[0] = 0
        sample = probe.read()
        whole(sample)
        assert (sample.calls, sample.lost) == (calls_of_leaf(truth), 0)


def calls_of_leaf(truth: dict[str, int]) -> int:
    return sum(truth.values()) - truth["made at"]


def test_suspended_functions_keep_their_stacks(start: Start, method: Method) -> None:
    process = start("hammer", 2)
    target = resolve(process.pid)
    first, second = pick(target, *HOT[:2])
    with StacksProbe(target) as probe:
        probe.add([first, second])
        process.send("go")
        wait_until(lambda: len(probe.read().stacks) > 1, "calls of both")
        probe.suspend([second])
        before = stacks_of(probe, second.name)
        others = stacks_of(probe, first.name)
        wait_until(lambda: stacks_of(probe, first.name) > others, "calls of the first")
        assert stacks_of(probe, second.name) == before
        probe.resume([second])
        wait_until(lambda: stacks_of(probe, second.name) > before, "calls of the second")
        assert probe.read().functions == (first, second)
        assert all(spent > 0 for spent in probe.spent())


def stacks_of(probe: StacksProbe, name: str) -> int:
    return sum(stack.calls for stack in probe.read().stacks if stack.frames[-1].name == name)


def test_a_process_that_has_ended_before_the_first_reading(start: Start) -> None:
    process = start("callers")
    with counted(process.pid, "leaf", "framed") as probe:
        truth = process.work()
        process.end()
        sample = probe.read()
    assert sample.ended in ("exited 0", "ended")
    assert ways(sample, *OURS) == of_callers(truth, f"0x{truth['made at'] + 16:x}")


def test_a_file_and_a_process_that_runs_it_already(start: Start, targets: Path) -> None:
    process = start("callers")
    with counted(targets / "callers", "leaf", "framed") as probe:
        truth = process.work()
        process.end()
        sample = probe.read()
    assert ways(sample, *OURS) == of_callers(truth, f"0x{truth['made at'] + 16:x}")


def test_a_file_and_processes_that_are_seen(start: Start, targets: Path) -> None:
    with counted(targets / "callers", "leaf", "framed") as probe:
        processes = [start("callers") for _ in range(3)]
        truth, *_ = [process.work() for process in processes]
        sample = probe.read()
    found = ways(sample, *OURS)
    expected = of_callers(truth, "")
    for way, calls in expected.items():
        assert "" in way[0] or found[way] == 3 * calls


def test_a_file_and_a_process_that_nobody_saw(start: Start, targets: Path) -> None:
    """Only the file that is probed is known, by where it was hit; other callers stay numbers."""
    with counted(targets / "callers", "leaf", "framed") as probe:
        process = start("callers")
        truth = process.work()
        process.end()
        sample = probe.read()
    whole(sample)
    found = {frame for stack in sample.stacks for frame in stack.frames}
    assert {frame.module for frame in found} == {"callers", ""}
    assert all(frame.name.startswith("0x") for frame in found if not frame.module)
    known = ways(sample, "callers")
    assert known[("leaf", "back", "main"), False] == truth["library"]
    for way, calls in of_callers(truth, "").items():
        if not {"through", ""} & set(way[0]):
            assert known[way] == calls or way[0] == ("leaf", "main"), way


def test_nothing_is_left(start: Start) -> None:
    process = start("callers")
    before, links_before = program_ids(os.getpid()), link_ids(os.getpid())
    files = len(os.listdir("/proc/self/fd"))
    with counted(process.pid, "leaf") as probe:
        process.work()
        assert probe.read().stacks
        programs, links = program_ids(os.getpid()) - before, link_ids(os.getpid()) - links_before
        assert programs
        assert links
    wait_until(lambda: gone(programs, links), "programs and links gone")
    assert len(os.listdir("/proc/self/fd")) == files


def test_what_is_jumped_to_has_no_callers(start: Start) -> None:
    process = start("stacks")
    target = resolve(process.pid)
    with StacksProbe(target) as probe:
        attached = probe.add(pick(target, "split*"))
        assert [skipped.reason for skipped in attached.skipped] == [
            "it is a part of another function, which is jumped to"
        ]
        truth = process.work()
        assert truth["wrong"] == 0
        sample = probe.read()
    assert sample.calls == truth["split"]


@pytest.mark.skipif(not shutil.which("bpftrace"), reason="bpftrace is not installed")
@pytest.mark.skipif(
    tuple(map(int, os.uname().release.split(".")[:2])) < (6, 11), reason="its stacks lack the direct caller before 6.11"
)
def test_bpftrace_sees_the_same_callers(targets: Path) -> None:
    path = targets / "callers"
    script = f"uprobe:{path}:framed {{ @[ustack] = count(); }} interval:ms:100 {{ print(@); clear(@); }}"
    bpftrace = ["bpftrace", "-c", str(path), "-e", script]
    with (
        counted(path, "framed") as probe,
        subprocess.Popen(bpftrace, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running,
    ):
        assert running.stdin
        assert running.stdout
        running.stdin.write("go\n")
        running.stdin.flush()
        lines = [line.strip() for line in iter(running.stdout.readline, "]: 269\n")]
        running.send_signal(signal.SIGINT)
        ours = ways(probe.read(), "callers")
        running.communicate(timeout=SECONDS)
    theirs = tuple(line.partition("+")[0] for line in lines[lines.index("@[") + 1 :])
    assert ours == {(theirs[:3], False): 269}


def test_the_command(start: Start) -> None:
    process = start("callers")
    with Command(process.pid, "leaf", "framed", name="stacks") as command:
        truth = process.work()
        process.end()
        summary = command.finish()
    assert (summary["attached"], summary["lost"]) == (2, 0)
    assert summary["calls"] == sum(row["count"] for row in summary["stacks"])
    assert [row["count"] for row in summary["stacks"]] == sorted(
        (row["count"] for row in summary["stacks"]), reverse=True
    )
    both = next(row for row in summary["stacks"] if row["frames"][-2:] == ["both", "leaf"])
    assert both["count"] == truth["both"]
    assert both["modules"][-3:] == ["callers"] * 3
    assert [row["count"] for row in summary["stacks"] if row.get("cut")] == [truth["deep"] + truth["overfull"]]


def test_the_command_writes_what_it_was_asked_for(start: Start, tmp_path: Path) -> None:
    for option, begins in (("--svg", "<svg"), ("--speedscope", '{"$schema"')):
        process = start("callers")
        file = tmp_path / "out"
        with running_command(process, "leaf", option, file) as command:
            process.work()
            process.end()
            _, err = command.communicate(timeout=SECONDS)
        assert command.returncode == 0, err
        assert file.read_text().startswith(begins)
        assert os.listdir(tmp_path) == ["out"]


def test_the_command_prints_folded_stacks_only(start: Start) -> None:
    process = start("callers")
    with running_command(process, "leaf", "--folded", "-i", "0.05") as command:
        truth = process.work()
        process.end()
        out, err = command.communicate(timeout=SECONDS)
    assert "the target exited 0" in err or "the target ended" in err
    lines = dict(line.rsplit(" ", 1) for line in out.splitlines())
    assert sum(map(int, lines.values())) == calls_of_leaf(truth)
    assert [int(lines[line]) for line in lines if line.endswith(";main;direct;leaf")] == [truth["direct"]]
    assert [int(lines[line]) for line in lines if line.startswith("[cut];deep;")] == [truth["deep"] + truth["overfull"]]


@contextmanager
def running_command(process: Running, *words: str | Path) -> "Iterator[subprocess.Popen[str]]":
    """`bpfscope stacks`, attached."""
    command = [str(BPFSCOPE), "stacks", str(process.pid), *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr
        while "counting the callers of" not in (line := running.stderr.readline()):
            assert line
        try:
            yield running
        finally:
            running.kill()


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none/out.svg", "No such file"), (tmp_path, "not a regular file")):
        done = run("stacks", "4194304", "main", "--svg", path)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"cannot write {path}" in done.stderr
        assert why in done.stderr
