"""A loaded BPF program's machine code as people read it: functions and source lines above it, calls by name."""

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from tui.bpf import symbols
from tui.bpf.btf.lines import LineInfo
from tui.bpf.inventory.machine_code import MachineCode, Part
from tui.bpf.inventory.sources import Sources
from tui.collectors.program_samples import CodeLine
from tui.elf.disassembly import Disassembler, Instruction
from tui.errors import NotSupported

_ADDRESS: Final = re.compile(r"#?0x([0-9a-f]{1,16})$")  # of a jump or call; capstone writes # on arm64
_LEAPS: Final = re.compile(r"call|j|b|cb|tb")  # mnemonics that have one


def listing(machine: MachineCode, sources: Sources) -> Iterator[CodeLine]:
    """Lines whose `slot` is an offset in bytes from the function's beginning. Nothing where there is no capstone."""
    with contextlib.suppress(NotSupported), Disassembler() as disassembler:
        parts = [(part, list(disassembler.instructions(part.code, part.address))) for part in machine.parts]
        own = _own_names(machine, sources)
        leaps = {to for _, code in parts for one in code if (to := _target(one)) is not None}
        names = symbols.read(addresses=leaps - own.keys()).there | own
        places: dict[int, LineInfo] = {}
        if len(machine.lines) == len(sources.lines):
            places = dict(zip(machine.lines, sources.lines, strict=True))
        for part, code in parts:
            if part.address in own and len(parts) > 1:
                yield CodeLine(0, f"{own[part.address]}:", source=True)
            yield from _of_part(part, code, places, names)


def _of_part(
    part: Part, code: list[Instruction], places: dict[int, LineInfo], names: dict[int, str]
) -> Iterator[CodeLine]:
    before = None
    for one in code:
        place = places.get(one.address)
        if place and place.source and place[1:3] != before:  # file and line; one that goes on isn't said again
            where = f"{place.file.rpartition('/')[2]}:{place.line}"
            yield CodeLine(one.address - part.address, place.source, source=True, place=where)
        before = place[1:3] if place else before
        said, to = f"{one.mnemonic} {one.operands}".rstrip(), _target(one)
        if to is not None:
            inside = part.address < to < part.address + len(part.code)
            shown = f"+{to - part.address}" if inside else names.get(to, f"{to:#x}")
            said = f"{said.rpartition(' ')[0]} {shown}"
        yield CodeLine(one.address - part.address, said)


def _own_names(machine: MachineCode, sources: Sources) -> dict[int, str]:
    """The program's functions by address, where there is a name for each."""
    if len(machine.parts) != len(sources.functions):
        return {}
    return {part.address: one.name for part, one in zip(machine.parts, sources.functions, strict=True)}


def _target(one: Instruction) -> int | None:
    found = _ADDRESS.search(one.operands) if _LEAPS.match(one.mnemonic) else None
    return int(found[1], 16) if found else None
