"""Types and functions from debug information, as a calling convention sees them. Runs in the child of `signatures.py`.

Types may lead back to themselves, in hostile files without end: what lies behind a pointer is followed once, and all
that one function needs is bounded.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE

from tui.elf.declarations import Language, Member, Shape, Type
from tui.elf.dwarf_names import Names, counts, number, parameters, target, text
from tui.elf.dwarf_outline import Outline
from tui.elf.values import Kind

_MOST_TYPES: Final = 4096  # of one function
_MOST_LINKS: Final = 32  # from type to type, as of typedefs
_DEEPEST: Final = 16  # structs in structs, of what is passed by value
_MOST_ELEMENTS: Final = 17  # of an array; more than are passed in registers
_GO_KIND: Final = 0x2900  # DW_AT_go_kind, as reflect.Kind
_GO_INTERFACE: Final = 20
_GO_TEXTS: Final = {23: Kind.SLICE, 24: Kind.STRING}
_PASSED: Final = {4: True, 5: False}  # DW_CC_pass_by_reference, DW_CC_pass_by_value
_QUALIFIERS: Final = frozenset(
    f"DW_TAG_{name}_type" for name in ("const", "volatile", "restrict", "atomic", "immutable", "packed", "shared")
)
_POINTERS: Final = frozenset(
    f"DW_TAG_{name}_type" for name in ("pointer", "reference", "rvalue_reference", "subroutine", "unspecified")
)
_STRUCTS: Final = frozenset(f"DW_TAG_{name}_type" for name in ("structure", "class", "union", "interface"))
_BOOLEAN, _COMPLEX, _FLOAT, _SIGNED, _SIGNED_CHAR, _UNSIGNED_CHAR, _DECIMAL = 2, 3, 4, 5, 6, 8, 15  # DW_ATE_…
_HALVES: Final = {
    "complex float": "float", "complex double": "double", "complex64": "float32", "complex128": "float64"
}  # fmt: skip
_LARGEST: Final = 1 << 31  # bytes
_MOST_SHOWN: Final = 4  # elements of an array
_MOST_NAMED: Final = 256  # numbers of an enumeration
_SHOWABLE: Final = frozenset((Kind.INT, Kind.UINT, Kind.BOOL, Kind.FLOAT, Kind.STRING, Kind.SLICE))
_WORTH_FOLLOWING: Final = _STRUCTS | {"DW_TAG_base_type", "DW_TAG_enumeration_type"}
ELSEWHERE: Final = "declared elsewhere"


class NotDescribed(Exception):
    """The debug information leaves out what must be known to place parameters; the text says what."""


class Types:
    """Makes the types of one function."""

    def __init__(self, language: Language, outline: Callable[[CompileUnit], Outline]) -> None:
        self._language, self.names = language, Names(language, outline)
        self._left = _MOST_TYPES

    def of(self, entry: DIE | None, *, follow: bool = True, depth: int = _DEEPEST) -> Type:
        """A type, with structs in structs to that depth, and with what a pointer leads to. Raises NotDescribed."""
        self._left -= 1
        if self._left < 0:
            raise NotDescribed("its types are too many")
        name, (real, go_kind, _) = self.names.of(entry), _resolved(entry)
        if real is None:
            return Type(name, Kind.UNREADABLE, size=0, align=1, why="of no type")
        if real.tag in _POINTERS:
            return self._pointer(name, real, follow=follow)
        if real.tag in _STRUCTS:
            return self._struct(name, real, go_kind, depth)
        return self._array(name, real, depth) if real.tag == "DW_TAG_array_type" else _simple(name, real)

    def _pointer(self, name: str, entry: DIE, *, follow: bool) -> Type:
        reference = "reference" in str(entry.tag) or name.startswith("&")
        pointer = Type(name, Kind.POINTER, reference=reference)
        real, _, plain = _resolved(target(entry))
        if real is None or entry.tag not in _POINTERS - {"DW_TAG_subroutine_type"}:
            return pointer
        if plain and not reference and _encoding(real) in (_SIGNED_CHAR, _UNSIGNED_CHAR):
            return pointer._replace(kind=Kind.CSTRING)
        if not follow or real.tag not in _WORTH_FOLLOWING:
            return pointer
        there = self.of(target(entry), follow=False, depth=1)
        return pointer._replace(target=there) if there.kind in _SHOWABLE or there.members else pointer

    def _struct(self, name: str, entry: DIE, go_kind: int, depth: int) -> Type:
        if "DW_AT_declaration" in entry.attributes and not self._is_string(entry):
            return Type(name, Kind.UNREADABLE, Shape.STRUCT, 0, 1, why=ELSEWHERE)
        members = tuple(self._members(entry, depth)) if depth > 0 else ()
        align = number(entry, "DW_AT_alignment") or max((member.type.align for member in members), default=1)
        size = number(entry, "DW_AT_byte_size") or 0
        why = "" if members else "it is empty" if depth > 0 else "a struct"
        plain = Type(name, Kind.UNREADABLE, Shape.STRUCT, size, align, members, why=why)
        if self._language is Language.CPP:
            return self._of_cpp(plain, entry)
        if self._language is Language.RUST:
            return self._of_rust(plain, entry)
        if go_kind == _GO_INTERFACE:
            return plain._replace(kind=Kind.ERROR if name == "error" else Kind.POINTER)
        return plain._replace(kind=_GO_TEXTS.get(go_kind, Kind.UNREADABLE))

    def _of_cpp(self, plain: Type, entry: DIE) -> Type:
        """With what the Itanium C++ ABI says of copying it, and libstdc++'s texts told."""
        by_address = any(member.type.by_address for member in plain.members) or _copied_by_code(entry)
        found = plain._replace(by_address=by_address)
        if self._is_string(entry):
            name = "std::string" if "basic_string<" in found.name else found.name
            return found._replace(name=name, kind=Kind.STRING, size=32, align=8, by_address=True)
        if text(entry).startswith("basic_string_view<char,") and self.names.scopes(entry) == ["std"]:
            name = "std::string_view" if "basic_string_view<" in found.name else found.name
            first = next((member.name for member in plain.members), "_M_len")
            return found._replace(name=name, kind=Kind.STRING, text=(8, 0) if first == "_M_len" else (0, 8))
        return found

    def _is_string(self, entry: DIE) -> bool:
        """Whether it is libstdc++'s std::string, from GCC 5 on: an address, then a length."""
        named = self._language is Language.CPP and text(entry).startswith("basic_string<char,")
        return named and self.names.scopes(entry, inline=True) == ["std", "__cxx11"]

    def _of_rust(self, plain: Type, entry: DIE) -> Type:
        """With texts, vectors and enumerations told."""
        own = text(entry)
        if any(child.tag == "DW_TAG_variant_part" for child in entry.iter_children()):
            kinds = {(offset, kind) for _, offset, kind in _leaves(plain.members)}
            is_pointer = (0, Kind.POINTER) in kinds and not any(offset for offset, _ in kinds)
            return plain._replace(kind=Kind.POINTER if is_pointer else Kind.UNREADABLE, why="an enum with data")
        if own == "String" or own.startswith(("&", "Vec<")):
            leaves = list(_leaves(self._members(entry, _DEEPEST)))
            address = next((offset for _, offset, kind in leaves if kind is Kind.POINTER), None)
            length = next((offset for name, offset, _ in leaves if name in ("len", "length")), None)
            if address is not None and length is not None:
                kind = Kind.STRING if own in ("String", "&str", "&mut str") else Kind.SLICE
                return plain._replace(kind=kind, text=(address, length))
        return plain

    def _members(self, entry: DIE, depth: int) -> Iterator[Member]:
        """What is in a struct; of a Rust enumeration, in all of its variants."""
        for child in entry.iter_children():
            if child.tag in ("DW_TAG_variant_part", "DW_TAG_variant"):
                yield from self._members(child, depth)
            if child.tag not in ("DW_TAG_member", "DW_TAG_inheritance"):
                continue
            if "DW_AT_external" in child.attributes or "DW_AT_declaration" in child.attributes:
                continue  # a static one
            bits, name = number(child, "DW_AT_bit_size"), text(child)
            if bits:
                yield _bit_field(child, bits, self.names.of(target(child)))
            elif isinstance(getattr(child.attributes.get("DW_AT_data_member_location"), "value", 0), int):
                offset = number(child, "DW_AT_data_member_location") or 0
                type_ = self.of(target(child), follow=False, depth=depth - 1 if name else depth)
                if name or type_.members or type_.shape is not Shape.STRUCT:  # most base classes are empty
                    yield Member(name, offset, type_)

    def _array(self, name: str, entry: DIE, depth: int) -> Type:
        """Of one dimension or more; of a long one only the first elements."""
        found = self.of(target(entry), follow=False, depth=max(depth - 1, 0))
        for count in reversed(counts(entry) or [None]):
            count = count or 0
            size = count * found.size
            if size >= _LARGEST:
                raise NotDescribed(f"the array {name} is too large")
            elements = tuple(Member(f"[{at}]", at * found.size, found) for at in range(min(count, _MOST_ELEMENTS)))
            why = "" if 0 < count <= _MOST_SHOWN else "an array"
            found = Type(
                name, Kind.UNREADABLE, Shape.ARRAY, size, found.align, elements, by_address=found.by_address, why=why
            )
        if "DW_AT_GNU_vector" in entry.attributes:
            size = number(entry, "DW_AT_byte_size") or found.size
            return Type(name, Kind.UNREADABLE, Shape.FLOAT, size, size, why="a vector")
        return found


def _resolved(entry: DIE | None) -> tuple[DIE | None, int, bool]:
    """What typedefs and qualifiers lead to; Go's kind of it; and whether a char there is a character, by the names."""
    go_kind, plain = 0, True
    for _ in range(_MOST_LINKS):
        if entry is None:
            return None, go_kind, plain
        go_kind = go_kind or (number(entry, _GO_KIND) or 0) & 31
        if "DW_AT_signature" in entry.attributes:
            entry = entry.get_DIE_from_attribute("DW_AT_signature")
        elif entry.tag == "DW_TAG_typedef":
            plain = plain and "8" not in text(entry)  # uint8_t, u8: bytes, not text
            entry = target(entry)
        elif entry.tag in _QUALIFIERS:
            entry = target(entry)
        else:
            return entry, go_kind, plain
    raise NotDescribed("its types lead in a circle")


def _encoding(entry: DIE) -> int:
    """Of a base type: DW_ATE_…"""
    return (number(entry, "DW_AT_encoding") or 0) if entry.tag == "DW_TAG_base_type" else 0


def _simple(name: str, entry: DIE) -> Type:
    """A number, an enumeration, or where in a class a member is. Raises NotDescribed for anything else."""
    if entry.tag == "DW_TAG_base_type":
        return _base(name, entry)
    if entry.tag == "DW_TAG_enumeration_type":
        return _enumeration(name, entry)
    if entry.tag != "DW_TAG_ptr_to_member_type":
        raise NotDescribed(f"the type {name} is of an unknown kind")
    function = target(entry)
    if function is not None and function.tag == "DW_TAG_subroutine_type":
        return Type(name, Kind.UNREADABLE, size=16, why="a pointer to a member function")
    return Type(name, Kind.INT)


def _base(name: str, entry: DIE) -> Type:
    """A number."""
    size, encoding = number(entry, "DW_AT_byte_size") or 0, _encoding(entry)
    align = number(entry, "DW_AT_alignment") or min(size, 16) or 1
    if encoding == _COMPLEX:
        half = Type(_HALVES.get(name, "…"), Kind.FLOAT, Shape.FLOAT, size // 2, size // 2)
        if size not in (8, 16):
            return Type(name, Kind.UNREADABLE, Shape.X87, size, align, why="a complex long double")
        members = (Member("real", 0, half), Member("imag", size // 2, half))
        return Type(name, Kind.UNREADABLE, Shape.STRUCT, size, half.align, members)
    if encoding in (_FLOAT, _DECIMAL):
        if encoding == _FLOAT and size in (4, 8):
            return Type(name, Kind.FLOAT, Shape.FLOAT, size, align)
        shape = Shape.X87 if text(entry) == "long double" else Shape.FLOAT
        return Type(name, Kind.UNREADABLE, shape, size, align, why=f"a number of {8 * size} bits")
    if size not in (1, 2, 4, 8):
        return Type(name, Kind.UNREADABLE, Shape.INTEGER, size, align, why=f"a number of {8 * size} bits")
    signed = encoding in (_SIGNED, _SIGNED_CHAR)
    kind = Kind.BOOL if encoding == _BOOLEAN else Kind.INT if signed else Kind.UINT
    return Type(name, kind, Shape.INTEGER, size, align)


def _enumeration(name: str, entry: DIE) -> Type:
    """An enumeration: the number, and the names of some."""
    real, _, _ = _resolved(target(entry))
    signed = _encoding(real) in (_SIGNED, _SIGNED_CHAR) if real else False
    size = number(entry, "DW_AT_byte_size") or 4
    kind = Kind.INT if signed else Kind.UINT
    return Type(name, kind, Shape.INTEGER, size, size, names=tuple(_enumerators(entry, 8 * size, signed=signed)))


def _enumerators(entry: DIE, bits: int, *, signed: bool) -> Iterator[tuple[int, str]]:
    """The numbers of so many bits that have a name; of several names of one the first. None where they are too many."""
    found: dict[int, str] = {}
    for child in islice(entry.iter_children(), _MOST_NAMED + 1):
        value = child.attributes.get("DW_AT_const_value")
        if child.tag == "DW_TAG_enumerator" and value is not None and isinstance(value.value, int):
            number = value.value & (1 << bits) - 1
            found.setdefault(number - (1 << bits) if signed and number >> bits - 1 else number, text(child))
    yield from found.items() if len(found) <= _MOST_NAMED else ()


def _bit_field(entry: DIE, bits: int, name: str) -> Member:
    first = number(entry, "DW_AT_data_bit_offset")
    if first is None:
        first = 8 * (number(entry, "DW_AT_data_member_location") or 0)
    size = (first % 8 + bits + 7) // 8
    return Member(
        text(entry), first // 8, Type(f"{name} : {bits}", Kind.UNREADABLE, Shape.INTEGER, size, 1, why="a bit-field")
    )


def _copied_by_code(entry: DIE) -> bool:
    """Whether a class has a destructor, or something that copies or moves it, of its own; or anything virtual."""
    told = number(entry, "DW_AT_calling_convention")
    if told in _PASSED:
        return _PASSED[told]
    own = text(entry).split("<")[0]
    deleted = defaulted = False
    for child in entry.iter_children():
        name = text(child)
        if "DW_AT_virtuality" in child.attributes or name.startswith("_vptr"):
            return True
        if child.tag != "DW_TAG_subprogram" or "DW_AT_artificial" in child.attributes:
            continue
        if name == f"~{own}" or (name == own and _takes(child, entry)):
            if "DW_AT_deleted" in child.attributes:
                deleted = True
            elif number(child, "DW_AT_defaulted") == 1:
                defaulted = True
            else:
                return True
    return deleted and not defaulted


def _takes(constructor: DIE, entry: DIE) -> bool:
    """Whether it takes a reference to its own class, and so copies or moves."""
    taken = [each for each in parameters(constructor) if "DW_AT_artificial" not in each.attributes]
    first = target(taken[0]) if taken else None
    if first is None or first.tag not in ("DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"):
        return False
    real, _, _ = _resolved(target(first))
    return real is not None and real.offset == entry.offset


def _leaves(members: Iterable[Member], offset: int = 0) -> Iterator[tuple[str, int, Kind]]:
    """The numbers and addresses in a struct: their own names, offsets and kinds."""
    for member in members:
        if member.type.members:
            yield from _leaves(member.type.members, offset + member.offset)
        else:
            yield member.name, offset + member.offset, member.type.kind
