"""Runs in a process of its own: mangled C++ names, one a line, from standard input to standard output, readable.

Rust's names are such too, with a hash at the end, and with signs of its own for what C++ has no letters for (legacy
mangling, rustc's `symbol_names/legacy.rs`): these become the letters, and the hash goes, as in gdb and perf.

A name that is none, or too much, stays as it is. The Itanium C++ ABI's __cxa_demangle takes a buffer to reuse, which it
may move. Without libstdc++ nothing is written, and the names stay as they are.
"""

import ctypes
import os
import re
import resource
from typing import Final

_MEMORY: Final = 512 << 20  # bytes
_CPU_SECONDS: Final = 8
_LINES: Final = 4096
_LONGEST: Final = 4096  # bytes; longer names stay as they are
_LONGEST_RESULT: Final = 16_384  # bytes; each substitution can double a name, so 200 letters can stand for gigabytes


_HASH: Final = re.compile(rb"::h[0-9a-f]{16}(?=$| \[clone )")
_SIGN: Final = re.compile(rb"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$|\.\.")
_SIGNS: Final = {
    b"SP": b"@", b"BP": b"*", b"RF": b"&", b"LT": b"<", b"GT": b">", b"LP": b"(", b"RP": b")", b"C": b",", None: b"::",
}  # fmt: skip


def main() -> None:
    """Demangles what there is, in pieces, so that a name that ends us costs only its piece."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL("libstdc++.so.6")
    own = ctypes.CDLL(None)
    free, strnlen = own.free, own.strnlen
    free.argtypes, free.restype = [ctypes.c_void_p], None
    strnlen.argtypes, strnlen.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_size_t
    demangle = library["__cxa_demangle"]
    demangle.restype = ctypes.c_void_p
    demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    source = os.pread(0, os.fstat(0).st_size, 0)
    names, room = source.split(b"\n"), 8 * len(source) + (16 << 20)
    for start in range(0, len(names), _LINES):
        lines = []
        for name in names[start : start + _LINES]:
            mangled = name.startswith(b"_Z") and len(name) <= _LONGEST  # "i" alone would become "int"
            rust = mangled and b"17h" in name
            whole = name.partition(b".llvm.")[0] if rust else name
            result = demangle(whole, None, None, None) if mangled and room > 0 else None
            readable = ctypes.string_at(result, strnlen(result, _LONGEST_RESULT)) if result else name
            if result:
                free(result)
                if rust:
                    readable = _of_rust(readable)
                room -= len(readable)
            lines.append(readable if len(readable) < _LONGEST_RESULT else name)
        os.write(1, b"\n".join(lines) + b"\n")


def _of_rust(name: bytes) -> bytes:
    """The name as Rust has it, if it has a hash at its end; else as it is."""
    bare, hashes = _HASH.subn(b"", name)
    if not hashes:
        return name
    return _SIGN.sub(_letter, re.sub(rb"(^|::)_(?=\$)", rb"\1", bare))


def _letter(sign: "re.Match[bytes]") -> bytes:
    """What a sign stands for; one that nobody could see stays a sign."""
    known = _SIGNS.get(sign[1])
    if known is None:
        code = int(sign[1][1:], 16)
        seen = code < 0x110000 and chr(code).isprintable()
        known = chr(code).encode() if seen else sign[0]
    return known


if __name__ == "__main__":
    main()
