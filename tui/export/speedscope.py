"""Stacks as a file for https://www.speedscope.app, by its file-format-schema.json: one profile of weighted samples."""

import json
from collections.abc import Iterable

from tui import __version__
from tui.collectors.samples import Frame, Stack
from tui.export.calltree import frames

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def speedscope(stacks: Iterable[Stack], title: str) -> str:
    """The file's text; a module stands as a frame's file."""
    ordered = sorted(stacks, key=lambda stack: (frames(stack), stack.cut))
    indexes: dict[Frame, int] = {}
    samples = [[indexes.setdefault(frame, len(indexes)) for frame in frames(stack)] for stack in ordered]
    weights = [stack.calls for stack in ordered]
    profile = {
        "type": "sampled",
        "name": title,
        "unit": "none",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }
    file = {
        "$schema": _SCHEMA,
        "shared": {"frames": [{"name": name} | ({"file": module} if module else {}) for name, module in indexes]},
        "profiles": [profile],
        "name": title,
        "activeProfileIndex": 0,
        "exporter": f"bpfscope {__version__}",
    }
    return json.dumps(file, ensure_ascii=False) + "\n"
