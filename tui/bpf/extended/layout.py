"""Where each item of a program lies, and how far its jumps go.

A jump has 16 bits for its distance. The kernel's own way out, `gotol`, came with 6.6; here jumps that go farther lead
over islands instead: unconditional jumps in between, which whatever runs past them jumps over.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tui.bpf.extended import instructions as ops
from tui.bpf.extended.instructions import Instruction
from tui.bpf.extended.items import AssemblyError, Item, Jump, Label, instruction_of, slots

_FARTHEST: Final = 0x7FFF
_STEP: Final = 8_000  # slots between islands
_REACH: Final = 24_000  # slots that a jump bridges before islands are put in; they may take the rest
_GOTO: Final = ops.JMP | ops.JA


class Placed(NamedTuple):
    """A program whose jumps all reach, and where the items are that it was made from."""

    items: tuple[Item, ...]
    places: tuple[int, ...]  # the index in `items` of each original item


class _Route(NamedTuple):
    """Jumps to a label by way of an island."""

    island: int  # the index of the item that it precedes
    target: str

    @property
    def label(self) -> str:
        return f"{self.target} by {self.island}"


def positions(items: Iterable[Item]) -> list[int]:
    """The slot of each item; a label has that of what follows."""
    result, slot = [], 0
    for item in items:
        result.append(slot)
        slot += slots(item)
    return result


def labels(items: Sequence[Item], at: Sequence[int]) -> dict[str, int]:
    """The slot of each label. Raises AssemblyError for a second of the same name."""
    found: dict[str, int] = {}
    for item, slot in zip(items, at, strict=True):
        if isinstance(item, Label):
            if item.name in found:
                raise AssemblyError(f"two labels are named {item.name}; rename one")
            found[item.name] = slot
    return found


def resolved(items: Sequence[Item]) -> list[Instruction]:
    """The instructions, with the distances to their labels. Raises AssemblyError where one can't be."""
    at = positions(items)
    named = labels(items, at)
    return [
        _filled(item, slot, named) if isinstance(item, Jump) else instruction
        for item, slot in zip(items, at, strict=True)
        if (instruction := instruction_of(item))
    ]


def _filled(jump: Jump, slot: int, named: Mapping[str, int]) -> Instruction:
    if jump.target not in named:
        raise AssemblyError(f"there is no label {jump.target}, to which instruction {slot} goes")
    distance = named[jump.target] - slot - 1
    if not _is_short(jump.instruction):
        return jump.instruction._replace(imm=distance & 0xFFFFFFFF if jump.instruction.slots > 1 else distance)
    if not -_FARTHEST <= distance <= _FARTHEST:
        raise AssemblyError(f"the jump of instruction {slot} to {jump.target} is too far: there are too many far jumps")
    return jump.instruction._replace(offset=distance)


def _is_short(instruction: Instruction) -> bool:
    """Whether the distance has 16 bits; those of calls, addresses and gotol have 32."""
    if instruction.code & 0x07 not in {ops.JMP, ops.JMP32}:
        return False
    return instruction.code & 0xF0 != ops.CALL and instruction.code != ops.JMP32 | ops.JA


def placed(items: Sequence[Item]) -> Placed:
    """The program with islands where jumps are too far; else as it is.

    Raises AssemblyError where islands would move jumps that are written with numbers.
    """
    at = positions(items)
    named = labels(items, at)
    distances = {
        index: abs(named[item.target] - at[index])
        for index, item in enumerate(items)
        if isinstance(item, Jump) and _is_short(item.instruction) and item.target in named
    }
    if max(distances.values(), default=0) < _FARTHEST:
        return Placed(tuple(items), tuple(range(len(items))))
    if any(isinstance(item, Instruction) and _is_numbered(item) for item in items):
        raise AssemblyError("some jumps are too far, and others have no labels: give labels to all")
    return _with_islands(items, at, named, [index for index, distance in distances.items() if distance > _REACH])


def _is_numbered(instruction: Instruction) -> bool:
    return _is_short(instruction) and instruction.code & 0xF0 != ops.EXIT


def _with_islands(items: Sequence[Item], at: Sequence[int], named: Mapping[str, int], far: Sequence[int]) -> Placed:
    islands = _sites(items, at)
    routes: set[_Route] = set()
    first: dict[int, str] = {}  # the label that each far jump goes to instead
    for index in far:
        jump = items[index]
        assert isinstance(jump, Jump)  # noqa: S101 - `far` has no others
        via = _via(at[index], named[jump.target], islands, at)
        first[index] = _Route(via, jump.target).label
        while _Route(via, jump.target) not in routes:
            routes.add(_Route(via, jump.target))
            if abs(named[jump.target] - at[via]) > _REACH:
                via = _via(at[via], named[jump.target], islands, at)
    return _rewritten(items, routes, first, lambda via, target: _hop(via, target, islands, at, named))


def _sites(items: Sequence[Item], at: Sequence[int]) -> list[int]:
    """Where islands go: before these items. Not behind a label, so that what precedes tells whether it runs on."""
    result, following = [], _STEP
    for index in range(1, len(items)):
        if at[index] >= following and not isinstance(items[index - 1], Label):
            result.append(index)
            following = at[index] + _STEP
    return result


def _via(slot: int, target: int, islands: Sequence[int], at: Sequence[int]) -> int:
    """The farthest island on the way that is within reach."""
    low, high = (slot + 1, min(target, slot + _REACH)) if target > slot else (max(target, slot - _REACH), slot - 1)
    between = [island for island in islands if low <= at[island] <= high]
    return between[-1] if target > slot else between[0]


def _hop(via: int, target: str, islands: Sequence[int], at: Sequence[int], named: Mapping[str, int]) -> str:
    """Where an island's jump to a label goes."""
    if abs(named[target] - at[via]) <= _REACH:
        return target
    return _Route(_via(at[via], named[target], islands, at), target).label


def _rewritten(
    items: Sequence[Item], routes: Iterable[_Route], first: Mapping[int, str], hop: Callable[[int, str], str]
) -> Placed:
    by_island: dict[int, list[_Route]] = {}
    for route in sorted(routes):
        by_island.setdefault(route.island, []).append(route)
    result: list[Item] = []
    places = []
    for index, item in enumerate(items):
        if index in by_island:
            result += _island(index, by_island[index], hop, runs_on=_runs_on(items[index - 1]))
        places.append(len(result))
        result.append(item._replace(target=first[index]) if isinstance(item, Jump) and index in first else item)
    return Placed(tuple(result), tuple(places))


def _island(index: int, routes: Sequence[_Route], hop: Callable[[int, str], str], *, runs_on: bool) -> list[Item]:
    past = f"past {index}"
    jumps: list[Item] = [Jump(Instruction(_GOTO), past)] if runs_on else []
    for route in routes:
        jumps += [Label(route.label), Jump(Instruction(_GOTO), hop(index, route.target))]
    return [*jumps, Label(past)]


def _runs_on(item: Item) -> bool:
    """Whether what follows an item may run after it; the kernel refuses code that is never reached."""
    instruction = instruction_of(item)
    return instruction is None or instruction.code not in {_GOTO, ops.JMP32 | ops.JA, ops.JMP | ops.EXIT}
