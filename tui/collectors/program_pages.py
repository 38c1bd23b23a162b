"""A BPF program's page: its instructions as the verifier left them, and its maps. Read once: it doesn't change."""

import contextlib
import os
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from tui.bpf import symbols
from tui.bpf.btf.index import Btf
from tui.bpf.extended import instructions as ops
from tui.bpf.extended.disassembler import lines
from tui.bpf.inventory import info, kinds
from tui.bpf.inventory.machine_code import machine_code_of
from tui.bpf.inventory.sources import Sources, sources_of
from tui.bpf.objects import refusal
from tui.collectors import program_machine
from tui.collectors.program_context import memlock
from tui.collectors.program_samples import CodeLine, ProgramMap, ProgramPage
from tui.errors import BinaryError, BpfscopeError

_MOST: Final = 100_000  # slots that are listed
_MAP_KINDS: Final = (ops.MAP_FD, ops.MAP_VALUE)
_HELPER, _LOCAL, _KERNEL = 0, ops.LOCAL, ops.KERNEL  # the source register of a call
_FAR: Final = "aarch64"  # there calls of the kernel's functions have types, and offsets for modules', not distances
_KERNEL_TYPES: Final = "/sys/kernel/btf/vmlinux"
_CALL: Final = ops.JMP | ops.CALL


def read(number: int) -> ProgramPage:
    """The page of a program by its number. Raises TargetError where there is none, NotPermitted."""
    with info.program(number) as fd:
        try:
            described = info.Program.of(fd)
            code = info.instructions_of(fd)
            sources, machine = _sources(fd), machine_code_of(fd)
            maps = tuple(_maps(info.maps_of(fd)))
        except OSError as error:
            raise refusal(error, f"read program {number}") from None
    reason = "" if code else "the kernel doesn't show its instructions to this user: CAP_SYS_ADMIN does it"
    names = {one.id: one.name for one in maps}
    shown = listing(code[: _MOST * ops.SLOT], names, sources, jited=bool(described.jited))
    return ProgramPage(number, tuple(shown), reason, maps, tuple(program_machine.listing(machine, sources)))


def _sources(fd: int) -> Sources:
    """None of a program whose BTF is damaged, or gone."""
    try:
        return sources_of(fd)
    except BpfscopeError:
        return Sources()


def listing(code: bytes, maps: Mapping[int, str], sources: Sources, *, jited: bool) -> Iterator[CodeLine]:
    """The instructions, maps and functions by their names; above them the functions and source lines they are of."""
    above = _above(sources)
    functions = {one.slot: one.name for one in sources.functions}
    calls = dict(_calls(code))
    by_type = os.uname().machine == _FAR
    kernels = {imm for source, offset, imm in calls.values() if source == _KERNEL and not (by_type and offset)}
    names = symbols.read({imm for source, _, imm in calls.values() if source == _HELPER} | kernels).called
    kernel_names = _functions_by_type(kernels) if by_type else names
    for line in lines(code, dict(_references(code, maps))):
        text = line.text
        if line.slot in calls:
            source, offset, imm = calls[line.slot]
            if source == _HELPER and imm in names:
                text = f"call {names[imm]}"
            elif source == _KERNEL and imm in kernels and imm in kernel_names:
                text = f"call {kernel_names[imm]}"
            elif source == _LOCAL:
                leap = offset if jited else imm  # of machine code the constant is the function's index
                text = f"call pc{leap:+} {functions.get(line.slot + 1 + leap, '')}".rstrip()
        yield from above.get(line.slot, ())
        yield CodeLine(line.slot, text)


def _above(sources: Sources) -> dict[int, list[CodeLine]]:
    """What stands above the instruction of a slot. A line that goes on isn't said again."""
    found: dict[int, list[CodeLine]] = {}
    if len(sources.functions) > 1:
        for function in sources.functions:
            found.setdefault(function.slot, []).append(CodeLine(function.slot, f"{function.name}:", source=True))
    before = None
    for one in sources.lines:
        if (one.file, one.line) != before and one.source:
            place = f"{one.file.rpartition('/')[2]}:{one.line}"
            found.setdefault(one.slot, []).append(CodeLine(one.slot, one.source, source=True, place=place))
        before = (one.file, one.line)
    return found


def _functions_by_type(numbers: Collection[int]) -> dict[int, str]:
    """The names of functions of the kernel by the numbers of their types (kfuncs), as far as it tells its types."""
    if not numbers:
        return {}
    try:
        with open(_KERNEL_TYPES, "rb") as file:
            types = Btf(file.read())
        return {number: types.type(number).name for number in numbers}
    except (OSError, BinaryError):
        return {}


def _calls(code: bytes) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """The slot of each call, with its source register, offset and constant."""
    for slot in _slots(code):
        opcode, registers, offset, imm = struct.unpack_from("=BBhi", code, slot * ops.SLOT)
        if opcode == _CALL:
            yield slot, (registers >> 4, offset, imm)


def _references(code: bytes, maps: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """The slot of each reference to a map, with what the map is called: id:12 counters."""
    for slot in _slots(code):
        opcode, registers, _, imm = struct.unpack_from("=BBhI", code, slot * ops.SLOT)
        if opcode == ops.LD_IMM64 and registers >> 4 in _MAP_KINDS:
            yield slot, f"id:{imm} {maps.get(imm, '')}".rstrip()


def _slots(code: bytes) -> Iterator[int]:
    """Where instructions begin."""
    slot = 0
    while slot < len(code) // ops.SLOT:
        yield slot
        slot += 2 if code[slot * ops.SLOT] == ops.LD_IMM64 else 1


def _maps(numbers: Sequence[int]) -> Iterator[ProgramMap]:
    for number in numbers:
        with contextlib.suppress(BpfscopeError, OSError), info.map_of(number) as fd:
            one = info.Map.of(fd)
            kind = kinds.map_type(one.type)
            yield ProgramMap(number, kind, one.name, one.key_size, one.value_size, one.entries, memlock(fd))
