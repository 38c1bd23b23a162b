"""What a function takes and gives, and where each value lies, from the file's debug information.

    found = signatures.read(module.file, functions, go=go)
    found[function].parameters

Without debug information: the registers that a calling convention uses. What people ask for instead is `asked`.

Debug information is read in a child process with little memory and time; what comes out is cached.
"""

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from typing import Any, Final

from tui import cache
from tui.elf import abi, debug_files
from tui.elf.child import Child
from tui.elf.names import Function, Module
from tui.elf.reader import AARCH64, X86_64, ElfFile
from tui.elf.values import MOST_STEPS, Fetch, Kind, Signature, Value
from tui.errors import NotSupported, UsageError
from tui.text import sanitise

_FORMAT: Final = 3  # of what is cached; another one for every change of abi.py and of what the child makes
_SECONDS: Final = 15.0
_MOST_CACHED: Final = 8 << 20  # bytes per file
_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_CHILD: Final = ["-S", "-P", "-m", "tui.elf.signatures_child"]  # -P: nothing of the current folder
_HERE: Final = os.uname().machine
_NONE: Final = "no debug information"
_UNREAD: Final = f"its debug information is damaged, or takes more than {_SECONDS:.0f} s to read"
_TYPES: Final = {
    **{f"int{8 * size}": (Kind.INT, size) for size in (1, 2, 4, 8)},
    **{f"uint{8 * size}": (Kind.UINT, size) for size in (1, 2, 4, 8)},
    "bool": (Kind.BOOL, 1),
    "char": (Kind.INT, 1),
    "pointer": (Kind.POINTER, 8),
    **dict.fromkeys(("cstring", "str"), (Kind.CSTRING, 8)),
}
_REGISTERS: Final = {
    X86_64: ("ax", "bx", "cx", "dx", "di", "si", "bp", "sp", *(f"r{number}" for number in range(8, 16))),
    AARCH64: (*(f"x{number}" for number in range(31)), "sp"),
}
REGISTERS: Final = _REGISTERS.get(_HERE, ())  # what can be asked for of this machine's programs

_Found = dict[int, tuple[Signature | None, str]]  # by address; with the reason where there is none


def read(module: Module, functions: Sequence[Function], *, go: bool) -> dict[Function, Signature]:
    """The signature of each function of a module, `go` if Go's compiler made it.

    `note` says where one may not be so, or is only registers. Raises BinaryError, NotPermitted, TargetError; and
    NotSupported without pyelftools.
    """
    known, unknown = _Found(), _NONE
    with contextlib.ExitStack() as stack:
        elf = stack.enter_context(ElfFile.open(module.file, module.path))
        described = elf if _has_debug_information(elf) else debug_files.find(elf, module)
        if described and described is not elf:
            stack.enter_context(described)
        if described and _has_debug_information(described) and functions:
            known, unknown = _described(described, functions, go=go), _UNREAD
    signatures: dict[Function, Signature] = {}
    for function in functions:
        found, reason = known.get(function.address, (None, unknown))
        signatures[function] = found or _raw(function, reason, go=go)
    return signatures


def untyped(*, go: bool) -> Signature:
    """The registers that arguments and a result are in, as numbers, without debug information."""
    arguments, result = abi.raw(_HERE, go=go)
    return _of([Fetch(register) for register in arguments], [Fetch(result)] if result else [], _NONE)


def asked(text: str, among: Sequence[Value]) -> Value:
    """What somebody names as NAME or NAME:TYPE: one of these values, or a register. Raises UsageError."""
    name, _, type_name = text.partition(":")
    found = next((value for value in among if value.name == name), None)
    if found is None and name in REGISTERS:
        found = Value(name, "uint64", Kind.UINT, 8, Fetch(name), raw=True)
    if found is None:
        names = ", ".join(value.name for value in among[:20]) or "nothing"
        raise UsageError(
            f"there is no {sanitise(name)}: this function has {names}; registers are {', '.join(REGISTERS)}"
        )
    return typed(found, type_name) if type_name else found


def typed(value: Value, type_name: str) -> Value:
    """The value as another type has it. Raises UsageError."""
    if type_name not in _TYPES:
        raise UsageError(f"there is no type {sanitise(type_name)}: types are {', '.join(_TYPES)}")
    if value.at is None:
        raise UsageError(f"{value.name} can't be read as {type_name}: it is {value.why}")
    kind, size = _TYPES[type_name]
    return Value(value.name, type_name, kind, size, value.at)


def _raw(function: Function, reason: str, *, go: bool) -> Signature:
    """What can be read of a function that isn't described."""
    found = untyped(go=go)
    if go and function.raw_name.endswith(".abi0"):
        words = [Fetch("sp", (8 * number,)) for number in range(1, len(found.parameters) + 1)]
        return _of(words, [], f"{reason}: the first words of the stack")
    return found._replace(note=f"{reason}: registers, of which some are no arguments")


def _of(parameters: Sequence[Fetch], results: Sequence[Fetch], note: str) -> Signature:
    def value(name: str, at: Fetch) -> Value:
        return Value(name, "uint64", Kind.UINT, 8, at, raw=True)

    taken = tuple(value(f"arg{number}", at) for number, at in enumerate(parameters))
    return Signature(taken, tuple(value("return", at) for at in results), note)


def _has_debug_information(elf: ElfFile) -> bool:
    return bool(elf.section(".debug_info") or elf.section(".zdebug_info"))


def _described(elf: ElfFile, functions: Sequence[Function], *, go: bool) -> _Found:
    """What its debug information says of the functions; those that it takes too long for are left out."""
    head = f"{_FORMAT} {elf.identity}\n".encode()
    content = cache.kept("signatures", elf.identity) or b""
    lines = content[len(head) :] if content.startswith(head) else b""
    known = _parsed(lines)
    missing = [function for function in functions if function.address not in known]
    if missing:
        more = _from_child(elf, missing, go=go)
        more = more[: more.rfind(b"\n") + 1]
        known |= _parsed(more)
        kept = lines if len(lines) + len(more) <= _MOST_CACHED else b""
        cache.keep("signatures", elf.identity, head + kept + more)
    return known


def _from_child(elf: ElfFile, functions: Sequence[Function], *, go: bool) -> bytes:
    """Its lines of JSON; none where there is no room for a process. Raises NotSupported without pyelftools."""
    elftools = PathFinder.find_spec("elftools")
    if elftools is None or elftools.origin is None:
        raise NotSupported("pyelftools is not installed: install bpfscope again, with what it depends on")
    folders = (_FOLDER, os.path.dirname(os.path.dirname(elftools.origin)))
    request = {"go": go, "functions": [[function.address, function.raw_name] for function in functions]}
    environment = {"PYTHONPATH": os.pathsep.join(folders)}
    try:
        with Child([sys.executable, *_CHILD], json.dumps(request).encode(), elf.fileno(), environment) as child:
            return child.result(_SECONDS)
    except OSError:
        return b""


def _parsed(lines: bytes) -> _Found:
    """By address, what the lines say that are as the child writes them."""
    found: _Found = {}
    for line in lines.splitlines():
        try:
            address, row, reason = json.loads(line)
            found[int(address)] = _signature(row) if row else None, str(reason)
        except (ValueError, TypeError, RecursionError, OverflowError):
            continue
    return found


def _signature(row: Any) -> Signature:  # noqa: ANN401 - JSON
    """Raises ValueError, TypeError."""
    parameters, results, note, fields, result_fields = row
    columns = [tuple(map(_value, column)) for column in (parameters, results, fields, result_fields)]
    return Signature(columns[0], columns[1], str(note), columns[2], columns[3])


def _value(row: Any) -> Value:  # noqa: ANN401
    """Raises ValueError, TypeError."""
    name, type_name, kind, size, at, length, why, names, *_ = row
    enumerators = tuple((int(number), str(word)) for number, word in names)
    return Value(str(name), str(type_name), Kind(kind), int(size), _fetch(at), _fetch(length), str(why), enumerators)


def _fetch(row: Any) -> Fetch | None:  # noqa: ANN401
    """Raises ValueError, TypeError."""
    if row is None:
        return None
    register, offsets, shift, *_ = row
    if not any(register in names for names in _REGISTERS.values()) or len(offsets) > MOST_STEPS:
        raise ValueError(register)
    return Fetch(str(register), tuple(map(int, offsets)), int(shift))
