"""What is pinned: programs, maps and links that a name in a BPF file system keeps, whoever made it."""

import contextlib
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.text import sanitise

_MOST: Final = 10_000  # names
_DEEPEST: Final = 32  # folders


class Pins(NamedTuple):
    """Paths by number."""

    programs: dict[int, tuple[str, ...]]
    maps: dict[int, tuple[str, ...]]
    links: dict[int, tuple[str, ...]]


def pins() -> Pins:
    """All that our mounts show, at most 10,000 names; what we may not open is left out."""
    found: dict[str, dict[int, list[str]]] = {"bpf-prog": {}, "bpf-map": {}, "bpf_link": {}}
    for number, path in enumerate(path for mount in _mounts() for path in _names(mount, 0)):
        if number >= _MOST:
            break
        with contextlib.suppress(OSError):
            kind, identity = _opened(path)
            if kind in found:
                found[kind].setdefault(identity, []).append(sanitise(os.fsdecode(path)))
    return Pins(*({number: tuple(sorted(set(paths))) for number, paths in each.items()} for each in found.values()))


def _opened(path: bytes) -> tuple[str, int]:
    """The kind of what is pinned there, as its file descriptor is called, and its number."""
    fd = kernel.pinned(path)
    try:
        kind = os.readlink(f"/proc/self/fd/{fd}").removeprefix("anon_inode:").replace("bpf-link", "bpf_link")
        return kind, struct.unpack_from("4xI", kernel.info(fd, 8))[0]  # type and number come first in all three
    finally:
        os.close(fd)


def _mounts() -> Iterator[bytes]:
    """Where BPF file systems are, each once (proc(5): mountinfo)."""
    seen = set()
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            fields = line.split()
            if b"-" in fields and fields[fields.index(b"-") + 1] == b"bpf" and fields[2] not in seen:
                seen.add(fields[2])
                yield fields[4].replace(b"\\040", b" ").replace(b"\\011", b"\t").replace(b"\\134", b"\\")


def _names(folder: bytes, depth: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEEPEST:
                    yield from _names(entry.path, depth + 1)
            elif not entry.is_symlink():
                yield entry.path
