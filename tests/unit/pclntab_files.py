"""Go's table of functions, made by hand as Go 1.16, 1.18 and 1.20 lay it out, and files that hold it.

program(GO_120).build()
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from tests.unit.elf_files import CODE, CODE_AT, Elf, Load, Symbol, symbol_table

GO_116, GO_118, GO_120 = 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
TEXT: Final = CODE_AT + 16  # where Go's code begins; C's lies before
DATA_AT: Final = CODE_AT + len(CODE)  # of the table, in the file and in memory


class Made(NamedTuple):
    """A function of the table; addresses and sizes in bytes, lines as the distances at which they end."""

    name: str
    address: int
    size: int
    file: int = 0
    lines: Sequence[tuple[int, int]] = ()


FILES: Final = ("/srv/fib.go", "/usr/lib/go/src/runtime/proc.go")
FUNCTIONS: Final = (
    Made("runtime.rt0_go", TEXT, 16, 1, [(16, 70_000)]),
    Made("main.fibonacci", TEXT + 16, 9, 0, [(4, 7), (9, 9)]),
    Made("main.Map[...]", TEXT + 32, 5, 0, [(5, 3)]),
    Made("main.writer·1.Write", TEXT + 48, 16, 0, [(2, 12), (3, 11), (16, 200)]),
)


def table(magic: int, functions: Sequence[Made] = FUNCTIONS, text: int = 0, quantum: int = 1) -> bytes:
    """The table's bytes; `text` is what its header says."""
    numbers, names = bytearray(1), bytearray(b"\0")
    records: list[bytes] = []
    for made in functions:
        name = len(names)
        names += made.name.encode() + b"\0"
        entry = struct.pack("<Q", made.address) if magic == GO_116 else struct.pack("<I", made.address - TEXT)
        stack, file, lines = (
            _numbers(numbers, steps, quantum) for steps in ([(made.size, 8)], [(made.size, made.file)], made.lines)
        )
        records.append(entry + struct.pack("<iiIIIIII4x", name, 0, 0, stack, file, lines, 0, 0))
    paths = b"".join(path.encode() + b"\0" for path in FILES)
    units = struct.pack("<2I", 0, len(FILES[0]) + 1)
    width = "Q" if magic == GO_116 else "I"
    base = 0 if magic == GO_116 else TEXT
    end = functions[-1].address + 16
    at = struct.calcsize("<" + width) * (2 * len(functions) + 1)
    rows = b""
    for made, record in zip(functions, records, strict=True):
        rows += struct.pack(f"<2{width}", made.address - base, at)
        at += len(record)
    rows += struct.pack(f"<{width}", end - base) + b"".join(records)
    parts = [bytes(names), units, paths, bytes(numbers), rows]
    start = 8 + 8 * (7 if magic == GO_116 else 8)
    offsets = []
    body = bytearray()
    for part in parts:
        body += bytes(-(start + len(body)) % 8)
        offsets.append(start + len(body))
        body += part
    words = [len(functions), len(FILES), *([] if magic == GO_116 else [text]), *offsets]
    return struct.pack(f"<IHBB{len(words)}Q", magic, 0, quantum, 8, *words) + body


def record(data: bytes, address: int = DATA_AT, text: int = TEXT) -> bytes:
    """The module's record (moduledata), as far as it is read."""
    magic, words = struct.unpack_from("<I", data)[0], struct.unpack_from("<8Q", data, 8)
    names = words[2] if magic == GO_116 else words[3]
    last = FUNCTIONS[-1].address + 16
    return struct.pack("<23Q", address, address + names, *[0] * 18, FUNCTIONS[0].address, last, text)


def program(
    data: bytes,
    module: bytes | None = None,
    names: Sequence[str] = (".gopclntab", ".go.module"),
    dynamic: Sequence[Symbol] = (),
) -> Elf:
    """A file with a table and, behind it, the module's record, both in a segment of data.

    What `dynamic` takes must be divided by eight, as linkers see to it.
    """
    at = DATA_AT + sum(map(len, symbol_table(dynamic))) if dynamic else DATA_AT
    data += bytes(-len(data) % 8)
    module = record(data, at) if module is None else module
    loads = [Load(CODE_AT, CODE_AT, len(CODE)), Load(at, at, len(data) + len(module), 6)]
    return Elf(loads=loads, dynamic=dynamic, extra=[(names[0], data), (names[1], module)])


def _numbers(numbers: bytearray, steps: Sequence[tuple[int, int]], quantum: int) -> int:
    """Adds a table of values by the distances at which they end; where it begins."""
    at, before, reach = len(numbers), -1, 0
    for end, value in steps:
        change = value - before
        numbers += _varint(change << 1 if change >= 0 else (-change << 1) - 1) + _varint((end - reach) // quantum)
        before, reach = value, end
    numbers += b"\0"
    return at


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])
