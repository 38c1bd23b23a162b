"""A thousand functions, thirty of which begin with an instruction that the kernel can't probe."""

from collections.abc import Sequence

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, calls, counted, pick, resolve
from tests.targets import thousand
from tui.bpf.features import Method
from tui.bpf.links import PERF_EVENT_LIMIT
from tui.collectors.probe import CountingProbe
from tui.collectors.target import Target
from tui.elf.names import Function
from tui.errors import BpfscopeError

pytestmark = pytest.mark.requires("x86-64")

REASONS = {
    "lock": "lock or segment prefix",
    ".byte": "lock or segment prefix",
    "vpxord": "AVX-512",
    "hlt": "privileged",
    "inb": "privileged",
    "outb": "privileged",
    "insb": "privileged",
    "cli": "privileged",
}


def _functions(target: Target) -> list[Function]:
    found = pick(target, "fn_*")
    assert len(found) == thousand.NUMBER
    return found


@pytest.mark.guest
@pytest.mark.requires("uprobe_multi")
def test_thousand_functions(start: Start) -> None:
    process = start("thousand")
    target = resolve(process.pid)
    odd = thousand.unprobeable()
    with CountingProbe(target) as probe:
        attached = probe.add(_functions(target))
        assert len(attached.attached) == 970
        reasons = {function.name: reason for function, reason in attached.skipped}
        assert reasons.keys() == odd.keys()
        assert all(REASONS[odd[name].split()[0]] in reason for name, reason in reasons.items())
        process.work()
        assert calls(probe) == thousand.calls()


@pytest.mark.requires("uprobe_multi")
def test_kernel_finds_what_decoding_misses(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.elf.sites_x86.refused", lambda _code: "")
    process = start("thousand")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        attached = probe.add(_functions(target))
        reasons = {function.name: reason for function, reason in attached.skipped}
        assert reasons == dict.fromkeys(thousand.unprobeable(), "the kernel can't probe the instruction here")
        process.work()
        assert calls(probe) == thousand.calls()


@pytest.mark.requires("uprobe_multi")
def test_command_names_each_skipped_one(start: Start) -> None:
    process = start("thousand")
    with Command(process.pid, "fn_*") as command:
        process.work()
        process.end()
        summary = command.finish()
    assert {row["function"] for row in summary["skipped"]} == thousand.unprobeable().keys()
    assert all(row["reason"] for row in summary["skipped"])
    assert counted(summary) == thousand.calls()


def test_nothing_probeable_at_all(start: Start) -> None:
    process = start("thousand")
    target = resolve(process.pid)
    odd = _named(_functions(target), list(thousand.unprobeable()))
    with (
        CountingProbe(target) as probe,
        pytest.raises(BpfscopeError, match=r"nothing can be probed: fn_000: .*29 more"),
    ):
        probe.add(odd)


def test_perf_events_find_what_decoding_misses(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.elf.sites_x86.refused", lambda _code: "")
    monkeypatch.setattr("tui.collectors.probe.attach_method", lambda: Method.PERF_EVENT)
    process = start("thousand")
    target = resolve(process.pid)
    wanted = ["fn_000", "fn_001", "fn_033", "fn_034", "fn_132"]
    with CountingProbe(target) as probe:
        attached = probe.add(_named(_functions(target), wanted))
        assert [function.name for function, _ in attached.skipped] == ["fn_000", "fn_033", "fn_132"]
        process.work()
        assert calls(probe) == {name: thousand.calls()[name] for name in ("fn_001", "fn_034")}


def test_perf_events_say_how_many_they_can_hold(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.collectors.probe.attach_method", lambda: Method.PERF_EVENT)
    monkeypatch.setattr("tui.bpf.links.PERF_EVENT_LIMIT", 5)
    process = start("thousand")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        attached = probe.add(_named(_functions(target), list(thousand.calls())[:8]))
        assert len(attached.attached) == 5
        assert all("at most 5 functions" in reason for _, reason in attached.skipped)
        process.work()
        assert sum(calls(probe).values()) == sum(list(thousand.calls().values())[:5])
    assert PERF_EVENT_LIMIT == 100


def _named(functions: Sequence[Function], wanted: Sequence[str]) -> list[Function]:
    by_name = {function.name: function for function in functions}
    return [by_name[name] for name in wanted]
