"""Reads the kernel's syntax back into instructions: what the disassembler writes must hold all that they do."""

import re
from collections.abc import Callable
from typing import Final

from tui.bpf.extended import assembler as asm
from tui.bpf.extended import instructions as ops
from tui.bpf.extended.instructions import Instruction, Register

_SIZES: Final = {"8": ops.B, "16": ops.H, "32": ops.W, "64": ops.DW}
_FETCHING: Final = {"add": "+=", "or": "|=", "and": "&=", "xor": "^="}
_MEMORY: Final = r"\(u(?P<size>\d+) \*\)\(r(?P<base>\d+) (?P<offset>[+-]\d+)\)"
_VALUE: Final = r"(?:[rw](?P<register>\d+)|(?P<number>-?\d+|0x[0-9a-f]+))"
Fields = dict[str, str]


def _register(fields: Fields, name: str) -> Register:
    return Register(int(fields[name]))


def _value(fields: Fields) -> Register | int:
    if fields["register"]:
        return _register(fields, "register")
    return ops.signed(int(fields["number"], 0))


def _where(fields: Fields) -> tuple[Register, int, int]:
    return _register(fields, "base"), int(fields["offset"]), _SIZES[fields["size"]]


def _calculation(f: Fields) -> Instruction:
    return (asm.alu if f["width"] == "r" else asm.alu32)(f["operator"], _register(f, "dst"), _value(f))


def _swap(f: Fields) -> Instruction:
    return {"be": asm.big_endian, "le": asm.little_endian, "bswap": asm.swap}[f["how"]](
        _register(f, "dst"), int(f["bits"])
    )


def _load(f: Fields) -> Instruction:
    base, offset, size = _where(f)
    return (asm.load if f["sign"] == "u" else asm.load_signed)(_register(f, "dst"), base, offset, size)


def _store(f: Fields) -> Instruction:
    base, offset, size = _where(f)
    return asm.store(base, offset, _value(f), size)


def _packet(f: Fields) -> Instruction:
    index = _register(f, "index") if f["index"] else None
    return asm.load_packet(int(f["number"]), _SIZES[f["size"]], index)


def _atomic(f: Fields) -> Instruction:
    base, offset, size = _where(f)
    fetch = f.get("fetch")
    return asm.atomic(
        _FETCHING[fetch] if fetch else f["operator"], base, offset, _register(f, "src"), size, fetch=bool(fetch)
    )


def _exchange(f: Fields) -> Instruction:
    base, offset, size = _where(f)
    return (asm.exchange if f["how"] == "xchg" else asm.compare_exchange)(base, offset, _register(f, "src"), size)


def _ordered(f: Fields) -> Instruction:
    base, offset, size = _where(f)
    if f["src"]:
        return asm.store_release(base, offset, _register(f, "src"), size)
    return asm.load_acquire(_register(f, "dst"), base, offset, size)


def _jump(f: Fields) -> Instruction:
    compared = (asm.jump if f["width"] == "r" else asm.jump32)(f["operator"], _register(f, "dst"), _value(f), "")
    return compared.instruction._replace(offset=int(f["distance"]))


_READERS: Final[tuple[tuple[str, Callable[[Fields], Instruction]], ...]] = (
    (r"exit", lambda _: asm.exit_()),
    (r"call bpf_(?P<name>\w+)#\d+", lambda f: asm.call(f["name"])),
    (r"goto pc(?P<distance>[+-]\d+)", lambda f: Instruction(ops.JMP | ops.JA, offset=int(f["distance"]))),
    (rf"if (?P<width>[rw])(?P<dst>\d+) (?P<operator>\S+) {_VALUE} goto pc(?P<distance>[+-]\d+)", _jump),
    (r"r(?P<dst>\d+) = -r\d+", lambda f: asm.negate(_register(f, "dst"))),
    (r"w(?P<dst>\d+) = -w\d+", lambda f: asm.negate32(_register(f, "dst"))),
    (r"r(?P<dst>\d+) = (?P<how>be|le|bswap)(?P<bits>\d+) r\d+", _swap),
    (
        r"r(?P<dst>\d+) = \(s(?P<bits>\d+)\)r(?P<src>\d+)",
        lambda f: asm.extend(_register(f, "dst"), _register(f, "src"), int(f["bits"])),
    ),
    (r"r(?P<dst>\d+) = 0x(?P<number>[0-9a-f]+)", lambda f: asm.load_number(_register(f, "dst"), int(f["number"], 16))),
    (rf"(?P<width>[rw])(?P<dst>\d+) (?P<operator>\S+) {_VALUE}", _calculation),
    (r"r0 = \*\(u(?P<size>\d+) \*\)skb\[(?:r(?P<index>\d+) \+ )?(?P<number>-?\d+)\]", _packet),
    (r"r(?P<dst>\d+) = \*" + _MEMORY.replace("u(", "(?P<sign>[us])("), _load),
    (rf"\*{_MEMORY} = {_VALUE}", _store),
    (rf"lock \*{_MEMORY} (?P<operator>\S+) r(?P<src>\d+)", _atomic),
    (rf"r(?P<src>\d+) = atomic(?:64)?_fetch_(?P<fetch>\w+)\({_MEMORY}, r\d+\)", _atomic),
    (rf"r\d+ = atomic(?:64)?_(?P<how>xchg|cmpxchg)\({_MEMORY}, (?:r0, )?r(?P<src>\d+)\)", _exchange),
    (rf"r(?P<dst>\d+) = load_acquire\({_MEMORY}\)(?P<src>)", _ordered),
    (rf"store_release\({_MEMORY}, r(?P<src>\d+)\)", _ordered),
)


def read(text: str) -> Instruction:
    """The instruction that is written so."""
    for pattern, reader in _READERS:
        if found := re.fullmatch(pattern, text):
            return reader(found.groupdict())
    raise AssertionError(f"nothing is written so: {text}")
