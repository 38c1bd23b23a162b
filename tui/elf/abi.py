"""Where the parameters and results of a call lie, by calling convention (x86-64). Pure: declarations to signatures.

- C, C++: System V psABI for AMD64, section 3.2.3; what C++ passes by address: Itanium C++ ABI, section 3.1
- Go: cmd/compile/abi-internal.md, from 1.17 on; before, and in assembly, everything is on the stack
- Rust's own convention isn't fixed; this is what rustc 1.95 does

Parameters are read before the function's first push, and results at a RET: each time the return address is at [sp].
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from tui.elf.declarations import Declaration, Language, Parameter, Piece, Shape, Type
from tui.elf.values import Fetch, Kind, Signature, Value

C_REGISTERS: Final = ("di", "si", "dx", "cx", "r8", "r9")
GO_REGISTERS: Final = ("ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11")
_RETURNED: Final = ("ax", "dx")
_C_FLOATS: Final = 8  # vector registers
_GO_FLOATS: Final = 15
_WORD: Final = 8  # bytes
_FARTHEST: Final = 1 << 31  # bytes; more fits no instruction
_MOST_SHOWN: Final = 4  # parts of a struct or array that are shown without being asked for
_MOST_FIELDS: Final = 256
_IN_VECTOR: Final = "in a vector register, which BPF can't read"
_IN_X87: Final = "in a register of the floating-point unit, which BPF can't read"
_GONE: Final = "the compiler took it away, or keeps it elsewhere"
_FAR: Final = "too far up the stack"


class _Part(NamedTuple):
    """A part of a value that takes one register; numbers are bytes."""

    offset: int
    size: int
    vector: bool = False


class _Spot(NamedTuple):
    """Where a part of a value is; `at` is None where BPF can't read it."""

    offset: int
    size: int
    at: Fetch | None


class _Place(NamedTuple):
    """Where a value is, and what to say of the parts that can't be read."""

    spots: list[_Spot]
    why: str = _IN_VECTOR

    def at(self, offset: int) -> Fetch | None:
        """What reads the number at an offset in the value."""
        for spot in self.spots:
            within = offset - spot.offset
            if spot.at and 0 <= within < spot.size:
                return _shifted(spot.at, within)
        return None


class _Frame:
    """The registers that are left, and how many bytes of the stack, from above the return address on, are used."""

    def __init__(self, integers: tuple[str, ...], vectors: int, stack: int = 0) -> None:
        self._integers, self._vectors, self.stack = list(integers), vectors, stack

    def registers(self, parts: list[_Part]) -> list[_Spot]:
        """One for each part; none at all where there aren't enough."""
        vectors = sum(part.vector for part in parts)
        if vectors > self._vectors or len(parts) - vectors > len(self._integers):
            return []
        self._vectors -= vectors
        return [_Spot(part.offset, part.size, None if part.vector else Fetch(self._integers.pop(0))) for part in parts]

    def memory(self, size: int, align: int, offset: int = 0) -> _Spot:
        """The next bytes of the stack, for what is at an offset of a value."""
        start = _rounded(self.stack, align)
        self.stack = start + size
        return _Spot(offset, size, Fetch("sp", (_WORD + start,)) if start < _FARTHEST else None)


_Split = Callable[[Type], list[_Part] | None]

_TAKEN: Final = "the compiler made this variant, and may have taken its result away"


def signature(declaration: Declaration) -> Signature:
    """What can be read of a function's calls, and where."""
    place, split = _CONVENTIONS[declaration.language]
    go = declaration.language in (Language.GO, Language.GO_STACK)
    frame = _frame(declaration.language)
    if not go and any(_returned_in_memory(result.type, split) for result in declaration.results):
        frame.registers([_Part(0, _WORD)])
    places = [place(parameter.type, frame, split) for parameter in declaration.parameters]
    parameters = [
        (each.name or f"arg{number}", each.type, _corrected(each.pieces, where, altered=declaration.altered))
        for number, (each, where) in enumerate(zip(declaration.parameters, places, strict=True))
    ]
    results = _go_results(declaration, frame.stack) if go else [_result(each, split) for each in declaration.results]
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


def _frame(language: Language, stack: int = 0) -> _Frame:
    """All that a convention has."""
    if language in (Language.GO, Language.GO_STACK):
        return _Frame(GO_REGISTERS, _GO_FLOATS, stack) if language is Language.GO else _Frame((), 0, stack)
    return _Frame(C_REGISTERS, _C_FLOATS, stack)


def _place_c(type_: Type, frame: _Frame, split: _Split) -> _Place:
    """In registers as a whole, or on the stack as a whole."""
    if type_.by_address:
        return _behind_next(frame)
    parts = split(type_)
    if parts is None:
        return _Place([frame.memory(_rounded(type_.size, _WORD), max(type_.align, _WORD))], _FAR)
    if not parts:
        return _Place([])
    return _Place(frame.registers(parts) or [frame.memory(_rounded(type_.size, _WORD), max(type_.align, _WORD))])


def _place_go(type_: Type, frame: _Frame, split: _Split) -> _Place:
    """In registers as a whole, or on the stack as a whole, where nothing is aligned more than its type is."""
    spots = frame.registers(split(type_) or [])
    return _Place(spots or [frame.memory(type_.size, type_.align)])


def _place_rust(type_: Type, frame: _Frame, split: _Split) -> _Place:
    """Each part by itself in a register or on the stack; what has no parts, by address."""
    parts = split(type_)
    if parts is None:
        return _behind_next(frame)
    return _Place(
        [spot for part in parts for spot in frame.registers([part]) or [frame.memory(_WORD, _WORD, part.offset)]]
    )


def _behind_next(frame: _Frame) -> _Place:
    """At the address that is the next argument."""
    (spot,) = frame.registers([_Part(0, _WORD)]) or [frame.memory(_WORD, _WORD)]
    return _behind(spot.at)


def _behind(at: Fetch | None, why: str = _FAR) -> _Place:
    """What lies at the address that is there; or why that can't be read."""
    return _Place(
        [_Spot(0, _FARTHEST, Fetch(at.register, (*at.offsets, 0)))] if at else [], why if at is None else _FAR
    )


def _corrected(pieces: tuple[Piece, ...], place: _Place, *, altered: bool) -> _Place:
    """Where debug information says that the pieces are, if the convention would have them elsewhere."""
    told = [_Spot(each.offset, each.size, Fetch(each.register) if each.register else None) for each in pieces]
    if altered or any(place.at(each.offset) != each.at for each in told):
        return _Place(told, _IN_VECTOR if any(not each.register for each in pieces) else _GONE)
    return place


def _returned_in_memory(type_: Type, split: _Split) -> bool:
    """Whether the caller gives the address where the result goes; the function returns that address."""
    return type_.by_address or (split(type_) is None and type_.shape is not Shape.X87)


def _result(result: Parameter, split: _Split) -> tuple[str, Type, _Place]:
    name, type_ = result.name or "return", result.type
    if _returned_in_memory(type_, split):
        return name, type_, _behind(Fetch("ax"))
    parts = split(type_)
    return name, type_, _Place([], _IN_X87) if parts is None else _Place(_Frame(_RETURNED, 2).registers(parts))


def _go_results(declaration: Declaration, stack: int) -> list[tuple[str, Type, _Place]]:
    """In the same registers as parameters, from the first on; those on the stack are after the parameters there."""
    frame = _frame(declaration.language, _rounded(stack, _WORD))
    place, split = _CONVENTIONS[declaration.language]
    count = len(declaration.results)
    return [
        (each.name or ("return" if count == 1 else f"return{number}"), each.type, place(each.type, frame, split))
        for number, each in enumerate(declaration.results)
    ]


def _eightbytes(type_: Type) -> list[_Part] | None:
    """System V's classes: of each 8 bytes, whether they are all floating-point; None: in memory."""
    if type_.shape is Shape.X87 or (type_.size > 2 * _WORD and type_.shape is not Shape.FLOAT):
        return None
    if type_.shape is Shape.FLOAT:
        return [_Part(0, type_.size, vector=True)]
    vectors: dict[int, bool] = {}
    for offset, leaf in _leaves(type_):
        if leaf.shape is Shape.X87 or offset % (leaf.align or 1) or offset + leaf.size > type_.size:
            return None
        if leaf.shape is Shape.FLOAT and leaf.size == type_.size:
            return [_Part(0, leaf.size, vector=True)]
        for word in range(offset // _WORD, (offset + leaf.size - 1) // _WORD + 1):
            vectors[word] = vectors.get(word, True) and leaf.shape is Shape.FLOAT
    return [_Part(_WORD * word, _WORD, vectors[word]) for word in sorted(vectors)]


def _components(type_: Type) -> list[_Part] | None:
    """Go's: each number by itself, but no array of several."""
    if type_.shape is Shape.ARRAY and len(type_.members) > 1:
        return None
    if type_.shape in (Shape.STRUCT, Shape.ARRAY):
        found: list[_Part] = []
        for member in type_.members:
            parts = _components(member.type)
            if parts is None:
                return None
            found += [part._replace(offset=part.offset + member.offset) for part in parts]
        return found
    return [_Part(0, type_.size, type_.shape is Shape.FLOAT)] if type_.size <= _WORD else None


def _on_stack(_: Type) -> None:
    """Nothing in registers."""


def _scalars(type_: Type) -> list[_Part] | None:
    """Rust's: one or two numbers by themselves, other types of up to 8 bytes as one word, larger ones by address."""
    leaves = sorted({(offset, leaf.size, leaf.shape is Shape.FLOAT) for offset, leaf in _leaves(type_)})
    if len(leaves) > 2 or _has_array(type_):
        return [_Part(0, type_.size)] if type_.size <= _WORD else None
    return [
        _Part(offset + at, min(size, _WORD), vector)
        for offset, size, vector in leaves
        for at in range(0, 1 if vector else size, _WORD)
    ]


def _leaves(type_: Type, offset: int = 0) -> Iterator[tuple[int, Type]]:
    """The numbers and addresses that a type is made of, with their offsets."""
    if type_.shape not in (Shape.STRUCT, Shape.ARRAY):
        yield offset, type_
    for member in type_.members:
        yield from _leaves(member.type, offset + member.offset)


def _has_array(type_: Type) -> bool:
    return type_.shape is Shape.ARRAY or any(_has_array(member.type) for member in type_.members)


_CONVENTIONS: Final[dict[Language, tuple[Callable[[Type, _Frame, _Split], _Place], _Split]]] = {
    Language.C: (_place_c, _eightbytes),
    Language.CPP: (_place_c, _eightbytes),
    Language.RUST: (_place_rust, _scalars),
    Language.GO: (_place_go, _components),
    Language.GO_STACK: (_place_go, _on_stack),
}


def _shown(name: str, type_: Type, place: _Place) -> Iterator[Value]:
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
        yield _value(name, target, _behind(place.at(0), place.why))._replace(type=type_.name)
    else:
        yield _value(name, type_, place)
        if target and target.kind in (Kind.INT, Kind.UINT, Kind.BOOL, Kind.FLOAT, Kind.STRING, Kind.SLICE):
            yield _value(f"*{name}", target, _behind(place.at(0), place.why))


def _fields(name: str, type_: Type, place: _Place) -> Iterator[Value]:
    """What can be asked for besides: fields of a struct, and of what a pointer leads to."""
    if _is_open(type_):
        found = list(islice(_parts(name, type_, place), _MOST_FIELDS))
        yield from found if len(found) > _MOST_SHOWN else ()
    elif type_.target and _is_open(type_.target):
        yield from _parts(name, type_.target, _behind(place.at(0), place.why), "." if type_.reference else "->")


def _parts(name: str, type_: Type, place: _Place, link: str = ".", offset: int = 0) -> Iterator[Value]:
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


def _value(name: str, type_: Type, place: _Place, offset: int = 0) -> Value:
    """One value, which lies at an offset of what has that place."""
    if type_.kind is Kind.UNREADABLE:
        return Value(name, type_.name, Kind.UNREADABLE, type_.size, why=type_.why)
    has_length = type_.kind in (Kind.STRING, Kind.SLICE)
    at = place.at(offset + (type_.text[0] if has_length else 0))
    length = place.at(offset + type_.text[1]) if has_length else None
    if at is None or (has_length and length is None):
        return Value(name, type_.name, Kind.UNREADABLE, type_.size, why=place.why)
    number = type_.kind in (Kind.INT, Kind.UINT, Kind.BOOL, Kind.FLOAT)
    return Value(name, type_.name, type_.kind, type_.size if number else _WORD, at, length, names=type_.names)


def _shifted(at: Fetch, by: int) -> Fetch | None:
    """What is some bytes farther on."""
    if not at.offsets:
        return Fetch(at.register, (), 8 * by)
    last = at.offsets[-1] + by
    return Fetch(at.register, (*at.offsets[:-1], last)) if last < _FARTHEST else None


def _rounded(number: int, to: int) -> int:
    """Up to a multiple."""
    return -(-number // max(to, 1)) * max(to, 1)
