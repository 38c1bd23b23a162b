"""The arguments of a USDT probe, as its note describes them: `-4@%eax 8@$5 2@-8(%rbp,%rcx,2)` on x86-64, `-4@w1 8@5
8@[sp, 60]` on arm64. SIZE@OPERAND, where a size below 0 is of a signed number and `f` behind it of a float; the operand
is the compiler's, as its assembler has it (GCC's constraint "nor").

What is at a symbol (`8@total(%rip)`) is found from the probe's own place, which is where the instruction pointer is,
wherever the file was loaded to.
"""

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from tui.elf.abi_places import IN_VECTOR, WORD
from tui.elf.names import Function, Module
from tui.elf.reader import AARCH64, DYNSYM, SYMTAB, ElfFile, Section
from tui.elf.usdt import Location, probes
from tui.elf.values import ZERO, Fetch, Kind, Signature, Value

_MOST: Final = 32  # sys/sdt.h has room for 12
_ARGUMENT: Final = re.compile(r"(?:(-?\d{1,2})(f?)@)?(\[[^\]]*\]|\S+)\s*", re.ASCII)
_DIGITS: Final = r"(?:0x[0-9a-fA-F]{1,16}|\d{1,20})"
_NUMBER: Final = f"[+-]?{_DIGITS}"
_SYMBOL: Final = r"[A-Za-z_.$][\w.$@]*"
_MEMORY: Final = re.compile(
    rf"(?P<symbol>{_SYMBOL})?(?P<sum>(?:{_NUMBER})?(?:[+-]{_DIGITS})*)(?P<last>[+-]{_SYMBOL})?"
    rf"(?:\((?:%(?P<base>\w+))?(?:,%(?P<index>\w+)(?:,(?P<scale>[1248]))?)?\))?",
    re.ASCII,
)
_IN_BRACKETS: Final = re.compile(
    rf"\[(?P<base>\w+)(?:, ?(?:#?(?P<offset>{_NUMBER})|(?P<index>x\d+)(?:, ?lsl #?(?P<scale>\d))?))?\]", re.ASCII
)
_ENTRY: Final = 24  # Elf64_Sym
_SIZES: Final = {Kind.INT: (1, 2, 4, 8), Kind.UINT: (1, 2, 4, 8), Kind.FLOAT: (4, 8)}
_UNKNOWN: Final = "its place is given in a way that isn't known"
_FARTHEST: Final = 1 << 63


class _Register(NamedTuple):
    """A register of the kernel's, and which of its bits a name means."""

    register: str
    size: int  # bytes
    shift: int = 0  # bits


def _of_x86() -> dict[str, _Register]:
    found: dict[str, _Register] = {}
    for base in ("ax", "bx", "cx", "dx"):
        letter = base[0]
        names = ((f"r{base}", 8), (f"e{base}", 4), (base, 2), (f"{letter}l", 1))
        found |= {name: _Register(base, size) for name, size in names}
        found[f"{letter}h"] = _Register(base, 1, 8)
    for base in ("si", "di", "bp", "sp"):
        names = ((f"r{base}", 8), (f"e{base}", 4), (base, 2), (f"{base}l", 1))
        found |= {name: _Register(base, size) for name, size in names}
    for base in (f"r{number}" for number in range(8, 16)):
        found |= {base + end: _Register(base, size) for end, size in (("", 8), ("d", 4), ("w", 2), ("b", 1))}
    return found | {"rip": _Register("ip", 8)}


def _of_arm64() -> dict[str, _Register]:
    names = [(f"{letter}{number}", f"x{number}", size) for letter, size in (("x", 8), ("w", 4)) for number in range(31)]
    names += [("sp", "sp", 8), ("wsp", "sp", 4), ("xzr", ZERO, 8), ("wzr", ZERO, 4), ("lr", "x30", 8), ("fp", "x29", 8)]
    return {name: _Register(register, size) for name, register, size in names}


_X86: Final = _of_x86()
_ARM64: Final = _of_arm64()
Symbols = Callable[[str], int | None]  # the virtual address of a symbol, where one has that name


def read(module: Module, functions: Sequence[Function]) -> dict[Function, Signature]:
    """What can be read of USDT probes at the first of their places. Raises BinaryError, NotPermitted, TargetError."""
    with ElfFile.open(module.file, module.path) as elf:
        known = dict(probes(elf))
        places = {each: known.get(each.raw_name) for each in functions}
        return {each: signature(elf, at[0]) if at else Signature((), ()) for each, at in places.items()}


def signature(elf: ElfFile, location: Location) -> Signature:
    """What can be read at one of a probe's places: arg0, arg1, … in the order in which the note has them."""
    return parsed(location.arguments, location.address, elf.machine, partial(_symbol, elf))


def parsed(arguments: str, address: int, machine: str, symbols: Symbols) -> Signature:
    """The same of a note's text; `address` is the probe's place. Pure."""
    found: list[Value] = []
    at = 0
    while len(found) < _MOST and (each := _ARGUMENT.match(arguments, at)):
        at = each.end()
        size, float_, operand = each.groups()
        number = int(size or 8)
        kind = Kind.FLOAT if float_ else Kind.INT if number < 0 else Kind.UINT
        place = _on_arm64(operand) if machine == AARCH64 else _on_x86(operand, address, symbols)
        found.append(_value(f"arg{len(found)}", kind, abs(number), place))
    return Signature(tuple(found), ())


class _Place(NamedTuple):
    """Where an argument is; `size` is how much of it a register has at most."""

    at: Fetch | None
    size: int = 8
    why: str = ""


def _value(name: str, kind: Kind, size: int, place: _Place) -> Value:
    type_name = f"{kind}{8 * size}"
    why = place.why or ("" if size in _SIZES[kind] else f"it has {size} bytes")
    if why or place.at is None:
        return Value(name, type_name, Kind.UNREADABLE, size, why=why or _UNKNOWN)
    size = min(size, place.size)
    return Value(name, type_name, kind, size, place.at, raw=kind is Kind.UINT and size == WORD)  # perhaps an address


def _on_x86(operand: str, address: int, symbols: Symbols) -> _Place:
    if operand.startswith("%"):
        name, colon, _ = operand[1:].partition(":")
        if colon:
            return _Place(None, why="in memory of the thread's own, whose place isn't known")
        return _register(_X86, name, vector=name.startswith(("xmm", "ymm", "zmm")))
    constant = operand.startswith("$")
    found = _MEMORY.fullmatch(operand, int(constant))
    if found is None or (constant and (found["base"] or found["index"])):
        return _Place(None)
    base, index, scale = found["base"], found["index"], int(found["scale"] or 1).bit_length() - 1
    offset = sum(map(_number, re.findall(_NUMBER, found["sum"])))
    if symbol := found["symbol"] or found["last"]:
        there = None if found["symbol"] and found["last"] else symbols(symbol.removeprefix("+"))
        if there is None:
            return _Place(None, why=f"at {symbol}, of which the file doesn't say where it is")
        offset += there - address
        if base in (None, "rip"):
            base = "rip"
        elif index:
            return _Place(None)
        else:
            index = "rip"
    return _Place(_fetch(_X86, base, None if constant else offset, index, scale, offset if constant else 0))


def _on_arm64(operand: str) -> _Place:
    if re.fullmatch(f"#?{_NUMBER}", operand):
        return _Place(_fetch(_ARM64, None, constant=_number(operand.removeprefix("#"))))
    if found := _IN_BRACKETS.fullmatch(operand):
        return _Place(
            _fetch(_ARM64, found["base"], _number(found["offset"] or "0"), found["index"], int(found["scale"] or 0))
        )
    return _register(_ARM64, operand, vector=re.fullmatch(r"[bhsdqv]\d+(?:\..*)?", operand) is not None)


def _register(registers: Mapping[str, _Register], name: str, *, vector: bool) -> _Place:
    if vector:
        return _Place(None, why=IN_VECTOR)
    found = registers.get(name)
    return _Place(Fetch(found.register, (), found.shift), found.size) if found else _Place(None)


def _fetch(
    registers: Mapping[str, _Register],
    base: str | None,
    offset: int | None = None,
    index: str | None = None,
    scale: int = 0,
    constant: int = 0,
) -> Fetch | None:
    """What lies at base + index << scale + offset; without an offset the sum of base and constant itself."""
    names = [registers.get(name, _Register(name, 0)) if name else _Register("", 8) for name in (base, index)]
    if any(name.size != 8 for name in names) or abs(offset or 0) >= _FARTHEST:  # no others can lead to memory
        return None
    offsets = () if offset is None else (offset,)
    return Fetch(names[0].register or ZERO, offsets, 0, names[1].register, scale, constant)


def _number(text: str) -> int:
    """Like -5, 0x1f; not in Python's octal."""
    digits = text.lstrip("+-")
    return (-1 if text.startswith("-") else 1) * int(digits, 16 if digits.startswith("0x") else 10)


def _symbol(elf: ElfFile, name: str) -> int | None:
    """The address that every symbol of that name has; None where there is none, or several."""
    found: set[int] = set()
    for kind in (SYMTAB, DYNSYM):  # a file has one of each, or none
        section = next((each for each in elf.sections if each.kind == kind), None)
        if section and section.link < len(elf.sections):
            found |= _addresses(elf, section, name.encode("utf-8", "replace") + b"\0")
    return found.pop() if len(found) == 1 else None


def _addresses(elf: ElfFile, section: Section, name: bytes) -> set[int]:
    strings, entries = elf.contents(elf.sections[section.link]), elf.contents(section)
    entries = entries[: len(entries) // _ENTRY * _ENTRY]
    starts, at = set(), strings.find(name)
    while at >= 0:
        starts.add(at)
        at = strings.find(name, at + 1)
    names = array("I", entries)[:: _ENTRY // 4]
    rows = [row for row, start in enumerate(names) if start in starts]
    values, sections = array("Q", entries)[1 :: _ENTRY // 8], array("H", entries)[3 :: _ENTRY // 2]
    return {values[row] for row in rows if sections[row]}
