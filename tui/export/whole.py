"""Files that are there whole or not at all: written aside, then given their name."""

import contextlib
import os
from collections.abc import Iterator

from tui.errors import BpfscopeError
from tui.text import sanitise


def check(path: str) -> None:
    """Whether a file can be written there, found out before the work is done. Raises BpfscopeError."""
    if not os.path.basename(path) or (os.path.lexists(path) and not os.path.isfile(path)):
        raise BpfscopeError(f"cannot write {sanitise(path)}: it is not a regular file; name another")
    with _failures(path):
        os.close(_aside(path))
        os.unlink(_partial(path))


def write(path: str, text: str) -> None:
    """Puts the text there, in place of what was there. Raises BpfscopeError; then that is still there."""
    with _failures(path), open(_aside(path), "w", encoding="utf-8", errors="replace") as file:
        try:
            file.write(text)
            file.flush()
            os.replace(_partial(path), os.path.realpath(path))
        except BaseException:
            os.unlink(_partial(path))
            raise


@contextlib.contextmanager
def _failures(path: str) -> Iterator[None]:
    """What the system refuses, in words."""
    try:
        yield
    except OSError as error:
        raise BpfscopeError(f"cannot write {sanitise(path)}: {error.strerror}; name another file") from None


def _partial(path: str) -> str:
    return f"{os.path.realpath(path)}.{os.getpid()}.partial"


def _aside(path: str) -> int:
    return os.open(_partial(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
