"""What is to be loaded, from the words of a command line or of the console: `FILE.c IFACE --hook count=uprobe:…`."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tui.bpf.loading import places, preparing
from tui.bpf.loading.places import Place
from tui.collectors import library
from tui.errors import UsageError

_VALUED = ("--hook", "--function", "-F", "-c")


class Request(NamedTuple):
    """A source, and where its functions are to run."""

    path: str
    source: str
    hooks: Mapping[str, Place]  # by function; "" for the one that is meant without a name
    only: str = ""  # nothing but this function
    target: str = ""  # the interface or cgroup of hooks that the source names


def request(file: str, target: str = "", hooks: Sequence[str] = (), only: str = "", rate: str = "") -> Request:
    """Reads the source. `rate`: of perf events, "99hz" or a number of events. Raises UsageError, BpfscopeError."""
    path = library.path_of(file)
    source = preparing.read(path)
    return Request(path, source, dict(_hooks(hooks, target, rate)), only, target)


def parsed(text: str) -> Request:
    """The same, from a line that somebody types. Raises UsageError, BpfscopeError."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise UsageError("a quotation mark has no other one") from None
    plain: list[str] = []
    given: dict[str, list[str]] = {}
    for word in (left := iter(words)):
        name, equals, value = word.partition("=")
        if name in _VALUED:
            given.setdefault(name, []).append(value if equals else next(left, ""))
        elif word.startswith("-"):
            raise UsageError(f"there is no {word} here: FILE.c [IFACE] [--hook [FUNCTION=]HOOK] [--function NAME]")
        else:
            plain.append(word)
    if not 1 <= len(plain) <= 2:
        raise UsageError("name a C file, and of hooks that see packets an interface: FILE.c eth0 --hook xdp")
    rate = given["-c"][-1] if "-c" in given else f"{given['-F'][-1]}hz" if "-F" in given else ""
    only = given.get("--function", [""])[-1]
    return request(os.path.expanduser(plain[0]), "".join(plain[1:]), given.get("--hook", []), only, rate)


def _hooks(words: Sequence[str], target: str, rate: str) -> Iterator[tuple[str, Place]]:
    seen: set[str] = set()
    for word in words:
        function, _, said = word.partition("=") if "=" in word.partition(":")[0] else ("", "", word)
        if function in seen:
            whose = f"two hooks for {function}" if function else "several hooks"
            raise UsageError(f"{whose}: say of which function each is, --hook FUNCTION=HOOK")
        seen.add(function)
        place = places.parse(said, target if said in (*places.PACKETS, "socket-ebpf", "cgroup") else "")
        if rate and place.kind != "perf":
            raise UsageError(f"-F and -c are about --hook perf:EVENT, not {place.text}")
        yield function, places.parse(f"perf:{place.name}:{rate}") if rate else place
