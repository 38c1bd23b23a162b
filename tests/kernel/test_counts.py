"""The count equals the number of calls: in every kind of binary, through the library and through the command line."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, calls, counted, names, pick, resolve
from tui.bpf.features import Method
from tui.collectors.probe import CountingProbe
from tui.elf import functions, modules
from tui.elf.reader import ElfFile

PLAIN = {"alpha": 997, "beta": 7919, "countdown": 1009, "hidden": 101, "never": 0}
EXPORTED = {name: number for name, number in PLAIN.items() if name != "hidden"}  # static: not in .dynsym
FIBONACCI = {
    "main.fibonacciRecursive": 1973,
    "main.fibonacciCache": 109,
    "main.fibonacciLoop": 1511,
    "main.largeFrame": 103,
    "main.hugeFrame": 31,
}
PLUS = {
    "_ZN6shapes4areaEi": 211,
    "_ZN6shapes4areaEd": 223,
    "_ZN6shapes5twiceIiEET_S1_": 227,
    "_ZN6shapes5twiceIlEET_S1_": 229,
    "_ZN6shapes6SquareC1Ei": 233,
    "_ZNK6shapes6Square9perimeterEv": 239,
    "_ZN6shapes6Square7cornersEi": 241,
}
SYMBOLS = {"picked": 307, "original": 311, "sizeless": 313}
EXECUTABLES = {
    "plain-pie": PLAIN,
    "plain-fixed": PLAIN,
    "plain-static": PLAIN,
    "plain-static-pie": PLAIN,
    "plain-exported": EXPORTED,
    "plus": PLUS,
    "plain-split": PLAIN,
    "plain-mini": PLAIN,
    "fibonacci": FIBONACCI,
    "fibonacci-stripped": FIBONACCI,
    "fibonacci-external": FIBONACCI,
    "fibonacci-external-pie": FIBONACCI,
    "symbols": SYMBOLS,
}


@pytest.mark.parametrize("program", EXECUTABLES)
def test_library_counts_exactly(start: Start, program: str) -> None:
    process = start(program)
    target = resolve(process.pid)
    wanted = EXECUTABLES[program]
    with CountingProbe(target) as probe:
        attached = probe.add(pick(target, *wanted))
        assert attached.skipped == ()
        truth = process.work()
        assert {name: truth[name] for name in wanted} == wanted
        by_name = {alias: number for alias, number in _by_every_name(probe).items() if alias in wanted}
        assert by_name == wanted


def _by_every_name(probe: CountingProbe) -> dict[str, int]:
    sample = probe.read()
    return {
        name: number
        for function, number in zip(sample.functions, sample.calls, strict=True)
        for name in (function.name, function.raw_name, *function.aliases)
    }


@pytest.mark.parametrize("program", EXECUTABLES)
def test_command_counts_exactly(start: Start, program: str) -> None:
    process = start(program)
    wanted = EXECUTABLES[program]
    with Command(process.pid, *wanted) as command:
        assert command.attached == {"kind": "attached", "attached": len(wanted), "skipped": []}
        process.work()
        process.end_unreaped()
        summary = command.finish()
    assert sorted(counted(summary).values()) == sorted(wanted.values())
    assert summary["ended"] == "exited 0"
    assert summary["lost"] == 0


@pytest.mark.guest
def test_every_method_counts_exactly(start: Start, method: Method) -> None:
    process = start("plain-pie")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, *PLAIN))
        process.work()
        assert calls(probe) == PLAIN


@pytest.mark.guest
def test_go_functions_are_counted_exactly(start: Start) -> None:
    process = start("fibonacci")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, *FIBONACCI))
        assert process.work() == FIBONACCI
        assert calls(probe) == FIBONACCI


@pytest.mark.parametrize("program", ["plain-pie", "plain-static"])
def test_functions_without_names_are_counted_exactly(start: Start, targets: Path, tmp_path: Path, program: str) -> None:
    whole = {each.name: each.offset for each in functions.read(modules.of_file(str(targets / program)))}
    subprocess.run(["objcopy", "--strip-all", targets / program, tmp_path / "stripped"], check=True)
    process = start(tmp_path / "stripped")
    wanted = {f"stripped+0x{whole[name]:x}": number for name, number in PLAIN.items()}
    with Command(process.pid, *(name.partition("+")[2] for name in wanted)) as command:
        assert command.attached == {"kind": "attached", "attached": len(wanted), "skipped": []}
        process.work()
        assert counted(command.finish(signal.SIGTERM)) == wanted


def test_readable_names_are_counted(start: Start) -> None:
    process = start("plus")
    wanted = {"shapes::area(int)": 211, "shapes::area(double)": 223, "shapes::Square::perimeter() const": 239}
    with Command(process.pid, *wanted) as command:
        process.work()
        assert counted(command.finish(signal.SIGTERM)) == wanted


@pytest.mark.guest
def test_library_with_unequal_segments(start: Start, targets: Path, method: Method) -> None:
    with ElfFile.open(str(targets / "libunequal.so")) as elf:
        assert all(segment.offset != segment.address for segment in elf.executable)
        assert len({segment.address - segment.offset for segment in elf.executable}) > 1
    process = start("uses-library")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, "outer", "direct", "inner", module="libunequal.so"))
        assert calls(probe) == {"outer": 0, "direct": 0, "inner": 0}
        process.work()
        assert calls(probe) == {"outer": 1013, "direct": 499, "inner": 1013}


def test_same_name_in_two_modules(start: Start) -> None:
    process = start("uses-library")
    with Command(process.pid, "inner", "--module", "*u*s*") as command:
        process.work()
        summary = command.finish(signal.SIGTERM)
    rows = {(row["module"], row["calls"]) for row in summary["functions"]}
    assert rows == {("uses-library", 11), ("libunequal.so", 1013)}


def test_library_by_its_path_counts_every_process(start: Start, targets: Path) -> None:
    first, second = start("uses-library"), start("uses-library")
    with Command(targets / "libunequal.so", "outer") as command:
        first.work()
        third = start("uses-library")
        second.work()
        third.work()
        assert counted(command.finish(signal.SIGINT)) == {"outer": 3 * 1013}


def test_unsuitable_symbols(start: Start) -> None:
    process = start("symbols")
    target = resolve(process.pid)
    original, sizeless, indirect = pick(target, "also_called", "sizeless", "indirect")
    assert original.raw_name == "original"
    assert set(original.aliases) == {"also_called", "weakly_called"}
    assert sizeless.size == 0
    assert "indirect function" in indirect.unprobeable
    with CountingProbe(target) as probe:
        attached = probe.add([original, sizeless, indirect])
        assert names(attached.attached) == ["original", "sizeless"]
        ((function, reason),) = attached.skipped
        assert (function, reason) == (indirect, indirect.unprobeable)


def test_names_that_a_terminal_would_act_on(start: Start) -> None:
    process = start("odd-names")
    with Command(process.pid, "*␛*", "[*") as command:
        process.work()
        found = counted(command.finish(signal.SIGTERM))
    assert found == {
        "␛]0;title␇␛[31mred␛[0m": 11,
        "[bold red]loud[/bold red]": 13,
        "[/]": 17,
        "[@click=app.quit]here[/]": 19,
    }


def test_forked_children_are_not_counted(start: Start, method: Method) -> None:
    process = start("forks")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, "work"))
        process.work()
        assert calls(probe) == {"work": 997}


def test_file_counts_every_process(start: Start, targets: Path, method: Method) -> None:
    before = start("forks")
    target = resolve(targets / "forks")
    with CountingProbe(target) as probe:
        probe.add(pick(target, "work"))
        before.work()
        start("forks").work()
        assert calls(probe) == {"work": 2 * (997 + 1009)}


def test_replaced_and_deleted_executables_are_counted(start: Start, targets: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes((targets / "plain-pie").read_bytes())
    copy.chmod(0o755)
    replaced, deleted = start(copy), start(copy)
    new = tmp_path / "new"
    new.write_bytes((targets / "plus").read_bytes())
    new.replace(copy)
    with Command(replaced.pid, "alpha") as command:
        replaced.work()
        assert counted(command.finish(signal.SIGTERM)) == {"alpha": 997}
    copy.unlink()
    with Command(deleted.pid, "beta") as command:
        deleted.work()
        assert counted(command.finish(signal.SIGTERM)) == {"beta": 7919}
