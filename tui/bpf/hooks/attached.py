"""The owners of what is attached, as far as they have something in common."""

import contextlib
import os
import struct
from collections.abc import Sequence
from typing import Final

from tui.bpf import kernel
from tui.bpf.hooks.interfaces import Interface, exists
from tui.bpf.hooks.kinds import Direction, Hook
from tui.bpf.hooks.refusals import refusal
from tui.owner import Owner
from tui.text import sanitise

_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Placed(Owner):
    """Owns a filter at its hook; leaving it takes the filter off."""

    def __init__(self, hook: Hook, name: str, direction: Direction, note: str = "") -> None:
        """`name`: of the interface or cgroup, for sentences."""
        self.hook = hook
        self.name = name
        self.direction = direction
        self.note = note  # what to tell whoever attached it; "" where there is nothing
        self.native: bool | None = None  # of XDP: whether the driver runs it, or the kernel behind the driver
        self._owned = contextlib.ExitStack()

    @property
    def position(self) -> str:
        """Its place among the programs that run there, now: "first of 3 programs"; "" where each sees everything."""
        return ""

    def gone(self) -> bool:
        """Whether the interface has disappeared, and so the filter; one that is only down comes back."""
        raise NotImplementedError

    def own(self, owner: Owner) -> None:
        """Closes that one too, when this is closed."""
        self._owned.callback(owner.close)

    def close(self) -> None:
        """Takes it off; a second time is harmless, and so is it when the interface has gone."""
        self._owned.close()


class Attached(Placed):
    """An eBPF program at its hook; the program's descriptor stays the caller's."""

    def replace(self, program: int) -> None:
        """Puts another program in its place; each packet meets the one or the other. Raises TargetError if gone."""
        raise NotImplementedError


class AttachedByLinks(Attached):
    """One program held by one link, or by one for each direction."""

    def __init__(self, hook: Hook, name: str, direction: Direction, links: Sequence[int], note: str = "") -> None:
        """The links are closed with it."""
        super().__init__(hook, name, direction, note)
        self._links = list(links)
        for link in links:
            self._owned.callback(os.close, link)

    def replace(self, program: int) -> None:
        """By link update; with two links the one changes a moment before the other."""
        for link in self._links:
            try:
                kernel.link_update(link, program)
            except OSError as error:
                raise refusal(error, self.hook, self.name) from None

    def close(self) -> None:
        """Takes it off; a second time is harmless, and so is it when the interface has gone."""
        super().close()
        self._links.clear()


class AttachedToInterface(AttachedByLinks):
    """A link to an interface (tcx, XDP), which outlives the interface, and then says so."""

    def __init__(self, hook: Hook, interface: Interface, link: int, note: str = "") -> None:
        super().__init__(hook, interface.name, hook.directions[0], [link], note)
        self._index = interface.number

    def gone(self) -> bool:
        """The kernel forgets the interface's number in the link (bpf_link_info.tcx.ifindex, .xdp.ifindex).

        The link goes with an interface to another network namespace, where it isn't what this thread looks at any more.
        """
        return not self._links or self._number() == 0 or not exists(self._index)

    def _number(self) -> int:
        number: int = struct.unpack_from("I", kernel.info(self._links[0], 20), 16)[0]
        return number


def placed(ids: Sequence[int], own: int) -> str:
    """The place of a program among those that run there, by their numbers; "" where it isn't there."""
    if own not in ids:
        return ""
    at = ids.index(own)
    return placed_among(at, len(ids), "program", [program_text(each) for each in ids[:at]])


def placed_among(at: int, number: int, noun: str, before: Sequence[str]) -> str:
    """The place in words, and who is in front: what those keep for themselves isn't seen."""
    if number == 1:
        return f"the only {noun}"
    ordinal = _ORDINALS[at] if at < len(_ORDINALS) else f"number {at + 1}"
    behind = f", behind {', '.join(before)}" if before else ""
    return f"{ordinal} of {number} {noun}s{behind}"


def program_text(number: int) -> str:
    """How a program of somebody else's is called: its name and number."""
    try:
        name = sanitise(kernel.program_name(number))
    except OSError:  # it ended meanwhile, or this user may not look
        name = ""
    return f"{name} (program {number})" if name else f"program {number}"
