"""BTF made for tests: types are added one by one, and may lie as they like."""

import struct
from collections.abc import Sequence

from tui.bpf.btf import index

HEADER = struct.Struct("<HBBIIIII")


class Maker:
    """Adds types; each method returns the type's number."""

    def __init__(self) -> None:
        self._types = bytearray()
        self._text = bytearray(b"\0")
        self._next = 1

    def text(self, name: str) -> int:
        """Where a name is."""
        if not name:
            return 0
        at = len(self._text)
        self._text += name.encode() + b"\0"
        return at

    def add(self, kind: int, name: str, last: int, length: int = 0, *, flag: bool = False, more: bytes = b"") -> int:
        """A type of any kind, with what follows it."""
        info = kind << 24 | length | flag << 31
        self._types += struct.pack("<III", self.text(name), info, last) + more
        self._next += 1
        return self._next - 1

    def integer(self, name: str, size: int, encoding: int = 0, bits: int | None = None) -> int:
        """`int` and its like."""
        word = encoding << 24 | (8 * size if bits is None else bits)
        return self.add(index.INT, name, size, more=struct.pack("<I", word))

    def pointer(self, to: int) -> int:
        """A pointer."""
        return self.add(index.PTR, "", to)

    def array(self, of: int, count: int) -> int:
        """An array; of what its index is doesn't matter."""
        return self.add(index.ARRAY, "", 0, more=struct.pack("<III", of, of, count))

    def struct(
        self, name: str, size: int, members: Sequence[tuple[str, int, int] | tuple[str, int, int, int]],
        kind: int = index.STRUCT,
    ) -> int:  # fmt: skip
        """Members are name, type, offset in bits, and of a bit-field its bits."""
        flag = any(len(member) > 3 for member in members)
        more = b""
        for member in members:
            where = member[2] | (member[3] << 24 if len(member) > 3 else 0)
            more += struct.pack("<III", self.text(member[0]), member[1], where)
        return self.add(kind, name, size, len(members), flag=flag, more=more)

    def enumeration(self, name: str, values: Sequence[tuple[str, int]], *, size: int = 4, signed: bool = False) -> int:
        """An enumeration; one of 8 bytes is an ENUM64."""
        more = b""
        for word, value in values:
            at = self.text(word)
            more += (
                struct.pack("<IQ", at, value & (1 << 64) - 1)
                if size == 8
                else struct.pack("<II", at, value & 0xFFFFFFFF)
            )
        return self.add(index.ENUM64 if size == 8 else index.ENUM, name, size, len(values), flag=signed, more=more)

    def section(self, name: str, size: int, variables: Sequence[tuple[int, int, int]]) -> int:
        """Global data: each variable's type, offset and size in bytes."""
        more = b"".join(struct.pack("<III", *variable) for variable in variables)
        return self.add(index.DATASEC, name, size, len(variables), more=more)

    def build(self) -> bytes:
        """The blob."""
        header = HEADER.pack(0xEB9F, 1, 0, 24, 0, len(self._types), len(self._types), len(self._text))
        return header + bytes(self._types) + bytes(self._text)
