"""A program before its jumps are numbers: instructions, labels, and jumps to labels. What both assemblers produce."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import MAX_INSTRUCTIONS, Instruction, Program
from tui.errors import UsageError

_FARTHEST: Final = 255  # a condition's jumps have 8 bits


class Place(NamedTuple):
    """Where something stands in a text, from 1; 0 where there is no text."""

    line: int = 0
    column: int = 0


NOWHERE: Final = Place()


class AssemblyError(UsageError):
    """What was given can't be assembled: `reason`, and the line and column where there is a text, else 0."""

    def __init__(self, reason: str, place: Place = NOWHERE) -> None:
        super().__init__(f"line {place.line}, column {place.column}: {reason}" if place.line else reason)
        self.reason = reason
        self.line, self.column = place


class Label(NamedTuple):
    """A name: on its own for the instruction that follows, in a jump for where it goes."""

    name: str
    place: Place = NOWHERE


class Jump(NamedTuple):
    """A jump to labels; without one it goes on to the next instruction. `ja` has only `yes`."""

    code: int
    k: int
    yes: Label | None
    no: Label | None


Item = Instruction | Label | Jump


def resolve(items: Sequence[Item]) -> Program:
    """The program, with the distance to each label. Raises AssemblyError."""
    targets = _targets(items)
    program: list[Instruction] = []
    for item in items:
        if isinstance(item, Instruction):
            program.append(item)
        elif isinstance(item, Jump):
            program.append(_resolved(item, len(program), targets))
    if not 1 <= len(program) <= MAX_INSTRUCTIONS:
        raise AssemblyError(f"a program has 1 to {MAX_INSTRUCTIONS:,} instructions, not {len(program):,}")
    return tuple(program)


def _targets(items: Sequence[Item]) -> dict[str, int]:
    """Which instruction each label stands before."""
    targets: dict[str, int] = {}
    index = 0
    for item in items:
        if not isinstance(item, Label):
            index += 1
        elif item.name in targets:
            raise AssemblyError(f"the label {item.name} is there twice", item.place)
        else:
            targets[item.name] = index
    for item in items:
        if isinstance(item, Label) and targets[item.name] == index:
            raise AssemblyError(f"no instruction follows the label {item.name}", item.place)
    return targets


def _resolved(jump: Jump, index: int, targets: dict[str, int]) -> Instruction:
    if jump.code & 0xF0 == ops.JA:
        return Instruction(jump.code, k=_distance(jump.yes, index, targets) & 0xFFFFFFFF)
    return Instruction(jump.code, _short(jump.yes, index, targets), _short(jump.no, index, targets), jump.k)


def _short(label: Label | None, index: int, targets: dict[str, int]) -> int:
    distance = _distance(label, index, targets)
    if label is not None and not 0 <= distance <= _FARTHEST:
        far = f"is {distance:,} instructions on: a condition reaches {_FARTHEST}, then use `ja`"
        reason = far if distance > 0 else "is behind: conditions only go on"
        raise AssemblyError(f"the label {label.name} {reason}", label.place)
    return distance


def _distance(label: Label | None, index: int, targets: dict[str, int]) -> int:
    if label is None:
        return 0
    if label.name not in targets:
        raise AssemblyError(f"there is no label {label.name}", label.place)
    return targets[label.name] - index - 1
