"""Rust's older names made readable, after C++ is: rustc's `symbol_names/legacy.rs`.

They are C++ names with a hash at the end, and with signs for what C++ has no letters for. These become the letters, and
the hash goes, as in gdb and perf. Runs in the demangler's child.
"""

import re
from typing import Final

SIGN: Final = re.compile(rb"17h[0-9a-f]{16}E")  # what such a mangled name has in it
_HASH: Final = re.compile(rb"::h[0-9a-f]{16}(?=$| \[clone )")
_SIGN: Final = re.compile(rb"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$|\.\.")
_SIGNS: Final = {
    b"SP": b"@", b"BP": b"*", b"RF": b"&", b"LT": b"<", b"GT": b">", b"LP": b"(", b"RP": b")", b"C": b",", None: b"::",
}  # fmt: skip


def with_letters(name: bytes, readable: bytes) -> bytes:
    """A name that is readable as C++, as Rust has it; one without a hash is none of Rust's, and stays so.

    What LLVM put behind the name was taken off: without a hash it is wanted, and all stays as it was.
    """
    bare, hashes = _HASH.subn(b"", readable)
    if not hashes:
        return name if b".llvm." in name else readable
    return _SIGN.sub(_letter, re.sub(rb"(^|::)_(?=\$)", rb"\1", bare))


def _letter(sign: "re.Match[bytes]") -> bytes:
    """What a sign stands for; one that nobody could see stays a sign."""
    known = _SIGNS.get(sign[1])
    if known is None:
        code = int(sign[1][1:], 16)
        seen = code < 0x110000 and chr(code).isprintable()
        known = chr(code).encode() if seen else sign[0]
    return known
