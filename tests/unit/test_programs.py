"""Programs as plain data: history with gaps, bars, words, rows; types that nobody knows yet."""

import math
import os

import pytest

from tests.screens.fake_programs import FLOOR, program
from tui.bpf.btf.lines import FunctionInfo, LineInfo
from tui.bpf.extended.assembler import assemble, exit_, map_pointer, mov
from tui.bpf.extended.instructions import R0, R1, Instruction
from tui.bpf.inventory import kinds
from tui.bpf.inventory.attachment import Attachment
from tui.bpf.inventory.holders import Holder
from tui.bpf.inventory.machine_code import MachineCode, Part
from tui.bpf.inventory.sources import Sources
from tui.collectors import program_machine
from tui.collectors.program_history import GAP, STEPS, Figures, History
from tui.collectors.program_pages import listing
from tui.collectors.program_samples import ProgramsSample
from tui.collectors.program_words import held_by, is_cut, places, share
from tui.export import program_rows
from tui.screens.program_rows import Churn, graph
from tui.widgets.graph import bars


def figures(value: float, average: float | None = None) -> Figures:
    return Figures(value, GAP if average is None else average, value)


def test_a_type_from_tomorrow_is_shown_as_a_number() -> None:
    assert kinds.program_type(99) == "type 99"
    assert program_rows.program(program(1, "", kinds.program_type(99)))["type"] == "type 99"


def test_history_has_means_per_step_and_gaps_where_nobody_looked() -> None:
    history = History()
    history.add(3.0, {1: figures(10)})
    history.add(4.0, {1: figures(20)})
    history.add(6.0, {1: figures(5)})
    history.add(15.0, {1: figures(7), 2: figures(1)})
    values = history.last(1, 0, 20, 20)
    assert values[:2] + values[-1:] == [15, 5, 7]
    assert [math.isnan(value) for value in values] == [False, False, True, True, False]
    assert history.last(2, 0, 20, 20) == [1]


def test_the_most_is_that_of_a_reading_not_of_a_mean() -> None:
    history = History()
    for second, value in ((3.0, 10), (4.0, 40), (5.0, 10), (9.0, 7)):
        history.add(second, {1: figures(value)})
    assert history.last(1, 0, 20, 20)[0] == 20
    assert (history.most(1, 0), history.most(1, 0, 1), history.most(2, 0)) == (40, 7, None)


@pytest.mark.parametrize(
    ("cut", "whole", "is_it"),
    [
        ("syscalls__sys_e", "tracepoint__syscalls__sys_enter_write", True),
        ("tcp_v4_connect_", "tcp_v4_connect_entry", True),
        ("short", "short_not", False),
        ("syscalls__sys_e", "tracepoint__block__block_rq_issue", False),
    ],
)
def test_names_that_the_kernel_cuts(cut: str, whole: str, *, is_it: bool) -> None:
    assert is_cut(cut, whole) == is_it


def test_history_of_a_figure_that_is_sometimes_unknown() -> None:
    history = History()
    history.add(3.0, {1: figures(0)})
    history.add(4.0, {1: figures(1, 400)})
    history.add(5.0, {1: figures(0)})
    assert history.last(1, 1, 20, 20) == [400]


def test_history_is_bounded_and_forgets_what_ended() -> None:
    history = History()
    for second in range(0, 3 * STEPS * 2, 3):
        history.add(second, {1: figures(second), 2: figures(0)})
    assert len(history.last(1, 0, 10 * STEPS, 10 * STEPS)) == STEPS
    history.add(3 * STEPS * 2, {1: figures(1)})
    assert history.last(2, 0, 20, 20) == []


def test_graphs_have_blanks_for_gaps_and_a_line_for_nought() -> None:
    assert graph([1.0, GAP, 8.0], 5, 0.0) == "  ▂ █"
    assert bars([0.0, GAP, 4.0, 8.0], 4, 2) == ["   █", "▁ ██"]
    assert bars([], 3, 2) == ["   ", "   "]
    assert bars([GAP], 2, 1) == ["  "]


@pytest.mark.parametrize(
    ("percent", "shown"),
    [(0, "0"), (0.0004, "0"), (0.042, "0.042"), (3.333, "3.33"), (37.14, "37.1"), (250.0, "250.0")],
)
def test_shares_are_as_exact_as_they_are_small(percent: float, shown: str) -> None:
    assert share(percent) == shown


def test_who_came_and_went_in_the_last_minute() -> None:
    churn = Churn()
    churn.take(0.0, {1, 2})
    assert churn.said == ""
    churn.take(1.0, {2, 3, 4})
    churn.take(2.0, {2, 3, 4})
    churn.take(30.0, {2, 3, 4, 5})
    assert churn.said == "+3 −1 in 60 s"
    churn.take(61.0, {2, 3, 4, 5})
    assert churn.said == "+1 −0 in 60 s"
    churn.take(90.0, {2, 3, 4, 5})
    assert churn.said == ""


def test_who_keeps_a_program() -> None:
    holder = Holder(811, "bpftrace", 5)
    place = Attachment("tc-ingress", "eth0", 1)
    assert held_by(program(1, "x", holders=(holder,), units=("",), pins=("/a",), attached=(place,))) == "bpftrace 811"
    assert held_by(program(1, "x", pins=("/a", "/b"), attached=(place,))) == "pinned /a"
    assert held_by(program(1, "x", attached=(place,))) == "its attachment"
    assert held_by(program(1, "x")) == "nobody"
    assert held_by(program(1, "x", known=False)) == ""
    assert held_by(program(1, "x", type="xdp")) == "not seen from this network namespace"
    assert places((place, place, place)) == "tc-ingress eth0 and 2 more"
    probe = Attachment("uprobe", "/usr/bin/bash:readline", 1, file="/usr/bin/bash")
    assert (places((probe,)), places((probe,), short=True)) == ("uprobe /usr/bin/bash:readline", "uprobe bash:readline")


def test_figures_are_those_of_the_period_and_of_all() -> None:
    one = program(1, "x", seconds=2.0, period_runs=10_007, period_ns=4_000_000, runs=20_014, run_time_ns=6_004_200)
    assert (one.per_second, one.cpu_percent) == (5_003.5, 0.2)
    assert one.period_average == pytest.approx(399.72, abs=0.01)
    assert one.total_average == 300
    young = program(2, "y")
    assert (young.per_second, young.cpu_percent, young.period_average, young.total_average) == (None,) * 4
    sample = ProgramsSample(1.0, (one, young), FLOOR, 0, complete=True, history=History())
    assert (sample.per_second, sample.cpu_percent) == (5_003.5, 0.2)
    assert sample.watching_percent == pytest.approx(5_003.5 * 74 / 1e7)
    others = sample._replace(floor=FLOOR._replace(off=None))
    assert others.watching_percent is None


def test_rows_of_the_command_have_null_for_what_is_not_known() -> None:
    row = program_rows.program(program(1, "x", holders=(Holder(811, "bpftrace", 5),), units=("",), maps=(4,)))
    assert (row["period_avg_ns"], row["total_avg_ns"], row["events_per_s"], row["cpu_percent"]) == (None,) * 4
    assert (row["pids"], row["maps"], row["uncounted"]) == ([811], [4], None)


def test_the_listing_has_functions_and_source_lines_above_their_instructions() -> None:
    code = assemble([map_pointer(R1, "m"), mov(R0, 0), exit_()]).bytecode({"m": 12})
    sources = Sources(
        (
            LineInfo(0, "/src/a.c", 7, 1, "x = y;"),
            LineInfo(2, "/src/a.c", 7, 9, "x = y;"),
            LineInfo(3, "a.c", 9, 0, "z"),
        ),
        (FunctionInfo(0, "main"), FunctionInfo(2, "other")),
    )
    shown = [(line.text, line.place) for line in listing(code, {12: "counters"}, sources, jited=True)]
    assert shown == [
        ("main:", ""),
        ("x = y;", "a.c:7"),
        ("r1 = map[id:12 counters]", ""),
        ("other:", ""),
        ("r0 = 0", ""),
        ("z", "a.c:9"),
        ("exit", ""),
    ]


def test_calls_of_own_functions_are_named() -> None:
    call_local = Instruction(0x85, 0, 1, 2, 1)  # what the kernel gives back: the offset leads, the constant counts
    code = assemble([mov(R0, 0), mov(R0, 1), exit_()]).bytecode({})
    words = call_local_bytes(call_local) + code
    sources = Sources((), (FunctionInfo(0, "main"), FunctionInfo(3, "helper")))
    texts = [line.text for line in listing(words, {}, sources, jited=True) if not line.source]
    assert texts[0] == "call pc+2 helper"


def call_local_bytes(one: Instruction) -> bytes:
    return bytes([one.code, one.src << 4 | one.dst]) + one.offset.to_bytes(2, "little") + one.imm.to_bytes(4, "little")


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_any_bytes_give_a_listing(length: int) -> None:
    for value in (0, 0x18, 0x85, 0xFF):
        assert list(listing(bytes([value]) * length, {}, Sources(), jited=True)) or not length


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="machine code of x86-64")
def test_machine_code_has_functions_source_lines_and_leaps() -> None:
    first = Part(0x1000, bytes.fromhex("55 eb 01 90 e8 07000000 e9 f20f0000"))  # push, jmp +4, nop, call 1010, jmp 2000
    second = Part(0x1010, bytes.fromhex("90 c3"))
    sources = Sources(
        (LineInfo(0, "/src/a.c", 7, 1, "x = y;"), LineInfo(4, "a.c", 9, 1, "z")),
        (FunctionInfo(0, "main"), FunctionInfo(4, "other")),
    )
    shown = list(program_machine.listing(MachineCode((first, second), (0x1000, 0x1011)), sources))
    assert [(line.slot, line.text, line.place) for line in shown] == [
        (0, "main:", ""),
        (0, "x = y;", "a.c:7"),
        (0, "push rbp", ""),
        (1, "jmp +4", ""),
        (3, "nop", ""),
        (4, "call other", ""),
        (9, "jmp 0x2000", ""),
        (0, "other:", ""),
        (0, "nop", ""),
        (1, "z", "a.c:9"),
        (1, "ret", ""),
    ]
    assert list(program_machine.listing(MachineCode(), sources)) == []
