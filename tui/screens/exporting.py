"""Files that a view is exported to, in the current folder. Knows no widget."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from tui.text import sanitise


async def written(pid: int, contents: Mapping[str, Callable[[], str]]) -> tuple[str, bool]:
    """Makes and writes these, each to a file of that ending; what is to be said, and whether it is bad."""
    name = f"bpfscope-{pid}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    paths = [Path.cwd() / f"{name}.{ending}" for ending in contents]
    shown = ", ".join([sanitise(str(paths[0])), *(f".{ending}" for ending in list(contents)[1:])])
    try:
        for path, content in zip(paths, contents.values(), strict=True):
            await asyncio.to_thread(_write, path, content)
    except OSError as error:
        return f"{shown} can't be written: {(error.strerror or str(error)).lower()}", True
    return f"written to {shown}", False


def _write(path: Path, content: Callable[[], str]) -> None:
    text = content()
    with path.open("x", encoding="utf-8", errors="replace") as file:
        file.write(text)
