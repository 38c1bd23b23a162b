"""Runs in a process of its own: mangled names, one a line, from standard input to standard output, readable.

Names come in pieces with zero bytes between them. It begins when descriptor 3 is closed at its other end. C++ names are
read by the Itanium C++ ABI's __cxa_demangle, of libstdc++; without that library nothing is written, and the names stay
as they are. Rust's are read by rust_legacy and rust_v0. A name that is none, or too much, stays as it is. What a
function returns, where its readable name says so, comes after the name and a tab.

Starting takes longer than 10,000 names: so nothing is imported that can be done without.
"""

import ctypes
import os
import resource
import sys
from array import array
from itertools import repeat

TYPE_CHECKING = False  # typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Demangle = Callable[[Sequence[bytes]], list[bytes]]  # names to names, a readable one or the same for each

_MEMORY = 512 << 20  # bytes
_CPU_SECONDS = 8
_LONGEST = 4096  # bytes; longer names stay as they are
_LONGEST_RESULT = 16_384  # bytes; each substitution can double a name, so 200 letters can stand for gigabytes
_GO = 3  # the descriptor
_TAB = "␉".encode()  # as it is shown


def main() -> None:
    """Demangles what there is; a name that ends us costs only its piece."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    of_cpp = _of_cpp()
    os.read(_GO, 1)
    source = os.pread(0, os.fstat(0).st_size, 0).replace(b"\t", _TAB)
    kinds = [(b"_Z", _with_legacy(of_cpp) if b"17h" in source else of_cpp)]
    if b"_R" in source:
        kinds.append((b"_R", _of_rust()))
    room = 8 * len(source) + (16 << 20)
    for piece in source.split(b"\0"):
        lines = piece.split(b"\n")
        for sign, demangle in kinds if room > 0 else ():
            rows = [row for row, name in enumerate(lines) if name.startswith(sign) and len(name) <= _LONGEST]
            for row, name in zip(rows, demangle([lines[row] for row in rows]), strict=True):
                lines[row] = name
        room -= sum(map(len, lines))
        os.write(1, b"\n".join(lines) + b"\n")


def _of_cpp() -> "Demangle":
    """What makes C++ names readable; many at once, for calls from here take half as long as what they call."""
    from tui.elf.return_types import parted

    library, own = ctypes.PyDLL("libstdc++.so.6"), ctypes.PyDLL(None)
    demangle, free, strnlen = library["__cxa_demangle"], own["free"], own["strnlen"]
    demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    free.argtypes, strnlen.argtypes = [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_size_t]
    demangle.restype, free.restype, strnlen.restype = ctypes.c_void_p, None, ctypes.c_size_t

    def many(names: "Sequence[bytes]") -> list[bytes]:
        nothing = repeat(None)
        results = [result or 0 for result in map(demangle, names, nothing, nothing, nothing)]
        try:
            found = (ctypes.c_char_p * len(results)).from_buffer(array("Q", results))[:]
            if max(map(len, filter(None, found)), default=0) >= _LONGEST_RESULT:
                raise MemoryError
        except MemoryError:
            found = [ctypes.string_at(one, strnlen(one, _LONGEST_RESULT)) if one else None for one in results]
            found = [text if text and len(text) < _LONGEST_RESULT else None for text in found]
        for _ in map(free, results):
            pass
        readable = [text or name for text, name in zip(found, names, strict=True)]
        for row in [row for row, text in enumerate(readable) if b">(" in text]:
            name, returns = parted(str(readable[row], "utf-8", "surrogateescape"))
            if returns:
                readable[row] = f"{name}\t{returns}".encode("utf-8", "surrogateescape")
        return readable

    return many


def _with_legacy(of_cpp: "Demangle") -> "Demangle":
    """The same, where names may be Rust's."""
    from tui.elf import rust_legacy

    def many(names: "Sequence[bytes]") -> list[bytes]:
        if not rust_legacy.SIGN.search(b"\n".join(names)):
            return of_cpp(names)
        readable = of_cpp([name.partition(b".llvm.")[0] for name in names])
        return list(map(rust_legacy.with_letters, names, readable))

    return many


def _of_rust() -> "Demangle":
    """What makes Rust's newer names readable."""
    from tui.elf.rust_v0 import readable

    return lambda names: [readable(name.decode("utf-8", "replace")).encode("utf-8", "replace") for name in names]


if __name__ == "__main__":
    main()
