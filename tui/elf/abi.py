"""Where the parameters and results of a call lie, by calling convention. Pure: declarations to signatures.

- C, C++: on x86-64 System V psABI for AMD64, section 3.2.3; on arm64 abi_arm64.py; what C++ passes by address: Itanium
  C++ ABI, section 3.1
- Go: cmd/compile/abi-internal.md, from 1.17 on; before, and in assembly, everything is on the stack
- Rust's own convention isn't fixed; this is what rustc 1.95 does on x86-64

Parameters are read before the function makes its frame, and results at a RET: each time the stack pointer is as it was
at the entry. The return address is at [sp] on x86-64, and in a register on arm64.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from tui.elf import abi_arm64
from tui.elf.abi_places import (
    FAR,
    IN_VECTOR,
    WORD,
    Frame,
    Part,
    Place,
    Split,
    Spot,
    behind,
    behind_next,
    leaves,
    rounded,
)
from tui.elf.declarations import Declaration, Language, Piece, Shape, Type
from tui.elf.reader import AARCH64, X86_64
from tui.elf.values import Fetch, Kind, Signature, Value

_C_REGISTERS: Final = ("di", "si", "dx", "cx", "r8", "r9")
_GO_REGISTERS: Final = ("ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11")
_RETURNED: Final = ("ax", "dx")
_MOST_SHOWN: Final = 4  # parts of a struct or array that are shown without being asked for
_MOST_FIELDS: Final = 256
_IN_X87: Final = "in a register of the floating-point unit, which BPF can't read"
_GONE: Final = "the compiler took it away, or keeps it elsewhere"
_TAKEN: Final = "the compiler made this variant, and may have taken its result away"


class _Convention(NamedTuple):
    """How a language passes values on one kind of machine."""

    place: Callable[[Type, Frame, Split], Place]  # of a parameter
    split: Split
    integers: tuple[str, ...]
    vectors: int  # registers of them
    above: int = WORD  # bytes from the stack pointer to the arguments there
    result: Callable[[Type, Split], Place] | None = None  # None: as if they were parameters
    takes_address: bool = False  # whether a first, hidden argument says where a large result goes

    def frame(self, stack: int = 0) -> Frame:
        """All that there is."""
        return Frame(self.integers, self.vectors, stack, self.above)


def is_known(language: Language, machine: str) -> bool:
    """Whether it is known how a language passes values on a machine."""
    return (machine, language) in _CONVENTIONS


def raw(machine: str, *, go: bool) -> tuple[tuple[str, ...], str]:
    """The registers that arguments come in, and the one of a result; none where the machine isn't known."""
    known = _CONVENTIONS.get((machine, Language.GO if go else Language.C))
    return (known.integers, _RESULT[machine]) if known else ((), "")


def signature(declaration: Declaration, machine: str = X86_64) -> Signature:
    """What can be read of a function's calls, and where; of a language and machine that go together (`is_known`)."""
    convention = _CONVENTIONS[machine, declaration.language]
    frame, split = convention.frame(), convention.split
    if convention.takes_address and any(_returned_in_memory(result.type, split) for result in declaration.results):
        frame.registers([Part(0, WORD)])
    places = [convention.place(parameter.type, frame, split) for parameter in declaration.parameters]
    parameters = [
        (each.name or f"arg{number}", each.type, _corrected(each.pieces, where, altered=declaration.altered))
        for number, (each, where) in enumerate(zip(declaration.parameters, places, strict=True))
    ]
    results = _results(declaration, convention, frame.stack)
    shown = [value for each in results for value in _shown(*each)]
    if declaration.altered:
        shown = [value._replace(kind=Kind.UNREADABLE, at=None, length=None, why=_TAKEN) for value in shown]
        results = []
    return Signature(
        tuple(value for each in parameters for value in _shown(*each)),
        tuple(shown),
        declaration.note,
        tuple(islice((value for each in parameters for value in _fields(*each)), _MOST_FIELDS)),
        tuple(islice((value for each in results for value in _fields(*each)), _MOST_FIELDS)),
    )


def _place_c(type_: Type, frame: Frame, split: Split) -> Place:
    """In registers as a whole, or on the stack as a whole."""
    if type_.by_address:
        return behind_next(frame)
    parts = split(type_)
    if parts is None:
        return Place([frame.memory(rounded(type_.size, WORD), max(type_.align, WORD))], FAR)
    if not parts:
        return Place([])
    return Place(frame.registers(parts) or [frame.memory(rounded(type_.size, WORD), max(type_.align, WORD))])


def _place_go(type_: Type, frame: Frame, split: Split) -> Place:
    """In registers as a whole, or on the stack as a whole, where nothing is aligned more than its type is."""
    spots = frame.registers(split(type_) or [])
    return Place(spots or [frame.memory(type_.size, type_.align)])


def _place_rust(type_: Type, frame: Frame, split: Split) -> Place:
    """Each part by itself in a register or on the stack; what has no parts, by address."""
    parts = split(type_)
    if parts is None:
        return behind_next(frame)
    return Place(
        [spot for part in parts for spot in frame.registers([part]) or [frame.memory(WORD, WORD, part.offset)]]
    )


def _corrected(pieces: tuple[Piece, ...], place: Place, *, altered: bool) -> Place:
    """Where debug information says that the pieces are, if the convention would have them elsewhere."""
    told = [Spot(each.offset, each.size, Fetch(each.register) if each.register else None) for each in pieces]
    if altered or any(place.at(each.offset) != each.at for each in told):
        return Place(told, IN_VECTOR if any(not each.register for each in pieces) else _GONE)
    return place


def _returned_in_memory(type_: Type, split: Split) -> bool:
    """Whether the caller gives the address where the result goes; the function returns that address."""
    return type_.by_address or (split(type_) is None and type_.shape is not Shape.X87)


def _result(type_: Type, split: Split) -> Place:
    if _returned_in_memory(type_, split):
        return behind(Fetch("ax"))
    parts = split(type_)
    return Place([], _IN_X87) if parts is None else Place(Frame(_RETURNED, 2).registers(parts))


def _results(declaration: Declaration, convention: _Convention, stack: int) -> list[tuple[str, Type, Place]]:
    """Their names, types and places.

    Go's are in the same registers as parameters, from the first on; those on the stack are after the parameters there.
    """
    if convention.result:
        return [
            (each.name or "return", each.type, convention.result(each.type, convention.split))
            for each in declaration.results
        ]
    frame, split = convention.frame(rounded(stack, WORD)), convention.split
    count = len(declaration.results)
    return [
        (
            each.name or ("return" if count == 1 else f"return{number}"),
            each.type,
            convention.place(each.type, frame, split),
        )
        for number, each in enumerate(declaration.results)
    ]


def _eightbytes(type_: Type) -> list[Part] | None:
    """System V's classes: of each 8 bytes, whether they are all floating-point; None: in memory."""
    if type_.shape is Shape.X87 or (type_.size > 2 * WORD and type_.shape is not Shape.FLOAT):
        return None
    if type_.shape is Shape.FLOAT:
        return [Part(0, type_.size, vector=True)]
    vectors: dict[int, bool] = {}
    for offset, leaf in leaves(type_):
        if leaf.shape is Shape.X87 or offset % (leaf.align or 1) or offset + leaf.size > type_.size:
            return None
        if leaf.shape is Shape.FLOAT and leaf.size == type_.size:
            return [Part(0, leaf.size, vector=True)]
        for word in range(offset // WORD, (offset + leaf.size - 1) // WORD + 1):
            vectors[word] = vectors.get(word, True) and leaf.shape is Shape.FLOAT
    return [Part(WORD * word, WORD, vectors[word]) for word in sorted(vectors)]


def _components(type_: Type) -> list[Part] | None:
    """Go's: each number by itself, but no array of several."""
    if type_.shape is Shape.ARRAY and len(type_.members) > 1:
        return None
    if type_.shape in (Shape.STRUCT, Shape.ARRAY):
        found: list[Part] = []
        for member in type_.members:
            parts = _components(member.type)
            if parts is None:
                return None
            found += [part._replace(offset=part.offset + member.offset) for part in parts]
        return found
    return [Part(0, type_.size, type_.shape is Shape.FLOAT)] if type_.size <= WORD else None


def _on_stack(_: Type) -> None:
    """Nothing in registers."""


def _scalars(type_: Type) -> list[Part] | None:
    """Rust's: one or two numbers by themselves, other types of up to 8 bytes as one word, larger ones by address."""
    found = sorted({(offset, leaf.size, leaf.shape is Shape.FLOAT) for offset, leaf in leaves(type_)})
    if len(found) > 2 or _has_array(type_):
        return [Part(0, type_.size)] if type_.size <= WORD else None
    return [
        Part(offset + at, min(size, WORD), vector)
        for offset, size, vector in found
        for at in range(0, 1 if vector else size, WORD)
    ]


def _has_array(type_: Type) -> bool:
    return type_.shape is Shape.ARRAY or any(_has_array(member.type) for member in type_.members)


_C: Final = _Convention(_place_c, _eightbytes, _C_REGISTERS, 8, WORD, _result, takes_address=True)
_C_ARM64: Final = _Convention(
    abi_arm64.place, abi_arm64.words, abi_arm64.C_REGISTERS, abi_arm64.VECTORS, 0, abi_arm64.result
)
_GO_STACK: Final = _Convention(_place_go, _on_stack, (), 0)
_CONVENTIONS: Final = {
    (X86_64, Language.C): _C,
    (X86_64, Language.CPP): _C,
    (X86_64, Language.RUST): _C._replace(place=_place_rust, split=_scalars),
    (X86_64, Language.GO): _Convention(_place_go, _components, _GO_REGISTERS, 15),
    (X86_64, Language.GO_STACK): _GO_STACK,
    (AARCH64, Language.C): _C_ARM64,
    (AARCH64, Language.CPP): _C_ARM64,
    (AARCH64, Language.GO): _Convention(_place_go, _components, abi_arm64.GO_REGISTERS, 16),
    (
        AARCH64,
        Language.GO_STACK,
    ): _GO_STACK,  # below the arguments the caller keeps its own return address
}
_RESULT: Final = {X86_64: "ax", AARCH64: "x0"}  # the register of a result


def _shown(name: str, type_: Type, place: Place) -> Iterator[Value]:
    """What is shown of a value without being asked for."""
    target = type_.target
    if _is_open(type_):
        parts = list(islice(_parts(name, type_, place), _MOST_SHOWN + 1))
        if 0 < len(parts) <= _MOST_SHOWN:
            yield from parts
        else:
            why = f"{type_.size:,} bytes: ask for a field, such as {parts[0].name}" if parts else "it has no fields"
            yield Value(name, type_.name, Kind.UNREADABLE, type_.size, why=why)
    elif target and type_.reference and target.kind in (Kind.STRING, Kind.SLICE):
        yield _value(name, target, behind(place.at(0), place.why))._replace(type=type_.name)
    else:
        yield _value(name, type_, place)
        if target and target.kind in (Kind.INT, Kind.UINT, Kind.BOOL, Kind.FLOAT, Kind.STRING, Kind.SLICE):
            yield _value(f"*{name}", target, behind(place.at(0), place.why))


def _fields(name: str, type_: Type, place: Place) -> Iterator[Value]:
    """What can be asked for besides: fields of a struct, and of what a pointer leads to."""
    if _is_open(type_):
        found = list(islice(_parts(name, type_, place), _MOST_FIELDS))
        yield from found if len(found) > _MOST_SHOWN else ()
    elif type_.target and _is_open(type_.target):
        yield from _parts(name, type_.target, behind(place.at(0), place.why), "." if type_.reference else "->")


def _parts(name: str, type_: Type, place: Place, link: str = ".", offset: int = 0) -> Iterator[Value]:
    """The members of a struct or array, and theirs: `s.x`, `p->a[0].y`."""
    for member in type_.members:
        path = f"{name}{'' if member.name.startswith('[') else link}{member.name}" if member.name else name
        if _is_open(member.type):
            yield from _parts(path, member.type, place, "." if member.name else link, offset + member.offset)
        else:
            yield _value(path, member.type, place, offset + member.offset)


def _is_open(type_: Type) -> bool:
    """Whether it is shown by its parts."""
    return type_.kind is Kind.UNREADABLE and bool(type_.members) and not type_.why


def _value(name: str, type_: Type, place: Place, offset: int = 0) -> Value:
    """One value, which lies at an offset of what has that place."""
    if type_.kind is Kind.UNREADABLE:
        return Value(name, type_.name, Kind.UNREADABLE, type_.size, why=type_.why)
    has_length = type_.kind in (Kind.STRING, Kind.SLICE)
    at = place.at(offset + (type_.text[0] if has_length else 0))
    length = place.at(offset + type_.text[1]) if has_length else None
    if at is None or (has_length and length is None):
        return Value(name, type_.name, Kind.UNREADABLE, type_.size, why=place.why)
    number = type_.kind in (Kind.INT, Kind.UINT, Kind.BOOL, Kind.FLOAT)
    return Value(name, type_.name, type_.kind, type_.size if number else WORD, at, length, names=type_.names)
