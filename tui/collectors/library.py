"""The C programs that come with bpfscope (tui/library): each is a source that anybody can copy and change."""

import os
import re
from typing import Final, NamedTuple

from tui.bpf.loading import preparing
from tui.errors import UsageError

FOLDER: Final = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "library")


class Ready(NamedTuple):
    """One of them."""

    name: str
    about: str  # a sentence or two
    path: str
    hooks: tuple[str, ...]  # where its programs run: tracepoint:sched:sched_switch
    needs: str = ""  # what has to be named beside it: IFACE


def ready() -> tuple[Ready, ...]:
    """All of them by name."""
    return tuple(_described(name[:-2]) for name in sorted(os.listdir(FOLDER)) if name.endswith(".c"))


def path_of(word: str) -> str:
    """The file that a word means: a name of the library, or a path. Raises UsageError."""
    if re.fullmatch(r"\w+", word):
        path = os.path.join(FOLDER, f"{word}.c")
        if os.path.isfile(path):
            return path
        if not os.path.exists(word):
            names = ", ".join(one.name for one in ready())
            raise UsageError(
                f"there is no {word} in the library; it has {names}. A file is named by its path: ./{word}.c"
            )
    return os.path.abspath(word)


def _described(name: str) -> Ready:
    path = os.path.join(FOLDER, f"{name}.c")
    source = preparing.read(path)
    about = re.match(r"/\*\s*(.*?)\s*\*/", source, re.DOTALL)
    hooks = [
        f"tracepoint:{category}:{event}" for category, event in re.findall(r"TRACEPOINT_PROBE\((\w+), (\w+)\)", source)
    ]
    hooks += [f"raw:{event}" for event in re.findall(r"\bRAW_TRACEPOINT_PROBE\((\w+)\)", source)]
    hooks += re.findall(r"^// hook: (\S+)", source, re.MULTILINE)
    needs = "IFACE" if any(hook in ("socket", "tcx-ingress", "tcx-egress", "xdp") for hook in hooks) else ""
    return Ready(name, re.sub(r"\s+", " ", about[1]) if about else "", path, tuple(hooks), needs)
