"""Runs in a process of its own: mangled C++ names, one a line, from standard input to standard output, readable.

A name that is none, or too much, stays as it is. The Itanium C++ ABI's __cxa_demangle takes a buffer to reuse, which it
may move. Without libstdc++ nothing is written, and the names stay as they are.
"""

import ctypes
import os
import resource
from typing import Final

_MEMORY: Final = 512 << 20  # bytes
_CPU_SECONDS: Final = 8
_LINES: Final = 4096
_LONGEST: Final = 4096  # bytes; longer names stay as they are
_LONGEST_RESULT: Final = 16_384  # bytes; each substitution can double a name, so 200 letters can stand for gigabytes


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
            result = demangle(name, None, None, None) if mangled and room > 0 else None
            readable = ctypes.string_at(result, strnlen(result, _LONGEST_RESULT)) if result else name
            if result:
                free(result)
                room -= len(readable)
            lines.append(readable if len(readable) < _LONGEST_RESULT else name)
        os.write(1, b"\n".join(lines) + b"\n")


if __name__ == "__main__":
    main()
