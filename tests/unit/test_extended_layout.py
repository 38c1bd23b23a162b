import random

import pytest

from tui.bpf.extended import instructions as ops
from tui.bpf.extended.assembler import Assembled, assemble, exit_, goto, jump, label, load_number, mov
from tui.bpf.extended.instructions import R0, Instruction, unpack
from tui.bpf.extended.items import AssemblyError, Item, Jump, Label

GOTO = ops.JMP | ops.JA


def by_slot(assembled: Assembled) -> dict[int, Instruction]:
    result, slot = {}, 0
    for instruction in unpack(assembled.code):
        result[slot] = instruction
        slot += instruction.slots
    return result


def landing(program: dict[int, Instruction], slot: int) -> int:
    """Where a jump at a slot ends up, over however many islands."""
    slot += 1 + program[slot].offset
    while program[slot].code == GOTO:
        slot += 1 + program[slot].offset
    return slot


def unreached(program: dict[int, Instruction]) -> set[int]:
    """Slots that nothing leads to: the kernel refuses such a program."""
    left, waiting = set(program), [0]
    while waiting:
        slot = waiting.pop()
        if slot not in left:
            continue
        left.discard(slot)
        instruction = program[slot]
        if instruction.code == ops.JMP | ops.EXIT:
            continue
        if instruction.code != GOTO:
            waiting.append(slot + instruction.slots)
        if instruction.code & 0x07 in {ops.JMP, ops.JMP32} and instruction.code & 0xF0 != ops.CALL:
            waiting.append(slot + 1 + instruction.offset)
    return left


def filled(number: int) -> list[Item]:
    return [mov(R0, index % 1000) for index in range(number)]


def assert_jumps_lead_where_they_should(code: list[Item]) -> None:
    assembled = assemble(code)
    program = by_slot(assembled)
    assert unreached(program) == set()
    for item, slot in zip(code, assembled.slots, strict=True):
        if isinstance(item, Jump):
            target = assembled.labels[item.target]
            if program[target].code == GOTO:
                target = landing(program, target)
            assert landing(program, slot) == target, item


@pytest.mark.parametrize("distance", [32_765, 32_766, 32_767, 32_768, 40_000, 200_000])
def test_far_jumps_forward_and_back(distance: int) -> None:
    code: list[Item] = [label("start"), jump("==", R0, 1, "end"), *filled(distance), jump("==", R0, 2, "start")]
    assert_jumps_lead_where_they_should([*code, label("end"), mov(R0, 0), exit_()])


def test_without_far_jumps_nothing_is_put_in() -> None:
    code: list[Item] = [jump("==", R0, 1, "end"), *filled(32_765), label("end"), exit_()]
    assert len(assemble(code).code) == 8 * (1 + 32_765 + 1)


def test_islands_are_not_put_where_code_never_runs_on() -> None:
    code: list[Item] = [jump("==", R0, 1, "end")]
    for index in range(30_000):
        code += [goto(f"{index}"), label(f"{index}"), load_number(R0, index)]
    assert_jumps_lead_where_they_should([*code, label("end"), exit_()])


@pytest.mark.parametrize("seed", range(5))
def test_many_far_jumps(seed: int) -> None:
    chosen = random.Random(seed)
    code: list[Item] = []
    for index in range(60_000):
        if index % 50 == 0:
            code.append(label(f"{index}"))
        if chosen.random() < 0.02:
            code.append(jump("==", R0, index, f"{50 * chosen.randrange(1200)}"))
        code.append(mov(R0, 1) if chosen.random() < 0.8 else load_number(R0, 1))
    code.append(exit_())
    assert_jumps_lead_where_they_should(code)


def test_slots_and_labels_are_those_of_the_finished_program() -> None:
    code: list[Item] = [jump("==", R0, 1, "end"), *filled(70_000), label("end"), mov(R0, 77), exit_()]
    assembled = assemble(code)
    program = by_slot(assembled)
    assert program[assembled.labels["end"]] == mov(R0, 77)
    assert all(
        program[slot] == item for item, slot in zip(code, assembled.slots, strict=True) if isinstance(item, Instruction)
    )
    assert [slot for item, slot in zip(code, assembled.slots, strict=True) if isinstance(item, Label)] == [
        assembled.labels["end"]
    ]


def test_jumps_with_numbers_are_not_moved_apart() -> None:
    numbered = Instruction(GOTO, offset=1)
    code: list[Item] = [numbered, mov(R0, 1), jump("==", R0, 1, "end"), *filled(40_000), label("end"), exit_()]
    with pytest.raises(AssemblyError, match="no labels"):
        assemble(code)
    assert unpack(assemble([numbered, mov(R0, 1), exit_()]).code)[0] == numbered


def test_too_many_labels_far_away() -> None:
    code: list[Item] = [jump("==", R0, index, f"{index}") for index in range(25_000)]
    code += filled(60_000)
    for index in range(25_000):
        code += [label(f"{index}"), mov(R0, index)]
    with pytest.raises(AssemblyError, match="too many far jumps"):
        assemble([*code, exit_()])
