"""What can be read of a call: the values of its parameters and results, and where each lies. Plain data.

A Fetch is a register, or memory that a register leads to; the BPF programs carry it out. What a function takes is told
by its debug information (`signatures.py`), or said by the user.
"""

from enum import StrEnum
from typing import Final, NamedTuple

MOST_STEPS: Final = 4  # addresses that one value is read through
MOST_VALUES: Final = 8  # of a call
ZERO: Final = "zero"  # in place of a register: 0


class Kind(StrEnum):
    """What a value's bytes mean."""

    INT = "int"  # signed, of 1, 2, 4 or 8 bytes
    UINT = "uint"  # unsigned, of 1, 2, 4 or 8 bytes
    BOOL = "bool"
    POINTER = "pointer"
    CSTRING = "cstring"  # the address of bytes that end with 0
    STRING = "string"  # an address and a length: of Go, Rust, C++
    SLICE = "slice"  # an address and a length: the length is what is shown
    ERROR = "error"  # an interface of Go: whether it is nil
    FLOAT = "float"  # of 4 or 8 bytes; in memory, or beside an integer in its register
    UNREADABLE = "unreadable"  # `Value.why` says why


class Fetch(NamedTuple):
    """A register's content; or, with offsets, what lies there: each but the last leads to the next address.

    Fetch("di") is RDI; Fetch("sp", (8,)) the 8 bytes above the return address; Fetch("di", (16, 0)) what the pointer at
    RDI + 16 leads to; Fetch("di", shift=32) the upper half of RDI, where the second of two ints of a struct lies.
    Of USDT probes, Fetch(ZERO, constant=5) is 5, and Fetch("ax", (8,), 0, "bx", 2) what lies at RAX + RBX * 4 + 8.
    """

    register: str  # ZERO, or "di", "si", "dx", "cx", "ax", "bx", "r8" … "r15", "bp", "sp"; on arm64 "x0" … "x30", "sp"
    offsets: tuple[int, ...] = ()  # bytes; at most MOST_STEPS
    shift: int = 0  # bits that a register's content is shifted right by; only without offsets
    added: str = ""  # a register that is added to the first,
    scale: int = 0  # after it was shifted left by so many bits
    constant: int = 0  # is added too; only without offsets


class Value(NamedTuple):
    """A parameter or a result."""

    name: str  # "n"; of a result that has no name "return", of one of several "return0", "return1" …; sanitised
    type: str  # as the source has it: "unsigned int", "[]byte"; sanitised, for people
    kind: Kind
    size: int = 8  # bytes of a number
    at: Fetch | None = None  # where the number, or the text's address, is; None where it is unreadable
    length: Fetch | None = None  # where the length of a string or slice is
    why: str = ""  # why it can't be read
    names: tuple[tuple[int, str], ...] = ()  # of an enumeration: numbers with their names; sanitised
    raw: bool = False  # a mere register, of which nobody knows whether it is a number or a pointer


class Signature(NamedTuple):
    """What a function takes and gives; parameters are read where it is entered, results where it returns."""

    parameters: tuple[Value, ...]
    results: tuple[Value, ...]
    note: str = ""  # why it may not be so: optimised, a clone, no debug information
    fields: tuple[Value, ...] = ()  # what else can be asked for: "p->x" behind a pointer, "s.x" of a large struct
    result_fields: tuple[Value, ...] = ()  # the same of results: "return->x"
