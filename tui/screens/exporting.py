"""Files that a view is exported to, in the current folder. Knows no widget."""

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from tui.text import sanitise

Content = Callable[[], str | bytes]
_FORBIDDEN = str.maketrans({"/": "_", "\0": "_"})


async def written(
    subject: int | str, contents: Mapping[str, Callable[[], str]] | Mapping[str, Content]
) -> tuple[str, bool]:
    """Makes and writes these, each to a file of that ending; what is to be said, and whether it is bad.

    `subject`: what it is about, for the name. Bytes (packets) can be read by the file's owner alone.
    """
    name = f"bpfscope-{str(subject).translate(_FORBIDDEN)}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    paths = [Path.cwd() / f"{name}.{ending}" for ending in contents]
    shown = ", ".join([sanitise(str(paths[0])), *(f".{ending}" for ending in list(contents)[1:])])
    try:
        for path, content in zip(paths, contents.values(), strict=True):
            await asyncio.to_thread(_write, path, content)
    except OSError as error:
        return f"{shown} can't be written: {(error.strerror or str(error)).lower()}", True
    return f"written to {shown}", False


def _write(path: Path, content: Content) -> None:
    text = content()
    if isinstance(text, bytes):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as private:
            private.write(text)
        return
    with path.open("x", encoding="utf-8", errors="replace") as file:
        file.write(text)
