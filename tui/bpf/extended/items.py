"""What an eBPF program in the making consists of: instructions, labels, and instructions that name a label or a map."""

from typing import NamedTuple

from tui.bpf.extended.instructions import Instruction
from tui.errors import UsageError


class AssemblyError(UsageError):
    """A program that can't be written as bytes: the text says where and why."""


class Label(NamedTuple):
    """A place in the program: the instruction that follows."""

    name: str


class Jump(NamedTuple):
    """An instruction that goes to, calls, or loads the address of what a label names."""

    instruction: Instruction
    target: str


class MapReference(NamedTuple):
    """A constant of 64 bits that stands for a map, or for an address in the value of one that has a single value."""

    instruction: Instruction
    map: str


Item = Instruction | Label | Jump | MapReference


def instruction_of(item: Item) -> Instruction | None:
    """What an item is in the program; a label is nothing."""
    if isinstance(item, Instruction):
        return item
    return None if isinstance(item, Label) else item.instruction


def slots(item: Item) -> int:
    """How many slots an item takes."""
    instruction = instruction_of(item)
    return instruction.slots if instruction else 0
