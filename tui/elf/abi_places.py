"""Where the parts of values lie, and what is left of a convention's registers and stack; of no convention itself."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from tui.elf.declarations import Shape, Type
from tui.elf.values import Fetch

WORD: Final = 8  # bytes
FARTHEST: Final = 1 << 31  # bytes; more fits no instruction
IN_VECTOR: Final = "in a vector register, which BPF can't read"
FAR: Final = "too far up the stack"


class Part(NamedTuple):
    """A part of a value that takes one register; numbers are bytes."""

    offset: int
    size: int
    vector: bool = False


class Spot(NamedTuple):
    """Where a part of a value is; `at` is None where BPF can't read it."""

    offset: int
    size: int
    at: Fetch | None


class Place(NamedTuple):
    """Where a value is, and what to say of the parts that can't be read."""

    spots: list[Spot]
    why: str = IN_VECTOR

    def at(self, offset: int) -> Fetch | None:
        """What reads the number at an offset in the value."""
        for spot in self.spots:
            within = offset - spot.offset
            if spot.at and 0 <= within < spot.size:
                return shifted(spot.at, within)
        return None


class Frame:
    """The registers that are left, and how many bytes of the stack are used from where arguments begin on."""

    def __init__(self, integers: tuple[str, ...], vectors: int, stack: int = 0, above: int = WORD) -> None:
        """`above`: bytes from the stack pointer to the arguments, as a return address takes."""
        self._integers, self._vectors, self.stack = list(integers), vectors, stack
        self._number, self._above = len(integers), above

    def registers(self, parts: list[Part]) -> list[Spot]:
        """One for each part; none at all where there aren't enough."""
        vectors = sum(part.vector for part in parts)
        if vectors > self._vectors or len(parts) - vectors > len(self._integers):
            return []
        self._vectors -= vectors
        return [Spot(part.offset, part.size, None if part.vector else Fetch(self._integers.pop(0))) for part in parts]

    def pair(self) -> None:
        """Leaves a register out, if need be, so that the next one has an even number."""
        if (self._number - len(self._integers)) % 2:
            del self._integers[:1]

    def exhaust(self, *, vectors: bool) -> None:
        """What comes next finds no registers of that kind."""
        if vectors:
            self._vectors = 0
        else:
            self._integers.clear()

    def memory(self, size: int, align: int, offset: int = 0) -> Spot:
        """The next bytes of the stack, for what is at an offset of a value."""
        start = rounded(self.stack, align)
        self.stack = start + size
        return Spot(offset, size, Fetch("sp", (self._above + start,)) if start < FARTHEST else None)


Split = Callable[[Type], list[Part] | None]  # the parts that go into registers; None: nothing does


def behind_next(frame: Frame) -> Place:
    """At the address that is the next argument."""
    (spot,) = frame.registers([Part(0, WORD)]) or [frame.memory(WORD, WORD)]
    return behind(spot.at)


def behind(at: Fetch | None, why: str = FAR) -> Place:
    """What lies at the address that is there; or why that can't be read."""
    return Place([Spot(0, FARTHEST, Fetch(at.register, (*at.offsets, 0)))] if at else [], why if at is None else FAR)


def leaves(type_: Type, offset: int = 0) -> Iterator[tuple[int, Type]]:
    """The numbers and addresses that a type is made of, with their offsets."""
    if type_.shape not in (Shape.STRUCT, Shape.ARRAY):
        yield offset, type_
    for member in type_.members:
        yield from leaves(member.type, offset + member.offset)


def shifted(at: Fetch, by: int) -> Fetch | None:
    """What is some bytes farther on."""
    if not at.offsets:
        return Fetch(at.register, (), 8 * by)
    last = at.offsets[-1] + by
    return Fetch(at.register, (*at.offsets[:-1], last)) if last < FARTHEST else None


def rounded(number: int, to: int) -> int:
    """Up to a multiple."""
    return -(-number // max(to, 1)) * max(to, 1)
