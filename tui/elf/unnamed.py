"""Functions that no source names: where code begins and ends, by what the file says for the unwinder (.eh_frame).

Compilers also write records for what isn't a function: for .plt, for the rarely run parts that they split off. So these
are places in the file, called program+0x11f0, as stacks call an address without a name. Left out is what is known to be
none: stubs, a signal's trampoline, code that begins with its frame already made, and what overlaps other functions.
A part without a frame of its own can't be told: a probe there counts how often it is jumped to.
"""

import struct
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from tui.elf.reader import ElfFile
from tui.elf.unwinding import DEFINE_OFFSET, Common, Unwinding
from tui.errors import BinaryError

_MOST_FOUND: Final = 1 << 20  # records
_MOST_COMMON: Final = 1 << 14  # records that others share; compilers make one or two for each object file at most
_SECONDS: Final = 3.0  # in which what compilers write has long been read
_RECORD: Final = struct.Struct("<IIiI")  # length, distance to the common one, where code begins, bytes of it
_HEAD: Final = struct.Struct("<II")
_ENCODING: Final = 0x1B  # of the latter two: what all compilers write
_STUBS: Final = (".plt", ".plt.sec", ".plt.got")
_ADVANCE: Final = frozenset((0, 2, 3, 4, *range(0x40, 0x80)))  # instructions before which the frame is as it was


def ranges(elf: ElfFile, starts: Sequence[int], sizes: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Addresses and sizes, by address, besides the functions that are known, which are given in any order.

    Nothing of files with more than so many bytes of records. Damaged ones end it, or are passed over.
    """
    begun = sorted(_begun(elf, most))
    if not begun:
        return []
    with_sizes = sorted(zip(starts, sizes, strict=True))
    known = [start for start, _ in with_sizes]
    ends = list(accumulate((start + max(size, 1) for start, size in with_sizes), max))
    stubs = [section for name in _STUBS if (section := elf.section(name))]
    found: list[tuple[int, int]] = []
    last = 0
    for start, size in begun:
        before = bisect_right(known, start) - 1
        after = known[before + 1] if before + 1 < len(known) else start + size
        if start < last or (before >= 0 and ends[before] > start) or after < start + size:
            continue
        if not any(section.address <= start < section.address + section.size for section in stubs):
            found.append((start, size))
            last = start + size
    return found


def _begun(elf: ElfFile, most: int) -> Iterator[tuple[int, int]]:
    """Code that has a record and begins before anything is on its stack; of records of at most so many bytes."""
    section = elf.section(".eh_frame")
    if section is None or section.size > most:
        return
    try:
        data = elf.contents(section)
    except BinaryError:
        return
    unwinding = Unwinding(elf)
    common: dict[int, Common | None] = {}
    until = time.monotonic() + _SECONDS
    for at in _records(data):
        length, back, begin, size = _RECORD.unpack_from(data, at)
        record = section.address + at
        shared = record + 4 - back
        if shared not in common:
            if len(common) >= _MOST_COMMON:
                return
            common[shared] = unwinding.common(shared)
        kind = common[shared]
        if time.monotonic() > until:
            return
        if kind is None or kind.code != _ENCODING or kind.signal or not size:
            continue
        first = at + _RECORD.size
        if kind.sized:
            first += 1 + data[first] if first < len(data) else 0  # longer ones than 127 bytes no compiler makes
        instructions = data[first : min(at + 4 + length, len(data))]
        usual = not instructions or instructions[0] in _ADVANCE
        if usual or (not _is_split(instructions, kind) and unwinding.first_height(record) == kind.height):
            yield record + 8 + begin, size


def _records(data: bytes) -> Iterator[int]:
    """Where each record of code lies that is whole; common ones have 0 in their second word."""
    at = found = 0
    while at <= len(data) - _RECORD.size and found < _MOST_FOUND:
        length, back = _HEAD.unpack_from(data, at)
        if length and back:
            found += 1
            yield at
        at += 4 + length  # a zero is an end, after which there may be more of another object file


def _is_split(instructions: bytes, common: Common) -> bool:
    """Whether the first of a record's instructions says that there is a frame already, in the usual way."""
    if len(instructions) < 2 or instructions[0] != DEFINE_OFFSET or common.height is None:
        return False
    return instructions[1] < 0x80 and instructions[1] != common.height.offset
