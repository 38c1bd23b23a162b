"""What a function's source declares: parameters and results, with types as a calling convention sees them. Plain data.

`dwarf_types.py` makes these of debug information, `abi.py` places them.
"""

from enum import StrEnum
from typing import NamedTuple

from tui.elf.values import Kind


class Shape(StrEnum):
    """What a calling convention asks of a type."""

    INTEGER = "integer"  # also addresses, booleans, enumerations; of 16 bytes: two words
    FLOAT = "float"  # float and double, and whatever else takes one vector register
    X87 = "x87"  # long double, and pairs of them
    STRUCT = "struct"  # members at offsets: also classes, unions, complex numbers, strings and slices
    ARRAY = "array"  # the members are the elements


class Language(StrEnum):
    """Whose calling convention a function has."""

    C = "c"  # and whatever else follows the platform's convention
    CPP = "c++"
    RUST = "rust"
    GO = "go"  # registers, from Go 1.17
    GO_STACK = "go on the stack"  # before, and for assembly


class Member(NamedTuple):
    """A part of a struct, union or array."""

    name: str  # "x"; "[0]" of an array; empty where it has none: a base class, an anonymous union
    offset: int  # bytes
    type: "Type"


class Type(NamedTuple):
    """A type of at most 2^31 bytes."""

    name: str  # as the source has it; sanitised
    kind: Kind  # what a value of it is shown as
    shape: Shape = Shape.INTEGER
    size: int = 8  # bytes
    align: int = 8  # bytes
    members: tuple[Member, ...] = ()
    target: "Type | None" = None  # of a pointer: what lies there, if that can be shown
    reference: bool = False  # a pointer that the source doesn't write as one
    by_address: bool = False  # C++: can't be copied byte by byte, so its address is passed
    text: tuple[int, int] = (0, 8)  # of a string or slice: where in it the address and the length are
    why: str = ""  # why it can't be shown
    names: tuple[tuple[int, str], ...] = ()  # of an enumeration


class Piece(NamedTuple):
    """A part of a value that debug information says is in a register when the function is entered."""

    offset: int  # in the value, bytes
    size: int
    register: str


class Parameter(NamedTuple):
    """A parameter, or a result."""

    name: str
    type: Type
    pieces: tuple[Piece, ...] = ()


class Declaration(NamedTuple):
    """A function."""

    language: Language
    parameters: tuple[Parameter, ...]
    results: tuple[Parameter, ...]
    altered: bool = False  # parameters are only where their pieces are, if anywhere
    note: str = ""  # what to know of all this
