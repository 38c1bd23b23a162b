"""What the tests of hooks attach: programs that count the packets they see, and return what is asked of them."""

import contextlib
import os
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import pytest

from tests.kernel.network import Namespace
from tests.kernel.probing import wait_until
from tests.targets.running import Running
from tui.bpf import kernel
from tui.bpf.extended.assembler import assemble, atomic, exit_, jump, label, load, map_value, mov
from tui.bpf.extended.instructions import R0, R1, R2, R3, W
from tui.bpf.hooks import Attached, Hook, attach
from tui.bpf.hooks import load as load_program
from tui.owner import Owner

if TYPE_CHECKING:
    from tui.bpf.extended.items import Item

KEEP_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0xFFFFFFFF)  # classic: ret #-1
KEEP_NONE = struct.pack("=HBBI", 0x06, 0, 0, 0)
_IFINDEX = 40  # struct __sk_buff.ifindex


class Way(NamedTuple):
    """One way of attaching: a hook, and what is asked of it."""

    hook: Hook
    clsact: bool = False
    native: bool | None = None

    def attach(self, end: Namespace, program: int, *, promiscuous: bool = False) -> Attached:
        with end.entered():
            return attach(
                self.hook, end.number, program, clsact=self.clsact, native=self.native, promiscuous=promiscuous
            )

    @property
    def name(self) -> str:
        extra = "-clsact" if self.clsact else {None: "", True: "-native", False: "-generic"}[self.native]
        return f"{self.hook.value}{extra}"


TCX = [Way(Hook.TCX_INGRESS), Way(Hook.TCX_EGRESS)]
CLSACT = [Way(Hook.TCX_INGRESS, clsact=True), Way(Hook.TCX_EGRESS, clsact=True)]
WAYS = [Way(Hook.SOCKET_EBPF), *TCX, *CLSACT, Way(Hook.XDP, native=False), Way(Hook.XDP, native=True)]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


class Counter(Owner):
    """A counter of packets in the kernel, and programs that add to it."""

    def __init__(self) -> None:
        self._owned = contextlib.ExitStack()
        self._map = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 1, 0, "count")
        self._owned.callback(os.close, self._map)

    def program(self, hook: Hook, *, returns: int | None = None, only: int = 0, name: str = "counts") -> int:
        """A loaded program for the hook that adds one for each packet; it lets all pass, or returns that.

        `only`: the number of the interface whose packets count; not for XDP.
        """
        value = hook.passes if returns is None else returns
        choice: list[Item] = [load(R3, R1, _IFINDEX, W), jump("!=", R3, only, "out")] if only else []
        counting: list[Item] = [mov(R2, 1), map_value(R1, "count"), atomic("+=", R1, 0, R2)]
        code = assemble([*choice, *counting, label("out"), mov(R0, value), exit_()])
        program = load_program(hook, code.bytecode({"count": self._map}), name)
        self._owned.callback(os.close, program)
        return program

    def count(self) -> int:
        """Packets so far, by all its programs."""
        value = kernel.map_lookup(self._map, bytes(4), 8)
        assert value is not None
        return int.from_bytes(value, "little")

    def reaches(self, number: int) -> bool:
        """Waits until so many have been counted; whether there are no more."""
        wait_until(lambda: self.count() >= number, f"{number:,} packets")
        return self.count() == number

    def close(self) -> None:
        """Closes map and programs; what is attached goes on until its owner ends it."""
        self._owned.close()

    def __enter__(self) -> Self:
        return self


def holder(end: Namespace, *hooks: Hook, clsact: bool = False) -> Running:
    """Another process that holds programs at one end of a pair (tests/kernel/hook_holder.py)."""
    words = [sys.executable, "-m", "tests.kernel.hook_holder", str(end.number), *(["--clsact"] if clsact else [])]
    command = end.command(*words, *(hook.value for hook in hooks))
    return Running(Path(command[0]), *command[1:])
