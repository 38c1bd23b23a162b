"""Files that are there whole or not at all: written aside, then given their name."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Final

from tui.errors import BpfscopeError
from tui.text import sanitise

PUBLIC: Final = 0o666  # less what the umask takes away
PRIVATE: Final = 0o600
_SHORT: Final = 48  # letters of the name that the file has first: with up to four bytes each there is room for the rest
_LINKS: Final = 40  # that lead one to another: as many as the kernel follows


def check(path: str) -> None:
    """Whether a file can be written there, found out before the work is done. Raises BpfscopeError."""
    if not os.path.basename(path) or (os.path.exists(path) and not os.path.isfile(path)):
        raise BpfscopeError(f"cannot write {sanitise(path) or 'to no file'}: it is not a regular file; name another")
    with _failures(path):
        target = _target(path)
        os.close(_aside(target, PRIVATE))
        os.unlink(_partial(target))


def write(path: str, content: str | bytes, mode: int = PUBLIC) -> None:
    """Puts the content there, in place of what was there. Raises BpfscopeError; then that is still there."""
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with _failures(path):
        target = _target(path)
        if os.path.lexists(target) and not os.path.isfile(target):
            raise BpfscopeError(f"cannot write {sanitise(path)}: it is not a regular file; name another")
        with open(_aside(target, mode), "wb") as file:
            try:
                file.write(data)
                file.flush()
                os.replace(_partial(target), target)
            except BaseException:
                os.unlink(_partial(target))
                raise


@contextlib.contextmanager
def _failures(path: str) -> Iterator[None]:
    """What the system refuses, in words."""
    try:
        yield
    except OSError as error:
        raise BpfscopeError(f"cannot write {sanitise(path)}: {error.strerror}; name another file") from None


def _target(path: str) -> str:
    """The file to which the path leads: a link that is there is followed, if we or root made it.

    Somebody else's may have been laid there so that we overwrite a file of ours (symlink(7), proc_sys_fs(5)).
    """
    asked = path
    for _ in range(_LINKS):
        folder = os.path.realpath(os.path.dirname(path))
        path = os.path.join(folder, os.path.basename(path))
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return path
        if not stat.S_ISLNK(found.st_mode):
            return path
        if found.st_uid not in {os.geteuid(), 0}:
            raise BpfscopeError(
                f"cannot write {sanitise(asked)}: it is another user's symbolic link; name another file"
            )
        path = os.path.join(folder, os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _partial(target: str) -> str:
    folder, name = os.path.split(target)
    return os.path.join(folder, f"{name[:_SHORT]}.{os.getpid()}.partial")


def _aside(target: str, mode: int) -> int:
    return os.open(_partial(target), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
