"""USDT probes: places that a program's author has named, each with arguments, as `.note.stapsdt` lists them.

A probe may lie at several places; it is one all the same. At each there is a nop, and in the file's data there may be a
counter (its semaphore) that is above 0 while somebody looks: programs ask it before they prepare arguments.

Layout: systemtap's sys/sdt.h and UserSpaceProbeImplementation; linkers keep it as it is. The notes give addresses as of
the time of linking: where .stapsdt.base has moved since (prelink), they have moved as far.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from tui.elf.names import USDT, Function
from tui.elf.reader import AARCH64, ElfFile
from tui.text import sanitise

_NOTE: Final = struct.Struct("<III")  # sizes of the name and the content, type
_OWNER: Final = b"stapsdt\0"
_KIND: Final = 3  # NT_STAPSDT
_PLACE: Final = struct.Struct("<QQQ")  # the nop, .stapsdt.base, the semaphore; then three texts
_LARGEST: Final = 8 << 20  # bytes of notes that are looked at; a probe takes about 100
_MOST: Final = 65_536  # notes
_MOST_SEGMENTS: Final = 64  # that are searched for each; linkers make a handful
_LONGEST_NAME: Final = 256  # bytes
_LONGEST_ARGUMENTS: Final = 2_048
_FARTHEST: Final = 1 << 32  # bytes; perf events take no offset beyond
_NOPS: Final = {AARCH64: b"\x1f\x20\x03\xd5"}
_NO_SEMAPHORE: Final = "its semaphore is not in the file's data, or at an odd address"
_NO_NOP: Final = "there is no nop where its note says"


class Location(NamedTuple):
    """One of a probe's places."""

    address: int  # virtual address in the file
    offset: int  # in the file
    semaphore: int  # offset in the file; 0: it has none
    arguments: str  # as the note has them: "8@%rdi -4@$5"; sanitised
    refused: str = ""  # why no probe can go there


class Probe(NamedTuple):
    """A probe with its places, at least one, by their addresses."""

    name: str  # usdt:PROVIDER:NAME; sanitised
    locations: tuple[Location, ...]


def probes(elf: ElfFile) -> list[Probe]:
    """The file's probes by name; what is damaged is left out."""
    section, base = elf.section(".note.stapsdt"), elf.section(".stapsdt.base")
    if section is None:
        return []
    found: dict[str, dict[int, Location]] = {}
    for nop, linked, semaphore, name, arguments in _notes(elf.bytes_at(section.offset, min(section.size, _LARGEST))):
        moved = base.address - linked if base and linked else 0
        location = _location(elf, nop + moved, semaphore and semaphore + moved, arguments)
        if location:
            found.setdefault(name, {}).setdefault(location.address, location)
    return [Probe(name, tuple(found[name][at] for at in sorted(found[name]))) for name in sorted(found)]


def functions(elf: ElfFile, module: str) -> list[Function]:
    """The probes as rows beside a module's functions; `address` and `offset` are of the first place."""
    return [
        Function(module, name, name, places[0].address, 0, USDT, places[0].offset, unprobeable=_refused(places))
        for name, places in probes(elf)
    ]


def _refused(places: Iterable[Location]) -> str:
    """Why no probe can go to any of the places."""
    reasons = [place.refused for place in places]
    return reasons[0] if all(reasons) else ""


def _notes(data: bytes) -> Iterator[tuple[int, int, int, str, str]]:
    """Each note's addresses (of the nop, the base, the semaphore), the probe's name and its arguments."""
    at = 0
    for _ in range(_MOST):
        if at + _NOTE.size > len(data):
            return
        owner_size, size, kind = _NOTE.unpack_from(data, at)
        owner = at + _NOTE.size
        start = owner + _aligned(owner_size)
        at = start + _aligned(size)
        content = data[start : start + size]
        if kind != _KIND or data[owner : owner + owner_size] != _OWNER or len(content) < max(size, _PLACE.size):
            continue
        provider, name, arguments, *_ = *content[_PLACE.size :].split(b"\0", 3), b"", b"", b""
        if provider and name:
            said = f"usdt:{_text(provider, _LONGEST_NAME)}:{_text(name, _LONGEST_NAME)}"
            yield *_PLACE.unpack_from(content), said, _text(arguments, _LONGEST_ARGUMENTS)


def _aligned(size: int) -> int:
    return size + 3 & ~3


def _text(raw: bytes, longest: int) -> str:
    return sanitise(raw[:longest].decode("utf-8", "surrogateescape"))


def _location(elf: ElfFile, address: int, semaphore: int, arguments: str) -> Location | None:
    """None where the place isn't in code of the file."""
    (offset,) = elf.file_offsets([address])
    if offset < 0:
        return None
    counter = _counter(elf, semaphore) if semaphore else 0
    refused = "" if _is_nop(elf, offset) else _NO_NOP
    return Location(address, offset, max(counter, 0), arguments, refused or (_NO_SEMAPHORE if counter < 0 else ""))


def _is_nop(elf: ElfFile, offset: int) -> bool:
    """A place without one may lie within an instruction, and a probe there would end the program."""
    nop = _NOPS.get(elf.machine, b"\x90")
    return elf.bytes_at(offset, len(nop)) == nop


def _counter(elf: ElfFile, address: int) -> int:
    """The offset in the file of two bytes that the program can write, at an even address (6.18: uprobe_register); -1
    where there are none.
    """
    for segment in elf.segments[:_MOST_SEGMENTS]:
        at = address - segment.address
        offset = segment.offset + at
        if segment.writable and not offset & 1 and 0 <= at <= segment.file_size - 2 and offset < _FARTHEST:
            return offset
    return -1
