"""CPU time without probes, against programs that know where theirs went."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import BPFSCOPE, gone, link_ids, pick, program_ids, resolve, run, run_as_nobody
from tests.targets.running import SECONDS, Running
from tui.bpf.sampling import HERTZ
from tui.collectors.samples import HotSample
from tui.collectors.sampling import Sampler
from tui.elf import functions, modules
from tui.elf.names import JIT
from tui.errors import TargetError

POINTS = 0.05  # that a share may be off
SAMPLES = 1_000


@contextmanager
def sampled(target: int | Path) -> Iterator[Sampler]:
    with Sampler(resolve(target)) as sampling:
        yield sampling


def whole(sample: HotSample) -> None:
    """Each tick is counted once."""
    counted = sum(sample.counts.values())
    assert sample.total == counted + sample.kernel + sample.elsewhere + sample.lost
    assert sum(sample.modules.values()) == counted
    assert sum(sample.starts.values()) <= counted
    assert sample.lost == 0


def shares(parts: Mapping[str, int]) -> dict[str, float]:
    return {name: number / sum(parts.values()) for name, number in parts.items()}


def split(sample: HotSample, module: str) -> dict[str, int]:
    """Ticks by what split.c calls them."""
    named = {name: ticks for (where, name), ticks in sample.counts.items() if where == module}
    return {"most": named["most"], "some": named["some"], "made": sample.counts[JIT, "made"], "kernel": sample.kernel}


def in_three_threads(start: Start) -> tuple[Running, dict[str, int], HotSample]:
    """Of split.c: the process, its truth, and what was seen."""
    process = start("split", 3, 3_700)
    with sampled(process.pid) as sampling:
        truth = process.work()
        at = truth.pop("made at")
        path = Path(f"/tmp/perf-{process.pid}.map")
        path.write_text(f"{at:x} 80 made\n{at + 0x1000:x} 80 made\n")  # compiled twice
        sample = sampling.read()
        path.unlink()
    whole(sample)
    assert sample.elsewhere == 0
    assert sample.starts[JIT, at] == sample.counts[JIT, "made"]
    assert (JIT, at + 0x1000) not in sample.starts
    return process, truth, sample


@pytest.mark.requires("speed")
def test_functions_have_their_shares(start: Start) -> None:
    _, truth, sample = in_three_threads(start)
    ours = split(sample, "split")
    assert ours.pop("kernel") > 0  # an emulated machine's interrupts take long, in whatever they interrupt
    del truth["kernel"]
    assert shares(ours) == pytest.approx(shares(truth), abs=POINTS)


@pytest.mark.requires("speed")
def test_a_known_split(start: Start) -> None:
    process, truth, sample = in_three_threads(start)
    assert sample.total >= SAMPLES
    assert sample.total / HERTZ == pytest.approx(sum(truth.values()) / 1e9, rel=POINTS)
    assert shares(split(sample, "split")) == pytest.approx(shares(truth), abs=POINTS)
    for function in pick(resolve(process.pid), "most", "some"):
        assert sample.starts["split", function.offset] == sample.counts["split", function.name]


@pytest.mark.requires("speed")
def test_go(start: Start) -> None:
    process = start("split-go", 11_000)
    with sampled(process.pid) as sampling:
        truth = process.work()
        sample = sampling.read()
    whole(sample)
    assert sample.total >= SAMPLES
    ours = {name: sample.counts["split-go", name] for name in truth}
    assert sum(ours.values()) > 0.9 * sample.total
    assert shares(ours) == pytest.approx(shares(truth), abs=POINTS)


def test_code_without_names_is_told_by_its_place(start: Start, targets: Path) -> None:
    process = start("split-stripped", 1, 1_000)
    with sampled(process.pid) as sampling:
        process.work()
        sample = sampling.read()
    whole(sample)
    assert sample.elsewhere > 0  # what was made, of which nothing says a name
    assert sample.note == (
        f"{100 * sample.elsewhere / sample.total:.1f} % in code made at run time that has no names: "
        f"its compiler must write them to /tmp/perf-{process.pid}.map"
    )
    assert all(name.startswith("split-stripped+0x") for module, name in sample.counts if module == "split-stripped")
    assert sample.modules["split-stripped"] > sample.total / 2
    unnamed = functions.read(modules.of_file(str(targets / "split-stripped")))
    ours = {each.name: sample.ticks(each) for each in unnamed}
    assert sum(ours.values()) > 0.99 * sample.modules["split-stripped"]
    assert sum(ticks > 0 for ticks in ours.values()) > 1


def test_readings_add_up(start: Start) -> None:
    process = start("split", 1, 1_500)
    with sampled(process.pid) as sampling:
        process.send("go")
        before = sampling.read()
        while (now := sampling.read()).total < 50:
            assert all(now.counts[key] >= ticks for key, ticks in before.counts.items())
            before = now
            time.sleep(0.05)
        process.truth()
        whole(sampling.read())


def test_a_process_that_sleeps_has_no_samples(start: Start) -> None:
    process, busy = start("split", 1, 100), start("split", 1, 700)
    with sampled(process.pid) as sampling:
        busy.work()
        sample = sampling.read()
        assert (sample.total, sample.counts, sample.ended) == (0, {}, "")


def test_the_end_of_the_target(start: Start) -> None:
    process = start("split", 2, 600)
    with sampled(process.pid) as sampling:
        process.work()
        assert process.end() == 0
        sample = sampling.read()
    whole(sample)
    assert sample.ended.startswith(("exited", "ended"))
    assert sample.counts["split", "most"] > 0  # named all the same
    with pytest.raises(TargetError):
        Sampler(resolve(process.pid))


def test_all_that_run_a_file(start: Start, targets: Path) -> None:
    first, second = start("split", 1, 400), start("split", 1, 400)
    with sampled(targets / "split") as sampling:
        first.work()
        alone = sampling.read().total
        second.work()
        both = sampling.read().total
    assert alone > 0.8 * 0.4 * HERTZ
    assert both > alone + 0.8 * 0.4 * HERTZ


def test_nothing_runs_the_file(targets: Path) -> None:
    with pytest.raises(TargetError, match="nothing runs split-stripped"):
        Sampler(resolve(targets / "split-stripped"))


def test_nothing_stays(start: Start) -> None:
    process = start("split")
    before = len(os.listdir("/proc/self/fd"))
    with sampled(process.pid):
        programs, links = program_ids(os.getpid()), link_ids(os.getpid())
        assert (len(programs), bool(links)) == (1, True)
    assert gone(programs, links)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_command_lists_what_is_hot_first(start: Start) -> None:
    process = start("split", 1, 60_000)
    process.send("go")
    done = run("symbols", process.pid, "most", "some", "main", "spin", "--json", "-d", "2")
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["function"] for row in rows[:2]] == ["most", "some"]
    percents = [row["cpu_percent"] for row in rows]
    assert len(rows) == 4
    assert 35 < percents[0] < 75
    assert percents == sorted(percents, reverse=True)
    assert "in the kernel" in done.stderr
    assert rows[0]["samples"] > rows[1]["samples"] > 10


def test_the_command_for_people(start: Start) -> None:
    process = start("split", 1, 60_000)
    process.send("go")
    lines = run("symbols", process.pid, "-d", "2").stdout.splitlines()
    assert lines[0].split() == ["CPU", "%", "ADDRESS", "SIZE", "ORIGIN", "FUNCTION"]
    assert lines[1].endswith(" most")
    assert 35 < float(lines[1].split()[0]) < 75
    assert lines[-1].startswith(" " * 7)


def test_the_command_where_nothing_runs(start: Start) -> None:
    process = start("split")
    done = run("symbols", process.pid, "most", "-d", "0.2", "--json")
    assert json.loads(done.stdout)["cpu_percent"] is None
    assert "nothing ran in 0.2 s" in done.stderr


def test_the_command_ends_with_its_target(start: Start) -> None:
    process = start("split", 1, 300)
    command = subprocess.Popen(
        [BPFSCOPE, "symbols", str(process.pid), "most", "-d", "600", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert command.stderr
    assert command.stderr.readline().startswith("sampling CPU time for 600 s")
    process.work()
    process.end()
    out, err = command.communicate(timeout=SECONDS)
    assert command.returncode == 0
    assert json.loads(out)["cpu_percent"] > 0
    assert "the target exited 0" in err


def test_sites_are_not_sampled(start: Start) -> None:
    done = run("symbols", start("split").pid, "-d", "1", "--sites")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_user_without_rights_is_told_which(start: Start) -> None:
    with subprocess.Popen(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", "input()"],
        stdin=subprocess.PIPE,
    ) as theirs:  # a process of the same user: everything but sampling is allowed
        try:
            done = run_as_nobody(BPFSCOPE, "symbols", theirs.pid, "-d", "1")
        finally:
            theirs.kill()
    assert done.returncode == 3
    assert "CAP_PERFMON" in done.stderr


def test_inside_a_container(targets: Path) -> None:
    inside = f"(echo go; sleep 60) | {targets}/split 1 60000 & {BPFSCOPE} symbols $! most -d 2 --json"
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", inside]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert 35 < json.loads(done.stdout.splitlines()[-1])["cpu_percent"] < 75


@pytest.mark.requires("speed")
def test_threads_that_live_for_less_than_two_ticks(start: Start) -> None:
    process = start("split", 64, 19)
    with sampled(process.pid) as sampling:
        truth = process.work()
        sample = sampling.read()
    del truth["made at"]
    assert sample.total / HERTZ == pytest.approx(sum(truth.values()) / 1e9, rel=0.2)
