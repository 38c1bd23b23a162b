"""Shares of CPU time, as the functions' screen shows them."""

import pytest

from tests.screens.fakes import CACHE, FUNCTIONS, LOOP, MODULES, RECURSIVE, function
from tui.collectors.samples import HotSample
from tui.screens.hotness import ALL, CPU, KERNEL, Hotness, column, percent
from tui.screens.target import function_key
from tui.widgets.columns import Sort

TWIN = LOOP._replace(address=LOOP.address + 64, offset=LOOP.offset + 64)
MADE = function("made", 0x7000, module="[jit]", origin="perf map")
SAMPLE = HotSample(
    1000.0, 12.0, 1000, 90, 10, 0,
    {("fibonacci", RECURSIVE.name): 605, ("fibonacci", LOOP.name): 205, ("[jit]", "made"): 90},
    {("fibonacci", RECURSIVE.offset): 605, ("fibonacci", LOOP.offset): 200, ("fibonacci", TWIN.offset): 5,
     ("[jit]", MADE.offset): 90},
    {"fibonacci": 810, "[jit]": 90},
)  # fmt: skip
NOTHING = HotSample(1000.0, 1.0, 0, 0, 0, 0, {}, {}, {})


def hotness(*samples: HotSample) -> Hotness:
    found = Hotness()
    found.running = True
    for sample in samples:
        found.take(sample)
    return found


def words(found: Hotness) -> list[str]:
    return [str(phrase[0]) for phrase in found.phrases()]


def test_shares() -> None:
    found = hotness(SAMPLE)
    assert [found.of(one) for one in (RECURSIVE, LOOP, CACHE, MADE)] == [0.605, 0.2, 0, 0.09]
    assert [found.of_module(module) for module in MODULES] == [0.81, 0, 0]
    assert words(found) == ["sampling CPU", "1,000 samples", "9.0 % in the kernel", "1.0 % elsewhere"]


def test_what_has_no_names_is_said_with_the_remedy() -> None:
    said = "70.0 % in code made at run time that has no names: jcmd 7 Compiler.perfmap writes them down"
    assert words(hotness(SAMPLE._replace(note=said)))[-1] == said


def test_functions_of_one_name_have_their_own_shares() -> None:
    assert hotness(SAMPLE).of(TWIN) == 0.005
    assert hotness(SAMPLE).of(MADE._replace(address=0x8000, offset=0x8000)) == 0  # compiled twice, run once


def test_what_is_hot() -> None:
    assert hotness(SAMPLE).hot((RECURSIVE, LOOP, TWIN, CACHE)) == {function_key(RECURSIVE), function_key(LOOP)}


@pytest.mark.parametrize("descending", [True, False])
def test_the_order(descending: bool) -> None:
    rows = FUNCTIONS["fibonacci"]
    found = list(hotness(SAMPLE).arranged(rows, Sort(CPU, descending)))
    assert sorted(found) == sorted(rows)
    idle = [row for row in rows if row not in (RECURSIVE, LOOP)]
    assert found == ([RECURSIVE, LOOP, *idle] if descending else [*idle, LOOP, RECURSIVE])


def test_the_order_of_several_modules() -> None:
    found = hotness(SAMPLE)
    found.several = True
    malloc = FUNCTIONS["libc.so.6"][0]._replace(offset=RECURSIVE.offset)  # another module's, at the same place
    rows = [malloc, MADE, CACHE, LOOP, RECURSIVE]
    assert found.arranged(rows, Sort(CPU, True)) == [RECURSIVE, LOOP, MADE, malloc, CACHE]


def test_shares_of_all_modules_and_the_kernel() -> None:
    found = hotness(SAMPLE)
    assert [found.of_module(module) for module in (ALL, KERNEL)] == [0.9, 0.09]
    assert [hotness().of_module(module) for module in (ALL, KERNEL)] == [0, 0]


def test_another_order_is_left_alone() -> None:
    rows = FUNCTIONS["fibonacci"]
    assert hotness(SAMPLE).arranged(rows, Sort("size", True)) is rows
    assert Hotness().arranged(rows, Sort(CPU, True)) is rows


def test_before_anything_ran() -> None:
    found = hotness(NOTHING)
    assert words(found) == ["sampling CPU"]
    assert (found.of(LOOP), found.of_module(MODULES[0])) == (0, 0)
    found.take(NOTHING._replace(elapsed=3.0))
    assert words(found) == ["sampling CPU: nothing ran"]


def test_new_sampling_without_samples_leaves_the_old_ones() -> None:
    found = hotness(SAMPLE, NOTHING)
    assert found.of(RECURSIVE) == 0.605
    found.take(SAMPLE._replace(starts={}))
    assert found.of(RECURSIVE) == 0


def test_refused_and_ended() -> None:
    found = hotness(SAMPLE)
    found.running = False
    assert words(found)[0] == "1,000 samples"
    found.refused = True
    assert words(found) == ["no CPU sampling"]


def test_digits() -> None:
    assert [percent(share) for share in (1, 0.6149, 0.0005, 0.00049)] == ["100.0", "61.5", "0.1", "<0.1"]
    assert column(lambda row: row).cell(0.0, 7) == ""
