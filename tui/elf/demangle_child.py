"""Runs in a process of its own: mangled names, one a line, from standard input to standard output, readable.

It begins when descriptor 3 is closed at its other end. C++ names are read by the Itanium C++ ABI's __cxa_demangle, of
libstdc++; without that library they stay as they are. Rust's older names (legacy mangling, rustc's
`symbol_names/legacy.rs`) are such too, with a hash at the end and signs for what C++ has no letters for: these become
the letters, and the hash goes, as in gdb and perf. Its newer ones (v0) are read by rust_v0.

A name that is none, or too much, stays as it is.
"""

import ctypes
import os
import re
import resource
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Final

_MEMORY: Final = 512 << 20  # bytes
_CPU_SECONDS: Final = 8
_LINES: Final = 1024
_LONGEST: Final = 4096  # bytes; longer names stay as they are
_LONGEST_RESULT: Final = 16_384  # bytes; each substitution can double a name, so 200 letters can stand for gigabytes
_GO: Final = 3  # the descriptor

_HASH: Final = re.compile(rb"::h[0-9a-f]{16}(?=$| \[clone )")
_SIGN: Final = re.compile(rb"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$|\.\.")
_SIGNS: Final = {
    b"SP": b"@", b"BP": b"*", b"RF": b"&", b"LT": b"<", b"GT": b">", b"LP": b"(", b"RP": b")", b"C": b",", None: b"::",
}  # fmt: skip

Demangle = Callable[[Sequence[bytes]], list[bytes]]  # names to names, a readable one or the same for each


def main() -> None:
    """Demangles what there is, in pieces, so that a name that ends us costs only its piece."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    of_cpp = _of_cpp()
    os.read(_GO, 1)
    source = os.pread(0, os.fstat(0).st_size, 0)
    of_rust = _of_rust() if b"\n_R" in b"\n" + source else list
    names, room = source.split(b"\n"), 8 * len(source) + (16 << 20)
    for start in range(0, len(names), _LINES):
        lines = names[start : start + _LINES]
        if room > 0:
            for sign, demangle in ((b"_Z", of_cpp), (b"_R", of_rust)):
                rows = [row for row, name in enumerate(lines) if name.startswith(sign) and len(name) <= _LONGEST]
                for row, name in zip(rows, demangle([lines[row] for row in rows]), strict=True):
                    lines[row] = name
            room -= sum(map(len, lines))
        os.write(1, b"\n".join(lines) + b"\n")


def _of_cpp() -> Demangle:
    """What makes C++ names readable; many at once, for calls from here take half as long as what they call."""
    library, own = ctypes.PyDLL("libstdc++.so.6"), ctypes.PyDLL(None)
    demangle, free, strnlen = library["__cxa_demangle"], own["free"], own["strnlen"]
    demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    free.argtypes, strnlen.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_size_t]
    demangle.restype, free.restype, strnlen.restype = ctypes.c_void_p, None, ctypes.c_size_t

    def many(names: Sequence[bytes]) -> list[bytes]:
        nothing = repeat(None)
        results = list(map(demangle, map(_without_llvm, names), nothing, nothing, nothing))
        there = array("Q", filter(None, results))
        room = ctypes.POINTER(ctypes.c_char_p * len(there))
        if max(map(strnlen, there, repeat(_LONGEST_RESULT)), default=0) < _LONGEST_RESULT:
            texts: Iterator[bytes] = iter(ctypes.cast(there.buffer_info()[0], room).contents)
        else:
            texts = (ctypes.string_at(each, strnlen(each, _LONGEST_RESULT)) for each in there)
        found = [_shown(name, next(texts)) if result else name for name, result in zip(names, results, strict=True)]
        for each in there:
            free(each)
        return found

    return many


def _without_llvm(name: bytes) -> bytes:
    return name.partition(b".llvm.")[0] if b"17h" in name else name


def _shown(name: bytes, readable: bytes) -> bytes:
    """What is made of a name and what it means: the name itself where that is too long."""
    if len(readable) >= _LONGEST_RESULT:
        return name
    return _with_letters(readable) if b"17h" in name else readable


def _of_rust() -> Demangle:
    """What makes Rust's newer names readable."""
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from tui.elf.rust_v0 import readable

    return lambda names: [readable(name.decode("utf-8", "replace")).encode("utf-8", "replace") for name in names]


def _with_letters(name: bytes) -> bytes:
    """A name as Rust has it, if it has a hash at its end; else as it is."""
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
