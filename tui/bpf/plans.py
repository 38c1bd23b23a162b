"""What programs/events.c is to read of a function's calls, and which calls it is to leave out. Plain data.

`pack` makes of a Plan what the map `plans` holds; a record has the values in the order of `shown`, as `cells` says.
"""

import os
import struct
from typing import Final, NamedTuple

# A register, offsets, a shift; a register that is added, the bits it is shifted left by, and a constant: `Fetch` of
# tui/elf/values.py
Fetch = tuple[str, tuple[int, ...], int, str, int, int]

VALUES: Final = 8  # at the entry, and as many at the return
MOST_TEXTS: Final = 4  # of a call
MOST_CONDITIONS: Final = 4
TEXT_BYTES: Final = 63  # what is kept of a text
NO_TEXT: Final = (1 << 64) - 1  # as the length of a text: its address is 0
LESS, EQUAL, MORE, BITS = 1, 2, 4, 8  # how a value may relate to a condition's constant

HEADER: Final = struct.Struct("=4Q16s2I")  # struct record up to its cells
KEY: Final = struct.Struct("=2I")  # the end of it: function, unreadable; calls are counted by this and the cells
MOST_CELLS: Final = 48
_TEXT_CELLS: Final = 9  # its length, and the text with an end
_REGISTERS_OF: Final = {  # pt_regs up to the stack pointer: include/uapi/linux/ptrace.h
    "x86_64": (
        *("r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di"),
        *("orig_ax", "ip", "cs", "flags", "sp"),
    ),
    "aarch64": (*(f"x{number}" for number in range(31)), "sp"),
}
_ZERO: Final = "zero"  # what comes after the registers: always 0
_REGISTERS: Final = (*_REGISTERS_OF.get(os.uname().machine, ()), _ZERO)
_PLAN: Final = struct.Struct("=8IQ")
_FETCH: Final = struct.Struct("=4Q2H3Bx")
_VALUE: Final = struct.Struct("=4I")
_VALUE_BYTES: Final = 2 * _FETCH.size + _VALUE.size
_CONDITION: Final = struct.Struct("=4I2Q64s")
_NUMBER, _SIGNED, _C_TEXT, _COUNTED_TEXT = range(4)
_MASK: Final = (1 << 64) - 1
_SIGN: Final = 1 << 63


class Reading(NamedTuple):
    """One value: a number of `size` bytes, or a text, whose address is read."""

    at: Fetch
    size: int = 8
    signed: bool = False
    text: bool = False
    length: Fetch | None = None  # of a text; None: it ends with 0
    hidden: bool = False  # read for a condition only

    @property
    def cells(self) -> int:
        """How many 8-byte cells of a record it takes."""
        return _TEXT_CELLS if self.text else 1


class Condition(NamedTuple):
    """What a value must be; one that can't be read fulfils none."""

    value: int  # its index at the entry; of a result VALUES more
    accepts: int  # LESS, EQUAL, MORE added up; or BITS: it has a bit of the constant's
    constant: int
    signed: bool = False
    text: bytes | None = None  # instead of the constant: at most TEXT_BYTES, equal or not


class Plan(NamedTuple):
    """What is done with calls of a function."""

    entry: tuple[Reading, ...]  # at most VALUES; those that are hidden last
    results: tuple[Reading, ...] = ()  # the same
    conditions: tuple[Condition, ...] = ()  # all must hold
    slower_than: int = 0  # nanoseconds that a call takes at least
    returns: bool = False  # whether its returns are seen: results, durations

    @property
    def shown(self) -> tuple[Reading, ...]:
        """What its records have, in that order."""
        return tuple(reading for reading in (*self.entry, *self.results) if not reading.hidden)

    @property
    def cells(self) -> int:
        """How many of them these take."""
        return sum(reading.cells for reading in self.shown)

    @property
    def kept(self) -> int:
        """Bytes of a record that wait for the call's return."""
        return HEADER.size + 8 * sum(reading.cells for reading in self.entry if not reading.hidden)


def pack(plan: Plan) -> bytes:
    """The plan as the program reads it. Raises ValueError where it asks for more than the program can do."""
    if max(len(plan.entry), len(plan.results)) > VALUES or len(plan.conditions) > MOST_CONDITIONS:
        raise ValueError("more values or conditions than a plan has room for")
    if sum(reading.cells for reading in (*plan.entry, *plan.results)) > MOST_CELLS:
        raise ValueError("more texts than a record has room for")
    cells = _placed(plan)
    conditions = sorted(plan.conditions, key=lambda each: each.value >= VALUES)
    at_entry = sum(each.value < VALUES for each in conditions)
    size = HEADER.size + 8 * plan.cells
    head = (len(plan.entry), len(plan.results), at_entry, len(conditions), plan.returns, plan.kept, size, 0)
    values = [
        [_value(each, cells[first + index]) for index, each in enumerate(readings)] for readings, first in _parts(plan)
    ]
    return b"".join(
        (
            _PLAN.pack(*head, plan.slower_than),
            *(b"".join(part).ljust(VALUES * _VALUE_BYTES, b"\0") for part in values),
            *(_condition(each, cells[each.value]) for each in conditions),
            bytes(_CONDITION.size * (MOST_CONDITIONS - len(conditions))),
        )
    )


def _parts(plan: Plan) -> tuple[tuple[tuple[Reading, ...], int], ...]:
    """What is read at the entry and at the return, each with the index of its first value."""
    return (plan.entry, 0), (plan.results, VALUES)


def _placed(plan: Plan) -> dict[int, int]:
    """The first cell of each value, by its index: those that are shown come first."""
    cells, end = {}, 0
    for hidden in (False, True):
        for readings, first in _parts(plan):
            for index, reading in enumerate(readings):
                if reading.hidden is hidden:
                    cells[first + index] = end
                    end += reading.cells
    return cells


def _value(reading: Reading, cell: int) -> bytes:
    number = _SIGNED if reading.signed else _NUMBER
    kind = (_COUNTED_TEXT if reading.length else _C_TEXT) if reading.text else number
    shift = 64 - 8 * reading.size
    return _fetch(reading.at) + _fetch(reading.length or reading.at) + _VALUE.pack(kind, reading.size, shift, cell)


def _fetch(fetch: Fetch) -> bytes:
    register, offsets, shift, index, scale, constant = fetch
    padded = [*(offset & _MASK for offset in offsets or (constant,)), 0, 0, 0][:4]
    registers = _REGISTERS.index(register), len(offsets), shift, _REGISTERS.index(index or _ZERO)
    return _FETCH.pack(*padded, *registers, scale)


def _condition(condition: Condition, cell: int) -> bytes:
    text = condition.text or b""
    bias = _SIGN if condition.signed and not condition.accepts & BITS else 0
    constant = len(text) if condition.text is not None else (condition.constant & _MASK) ^ bias
    return _CONDITION.pack(condition.value, cell, condition.accepts, condition.text is not None, constant, bias, text)
