"""What belongs to programs and changes rarely: names, maps, holders, attachments, pins, who jumps to whom."""

import contextlib
import time
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import attachments, info, tail_calls
from tui.bpf.inventory.attachment import Attachment, by_program
from tui.bpf.inventory.holders import Holders, holders
from tui.bpf.inventory.pins import Pins, pins
from tui.bpf.inventory.sources import sources_of
from tui.collectors import units
from tui.collectors.place_names import PlaceNames
from tui.collectors.program_words import CUT, is_cut
from tui.errors import BpfscopeError

_NAMING: Final = 0.2  # seconds that a look-up takes for names; the rest is named by the next


class Context(NamedTuple):
    """By the numbers of programs, but where it says of maps."""

    complete: bool  # False: it hasn't been looked up
    names: dict[int, str]  # where the kernel's own was cut
    maps: dict[int, tuple[int, ...]]
    charged: dict[int, int]  # bytes, without the machine code
    memory: dict[int, int]  # bytes, of maps
    jumped_to: frozenset[int]  # by tail calls
    holders: Holders
    units: dict[int, str]  # by pid: the container or systemd unit of those that hold programs
    pins: Pins
    attached: dict[int, tuple[Attachment, ...]]
    link_numbers: tuple[int, ...]


NOTHING: Final = Context(False, {}, {}, {}, {}, frozenset(), Holders({}, {}, {}), {}, Pins({}, {}, {}), {}, ())


def look(
    programs: Iterable[info.Program], before: Context = NOTHING, places: PlaceNames | None = None, files: int = 1
) -> Context:
    """All of it now, without what ended meanwhile; what never changes is kept from `before`. Raises BpfscopeError.

    Functions that uprobes are at are called as `places` knows them; of at most so many more files it learns the names.
    """
    maps, charged, names = {}, {}, {}
    until = time.monotonic() + _NAMING
    for one in programs:
        named = one.id in before.names or len(one.name) < CUT or not one.btf_id
        if named and one.id in before.charged and len(before.maps[one.id]) == one.maps:
            charged[one.id], maps[one.id] = before.charged[one.id], before.maps[one.id]
            names[one.id] = before.names.get(one.id, one.name)
            continue
        with contextlib.suppress(BpfscopeError, OSError), info.program(one.id) as fd:
            charged[one.id] = memlock(fd)
            maps[one.id] = tuple(info.maps_of(fd)) if one.maps else ()
            if not named and time.monotonic() < until:
                names[one.id] = _full_name(fd, one.name)
    memory, jumped_to = _of_maps({number for numbers in maps.values() for number in numbers})
    held, linked = holders(), links()
    found = attachments.attachments(held)
    at = (places or PlaceNames()).named(found, files)
    attached = by_program([each._replace(where=where) for each, where in zip(found, at, strict=True)])
    pids = {holder.pid for several in held.programs.values() for holder in several}
    of_pids = {pid: units.of_process(pid) for pid in pids}
    return Context(True, names, maps, charged, memory, jumped_to, held, of_pids, pins(), attached, linked)


def _full_name(fd: int, cut: str) -> str:
    """The function's, of which the kernel's own name is a part. Raises BpfscopeError, OSError."""
    functions = sources_of(fd).functions
    return functions[0].name if functions and is_cut(cut, functions[0].name) else cut


def links() -> tuple[int, ...]:
    """The numbers of all links."""
    try:
        return tuple(kernel.ids(kernel.LINK_GET_NEXT_ID))
    except OSError:
        return ()


def _of_maps(numbers: Collection[int]) -> tuple[dict[int, int], frozenset[int]]:
    """The bytes of each map, and the programs that prog_arrays hold."""
    memory, jumped_to = {}, set()
    for number in numbers:
        with contextlib.suppress(BpfscopeError, OSError), info.map_of(number) as fd:
            memory[number] = memlock(fd)
            described = info.Map.of(fd)
            if described.type == tail_calls.PROG_ARRAY:
                jumped_to |= tail_calls.targets(fd, described.entries)
    return memory, frozenset(jumped_to)


def memlock(fd: int) -> int:
    """Bytes that the kernel charges for an open program or map (fdinfo). Raises OSError."""
    with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
        return next((int(line[8:]) for line in file if line.startswith(b"memlock:")), 0)
