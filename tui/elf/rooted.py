"""Opens files as a process sees them, and never one outside of its root directory.

What a container's paths lead to is its own choice: links are followed within the root (openat2(2), RESOLVE_IN_ROOT,
Linux 5.6), none of /proc's that lead out; and what isn't a regular file is found out without being opened: a device
that a process maps may do anything then.
"""

import ctypes
import errno
import os
import re
import stat
import struct
from typing import Final

OURS: Final = "/"  # the root directory of a file that was named by its path
_OPENAT2: Final = 437  # on x86-64 and arm64
_NO_MAGIC_LINKS, _IN_ROOT = 0x02, 0x10
_INSIDE: Final = re.compile(r"(/proc/\d+/root)(/.*)", re.DOTALL)  # a path, as a process sees it
_TRIES: Final = 5  # the kernel gives up, with EAGAIN, when something is renamed meanwhile


class NotRegular(OSError):
    """A device, a FIFO, a folder."""


def opened(path: str) -> int:
    """A descriptor to read a regular file from; below /proc/PID/root as that process sees it. Raises OSError."""
    if inside := _INSIDE.fullmatch(path):
        return open_regular(inside[1], inside[2])
    return _regular(os.open(path, os.O_PATH | os.O_CLOEXEC))


def open_regular(root: str, path: str, *, link: bool = True) -> int:
    """A descriptor to read the regular file from; `link`: it may be reached by a symbolic link. Raises OSError."""
    return _regular(_found(root, path, link=link))


def identity(root: str, path: str) -> tuple[int, int]:
    """Device and inode of what lies at the path. Raises OSError."""
    found = _found(root, path)
    try:
        status = os.fstat(found)
        return status.st_dev, status.st_ino
    finally:
        os.close(found)


def same(root: str) -> bool:
    """Whether paths below a process's root directory, as /proc/811/root, mean the same files as ours."""
    pairs = ((root, "/"), (f"{os.path.dirname(root)}/ns/mnt", "/proc/self/ns/mnt"))
    try:
        return all(os.path.samefile(*pair) for pair in pairs)
    except OSError:
        return False


def _found(root: str, path: str, *, link: bool = True) -> int:
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _open_path(base, path, os.O_PATH | os.O_CLOEXEC | (0 if link else os.O_NOFOLLOW))
    finally:
        os.close(base)


def _regular(found: int) -> int:
    """The same file, open to be read; `found` is closed."""
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise NotRegular(errno.EINVAL, "not a regular file")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(found)


def _open_path(base: int, path: str, flags: int) -> int:
    how = struct.pack("QQQ", flags, 0, _IN_ROOT | _NO_MAGIC_LINKS)  # struct open_how
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(_TRIES):
        found: int = libc.syscall(_OPENAT2, base, os.fsencode(path), how, ctypes.c_size_t(len(how)))
        if found >= 0:
            return found
        if ctypes.get_errno() != errno.EAGAIN:
            break
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
