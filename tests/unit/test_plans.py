import struct

import pytest

from tui.bpf import compiler, plans
from tui.bpf.plans import BITS, EQUAL, HEADER, LESS, MOST_CELLS, VALUES, Condition, Plan, Reading
from tui.elf.values import MOST_STEPS, MOST_VALUES, Fetch

NUMBER = Reading(Fetch("di"), 4, signed=True)
TEXT = Reading(Fetch("sp", (8, -16)), text=True)


def unpacked(plan: Plan) -> tuple[tuple[int, ...], list[tuple[int, ...]], list[tuple[object, ...]]]:
    """The head, the values (at, length, kind, size, shift, cell) and the conditions."""
    packed = plans.pack(plan)
    head = struct.unpack_from("=8IQ", packed)
    values = list(struct.iter_unpack("=4Q2H3Bx4Q2H3Bx4I", packed[40 : 40 + 16 * 96]))
    return head, values, list(struct.iter_unpack("=4I2Q64s", packed[40 + 16 * 96 :]))


def test_a_plan_is_as_long_as_the_program_says() -> None:
    entries = {each.name: each.value_size for each in compiler.shipped("events").maps}
    assert len(plans.pack(Plan(()))) == entries["plans"]
    assert HEADER.size + 8 * (MOST_CELLS + 1) == entries["frames"]
    assert (plans.VALUES, plans._FETCH.size) == (MOST_VALUES, 8 * MOST_STEPS + 8)


def test_values_and_their_cells() -> None:
    hidden = NUMBER._replace(hidden=True)
    plan = Plan((NUMBER, TEXT, hidden), (TEXT._replace(length=Fetch("cx")), NUMBER, hidden), returns=True)
    head, values, _ = unpacked(plan)
    kept, size = HEADER.size + 8 * 10, HEADER.size + 8 * 20
    assert head == (3, 3, 0, 0, 1, kept, size, 0, 0)
    assert (plan.kept, plan.cells) == (kept, 20)
    assert [value[-1] for value in values[:3]] == [0, 1, 20]
    assert [value[-1] for value in values[VALUES : VALUES + 3]] == [10, 19, 21]
    assert values[0][:7] == (0, 0, 0, 0, 14, 0, 0)
    assert values[0][-4:] == (1, 4, 32, 0)
    assert values[1][:7] == (8, 2**64 - 16, 0, 0, 19, 2, 0)
    assert values[1][-4:-1] == (2, 8, 0)
    assert values[VALUES][9:16] == (0, 0, 0, 0, 11, 0, 0)
    assert values[VALUES][-4] == 3


def test_conditions_at_the_entry_come_first() -> None:
    found = (
        Condition(VALUES, EQUAL, -1, signed=True),
        Condition(0, LESS, -1, signed=True),
        Condition(1, EQUAL, 0, text=b"GET"),
        Condition(0, BITS, -1, signed=True),
    )
    head, _, conditions = unpacked(Plan((NUMBER, TEXT), (NUMBER,), found, slower_than=5, returns=True))
    assert (head[2], head[3], head[8]) == (3, 4, 5)
    less, text, bits, equal = conditions
    assert less == (0, 0, LESS, 0, 2**63 - 1, 2**63, bytes(64))
    assert text == (1, 1, EQUAL, 1, 3, 0, b"GET".ljust(64, b"\0"))
    assert bits == (0, 0, BITS, 0, 2**64 - 1, 0, bytes(64))
    assert equal[:3] == (VALUES, 10, EQUAL)


@pytest.mark.parametrize(
    "plan",
    [
        Plan((NUMBER,) * 9),
        Plan((), (NUMBER,) * 9),
        Plan((TEXT,) * 3, (TEXT,) * 3),
        Plan((NUMBER,), (), (Condition(0, 1, 1),) * 5),
    ],
)
def test_more_than_there_is_room_for(plan: Plan) -> None:
    with pytest.raises(ValueError, match="room for"):
        plans.pack(plan)


def test_the_fullest_plan_has_room() -> None:
    plan = Plan((TEXT,) * 4 + (NUMBER,) * 4, (NUMBER,) * 8)
    plans.pack(plan)
    assert plan.cells == MOST_CELLS
