"""The plain data of this package: modules and functions."""

from typing import Final, NamedTuple

JIT: Final = "[jit]"  # the name of the module of what a JIT compiler made
USDT: Final = "usdt"  # the origin of what isn't a function but a place that the program's author has named
UNWIND: Final = "unwind"  # the origin of code without a name, known by what the file says for the unwinder


class Module(NamedTuple):
    """An ELF file mapped by a target, or what a JIT compiler has made in its memory, by the map that it keeps of it.

    `name` and `path` are for people (sanitised); `file` is what to open: for a process its map_files entry, which
    leads to the very file that is mapped even after it was replaced or deleted.
    """

    name: str  # the file's name, unique among the target's modules: libc.so.6
    path: str  # as the target sees it: /usr/lib/x86_64-linux-gnu/libc.so.6
    file: str  # /proc/811/map_files/7f12a000-7f13b000, or the path itself; empty where the code is in no file
    device: int
    inode: int
    root: str = "/"  # where the path begins: /proc/811/root, or our own root directory


class Function(NamedTuple):
    """A named code range of a module. Functions that share an address are one, with `aliases`."""

    module: str  # Module.name
    name: str  # readable, sanitised
    raw_name: str  # as in the file, sanitised
    address: int  # virtual address in the file, bytes
    size: int  # bytes; 0 where the file doesn't say
    origin: str  # one of listing.ORIGINS: which source named it
    offset: int  # of the first byte in the file
    aliases: tuple[str, ...] = ()  # other names of the same address
    unprobeable: str = ""  # why no probe can go here; empty: one can
    returns: str = ""  # the type, where the readable name begins with it, as those of C++ templates do; not in `name`


class Skipped(NamedTuple):
    """A function that was asked for and is not probed."""

    function: Function
    reason: str
