"""Counts the packets and bytes of a cgroup and of all below it, in and out; a context manager.

    with CgroupCounter("/sys/fs/cgroup/system.slice") as counter:
        counter.read()  # {number of a cgroup: Passed(…)}

One program for each direction, attached to that cgroup alone: whose socket a packet belongs to tells the cgroup it is
counted for (bpf_skb_cgroup_id, 4.18), and what takes no part costs nothing. A packet takes 120 ns, by the kernel's
statistics. Programs of others run before and after ours, whatever theirs say of a packet: it is counted also where
another one drops it. Lengths are those of IP packets, with their headers, as systemd counts them.
"""

import os
import struct
from contextlib import ExitStack
from typing import Final

from tui.bpf import kernel
from tui.bpf.counting import possible_cpus
from tui.bpf.extended.assembler import (
    alu,
    assemble,
    atomic,
    call,
    exit_,
    goto,
    jump,
    label,
    load,
    map_pointer,
    map_value,
    mov,
    store,
)
from tui.bpf.extended.instructions import R0, R1, R2, R3, R4, R6, R10, W
from tui.bpf.extended.items import Item
from tui.bpf.hooks import Direction, Hook
from tui.bpf.hooks import load as load_program
from tui.bpf.hooks.cgroup import CgroupLinks
from tui.bpf.inventory.cgroup_types import Passed
from tui.bpf.objects import refusal
from tui.owner import Owner

CGROUPS: Final = 16_384  # that find room; packets of more are lost
NAME: Final = "bpfscope_cgroup"  # of the programs
_NOEXIST: Final = 1  # BPF_NOEXIST
_LEN: Final = 0  # struct __sk_buff.len
_ROW: Final = struct.Struct("=4Q")


class CgroupCounter(Owner):
    """Owns the map, both programs and their links."""

    def __init__(self, place: str) -> None:
        """`place`: the cgroup's folder. Raises NotPermitted, NotSupported, and BpfscopeError where somebody's program
        tolerates no other there.
        """
        self._owned = ExitStack()
        self.programs: list[int] = []  # their numbers
        try:
            self._attach(place)
        except BaseException:
            self.close()
            raise

    def _attach(self, place: str) -> None:
        try:
            rows = kernel.map_create(kernel.MAP_TYPE_PERCPU_HASH, 8, _ROW.size, CGROUPS, 0, "cgroups")
            self._owned.callback(os.close, rows)
            self._lost = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 1, 0, "lost")
            self._owned.callback(os.close, self._lost)
        except OSError as error:
            raise refusal(error, "create a BPF map") from None
        self._rows = rows
        self._value = _ROW.size * possible_cpus()
        maps = {"rows": rows, "lost": self._lost}
        for direction, column in ((Direction.IN, 0), (Direction.OUT, 16)):
            program = load_program(Hook.CGROUP, assemble(_code(column)).bytecode(maps), NAME)
            self._owned.callback(os.close, program)
            self.programs.append(kernel.program_id(program))
            self._owned.callback(CgroupLinks(program, direction, place).close)

    def read(self) -> dict[int, Passed]:
        """What has passed since it was attached, by the sockets' cgroups; 0 for a packet whose socket isn't known."""
        found: dict[int, Passed] = {}
        for key, value in kernel.map_items(self._rows, 8, self._value):
            columns = zip(*_ROW.iter_unpack(value), strict=True)
            found[int.from_bytes(key, "little")] = Passed(*map(sum, columns))
        return found

    @property
    def lost(self) -> int:
        """Packets of cgroups for which there was no room."""
        return int.from_bytes(kernel.map_lookup(self._lost, bytes(4), 8) or b"", "little")

    def close(self) -> None:
        """Detaches; a second time is harmless."""
        self._owned.close()


def _code(column: int) -> list[Item]:
    """The program of one direction, whose figures lie there in a row."""
    at_key, at_row = -8, -8 - _ROW.size
    zeroes: list[Item] = [store(R10, at_row + offset, 0) for offset in range(0, _ROW.size, 8)]
    find: list[Item] = [
        map_pointer(R1, "rows"), mov(R2, R10), alu("+=", R2, at_key), call("map_lookup_elem"),
        jump("!=", R0, 0, "found"),
    ]  # fmt: skip
    return [
        mov(R6, R1), call("skb_cgroup_id"), store(R10, at_key, R0),
        *find,
        *zeroes,
        map_pointer(R1, "rows"), mov(R2, R10), alu("+=", R2, at_key), mov(R3, R10), alu("+=", R3, at_row),
        mov(R4, _NOEXIST), call("map_update_elem"),
        *find,
        mov(R2, 1), map_value(R1, "lost"), atomic("+=", R1, 0, R2), goto("out"),
        label("found"),
        mov(R1, 1), atomic("+=", R0, column, R1), load(R1, R6, _LEN, W), atomic("+=", R0, column + 8, R1),
        label("out"),
        mov(R0, Hook.CGROUP.passes), exit_(),
    ]  # fmt: skip
