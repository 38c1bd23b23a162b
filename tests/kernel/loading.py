"""Shorthand of the tests that load C: a source from a text, from the library; its maps and events."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kernel.probing import wait_until
from tui.collectors.load_request import request
from tui.collectors.loaded import Event, Loaded


def library(name: str, target: str = "") -> Loaded:
    """One of the library's, attached."""
    return Loaded(request(name, target))


def written(folder: Path, source: str, name: str = "program.c") -> Path:
    """The source as a file."""
    path = folder / name
    path.write_text(source)
    return path


def from_text(folder: Path, source: str, *hooks: str, target: str = "", only: str = "") -> Loaded:
    """A source, attached."""
    return Loaded(request(str(written(folder, source)), target, hooks, only))


def table(loaded: Loaded, name: str) -> dict[Any, Any]:
    """A map's entries now; keys that are structs as tuples of their members."""
    sample = loaded.read()
    entries = sample.maps[sample.names.index(name)].entries
    return {_hashable(one.key): one.value for one in entries}


def _hashable(key: Any) -> Any:  # noqa: ANN401 - whatever a map has
    if isinstance(key, dict):
        return tuple(map(_hashable, key.values()))
    return tuple(key) if isinstance(key, list) else key


def collected(loaded: Loaded, wanted: Callable[[dict[str, Any]], object], number: int) -> list[dict[str, Any]]:
    """Events for which that holds, once there are so many; and none more comes for a moment."""
    found: list[dict[str, Any]] = []

    def enough() -> bool:
        found.extend(values(loaded.events(), wanted))
        return len(found) >= number

    wait_until(enough, f"{number} events")
    time.sleep(0.05)
    return found + values(loaded.events(), wanted)


def values(events: list[Event], wanted: Callable[[dict[str, Any]], object]) -> list[dict[str, Any]]:
    return [event.value for event in events if isinstance(event.value, dict) and wanted(event.value)]
