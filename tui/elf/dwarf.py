"""Debug information (DWARF 4 and 5) by address, with pyelftools, in the child process that `signatures.py` starts.

pyelftools reads entries and what they refer to. What it does slowly is done here: a table of abbreviations is read only
as far as it is used, .debug_aranges as columns, and a unit's entries are passed over without being made into objects.
Nothing here catches what pyelftools raises on damaged files, which can be anything: the caller does.
"""

import io
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, partial
from typing import Final

from elftools.common.utils import struct_parse
from elftools.dwarf.abbrevtable import AbbrevDecl, AbbrevTable
from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo
from elftools.dwarf.ranges import BaseAddressEntry
from elftools.dwarf.structs import DWARFStructs

from tui.elf.compressed import expanded
from tui.elf.dwarf_outline import outline
from tui.elf.reader import ElfFile
from tui.errors import BinaryError

_LARGEST: Final = 1 << 29  # bytes of all sections together
_SECTIONS: Final = (
    *("info", "abbrev", "aranges", "str", "line_str", "str_offsets", "addr", "ranges", "rnglists", "loc", "loclists"),
    *("line", "types"),
)
_ABSENT: Final = ("frame", "pubtypes", "pubnames", "sup")
_ADDRESSES: Final = ("DW_FORM_addr", "DW_FORM_addrx", *(f"DW_FORM_addrx{size}" for size in range(1, 5)))


class _Abbreviations(AbbrevTable):
    """Reads entries until the one that is asked for: a unit's own is the first of some hundred."""

    def __init__(self, structs: DWARFStructs, stream: io.BytesIO, offset: int) -> None:
        self.structs, self.stream, self._next = structs, stream, offset
        self._known: dict[int, AbbrevDecl] = {}

    def get_abbrev(self, code: int) -> AbbrevDecl:
        while code not in self._known:
            found: int = struct_parse(self.structs.the_Dwarf_uleb128, self.stream, self._next)
            if found == 0:
                raise KeyError(code)
            self._known[found] = AbbrevDecl(found, struct_parse(self.structs.Dwarf_abbrev_declaration, self.stream))
            self._next = self.stream.tell()
        return self._known[code]


class DebugInfo(DWARFInfo):
    """The debug information of one file, in memory. Raises BinaryError where it is larger than is read here."""

    def __init__(self, elf: ElfFile) -> None:
        contents = _contents(elf)
        sections = {f"debug_{name}_sec": _described(name, contents.get(name)) for name in (*_SECTIONS, *_ABSENT)}
        config = DwarfConfig(little_endian=True, machine_arch="x64", default_address_size=8)
        super().__init__(config, eh_frame_sec=None, gnu_debugaltlink_sec=None, **sections)
        self._info, self._arranged = contents["info"], contents.get("aranges", b"")
        self._abbreviations: dict[int, _Abbreviations] = {}
        self._strings = io.BytesIO(contents["abbrev"])
        self.outline = cache(partial(outline, self._info))

    def get_abbrev_table(self, offset: int) -> AbbrevTable:
        """As pyelftools wants it; read step by step."""
        if offset not in self._abbreviations:
            self._abbreviations[offset] = _Abbreviations(self.structs, self._strings, offset)
        return self._abbreviations[offset]

    def get_DIE_by_sig8(self, sig8: int) -> DIE:  # noqa: N802 - pyelftools'
        """The type with a signature: from DWARF 5 on these units are among the others."""
        if sig8 not in self._signed:
            return super().get_DIE_by_sig8(sig8)
        unit = self._signed[sig8]
        return unit.get_DIE_from_refaddr(unit.cu_offset + unit["type_offset"])

    @cached_property
    def _signed(self) -> dict[int, CompileUnit]:
        return {unit["type_signature"]: unit for unit in self.iter_CUs() if "type_signature" in unit.header}

    def functions(self, addresses: Iterable[int]) -> dict[int, DIE]:
        """The entry of each function that begins at one of the addresses."""
        wanted = set(addresses)
        found: dict[int, DIE] = {}
        for unit in self._units(sorted(wanted)):
            for offset in self.outline(unit).functions:
                entry = DIE(unit, unit.get_top_DIE().stream, offset)  # not kept: there are thousands
                start = next(iter(self.ranges(entry)), (-1, -1))[0]
                if start in wanted and start not in found:
                    found[start] = unit.get_DIE_from_refaddr(offset)
            if len(found) == len(wanted):
                break
        return found

    def ranges(self, entry: DIE) -> Iterator[tuple[int, int]]:
        """Where the code of a unit or function lies: start and end; a function's first range begins with its entry."""
        low, high, ranges = (entry.attributes.get(f"DW_AT_{name}") for name in ("low_pc", "high_pc", "ranges"))
        if ranges:
            unit, lists = unit_of(entry), self.range_lists()
            base = self.base(unit)
            for each in lists.get_range_list_at_offset(ranges.value, unit) if lists else ():
                if isinstance(each, BaseAddressEntry):
                    base = each.base_address
                else:
                    shift = 0 if each.is_absolute else base
                    yield each.begin_offset + shift, each.end_offset + shift
        elif low:
            end = high.value if high else 1
            yield low.value, end if high and high.form in _ADDRESSES else low.value + end

    @staticmethod
    def base(unit: CompileUnit) -> int:
        """What offsets in its lists are counted from."""
        low = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        return low.value if low else 0

    def _units(self, addresses: list[int]) -> Iterator[CompileUnit]:
        """The units that have code at any of the sorted addresses, those that .debug_aranges knows first."""
        left = set(addresses)
        seen = set()
        for start, end, offset in _arranged(self._arranged):
            inside = addresses[bisect_left(addresses, start) : bisect_left(addresses, end)]
            left.difference_update(inside)
            if inside and offset not in seen:
                seen.add(offset)
                yield self.get_CU_at(offset)
        if left:
            for unit in self.iter_CUs():
                ranges = self.ranges(unit.get_top_DIE()) if unit.cu_offset not in seen else ()
                if any(start <= address < end for start, end in ranges for address in left):
                    yield unit


def unit_of(entry: DIE) -> CompileUnit:
    """The unit of an entry that has code. Raises ValueError for a unit of types."""
    if not isinstance(entry.cu, CompileUnit):
        raise ValueError(entry.offset)
    return entry.cu


def _contents(elf: ElfFile) -> dict[str, bytes]:
    """The bytes of the sections that are there, without "debug_" in their names. Raises BinaryError."""
    found: dict[str, bytes] = {}
    left = _LARGEST
    for name in _SECTIONS:
        section = elf.section(f".debug_{name}") or elf.section(f".zdebug_{name}")
        if section is None:
            continue
        found[name] = expanded(elf, section, left)
        left -= len(found[name])
        if left < 0:
            raise BinaryError("more than can be read here")
    return found


def _described(name: str, contents: bytes | None) -> DebugSectionDescriptor | None:
    """A section as pyelftools takes it."""
    if contents is None:
        return None
    return DebugSectionDescriptor(io.BytesIO(contents), f".debug_{name}", None, len(contents), 0)


def _arranged(data: bytes) -> Iterator[tuple[int, int, int]]:
    """What .debug_aranges has (DWARF 5, section 6.1.2): start and end of a range of code, offset of its unit."""
    at = 0
    while at + 16 <= len(data):
        length, version, unit, address_size, segment_size = struct.unpack_from("<IHIBB", data, at)
        if length >= 0xFFFFFFF0 or version != 2 or (address_size, segment_size) != (8, 0):
            return  # made for 64-bit offsets, which nobody does: the units' own ranges will do
        end = min(at + 4 + length, len(data))
        pairs = data[at + 16 : end]
        for start, size in struct.iter_unpack("<QQ", pairs[: len(pairs) // 16 * 16]):
            if size:
                yield start, start + size, unit
        at = end
