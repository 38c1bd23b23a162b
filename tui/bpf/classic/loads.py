"""Loads from the packet: where they read in each dialect, and what happens where nothing is."""

import struct
from collections.abc import Callable
from typing import Final

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.ancillary import ancillary_load
from tui.bpf.classic.dialect import Dialect
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY_NAMES, LL_OFF, NET_OFF, Instruction
from tui.bpf.classic.packet import Packet
from tui.bpf.classic.registers import Registers, Step

_UNPACK: Final[dict[int, tuple[Callable[[bytes, int], tuple[int]], int]]] = {
    ops.W: (struct.Struct(">I").unpack_from, 4),
    ops.H: (struct.Struct(">H").unpack_from, 2),
    ops.B: (struct.Struct("B").unpack_from, 1),
}
_LARGEST: Final = 0x7FFFFFFF  # offset that isn't negative, as Linux reads it


def packet_load(instruction: Instruction, following: int, dialect: Dialect) -> Step:
    """The step for a load of the modes ABS, IND and MSH; `following` is the instruction after it."""
    mode, k = instruction.code & 0xE0, instruction.k
    linux = dialect is Dialect.LINUX
    if mode == ops.IND:
        return (_linux_indexed if linux else _libpcap_indexed)(instruction, following)
    if mode == ops.ABS and linux and k - AD_OFF in ANCILLARY_NAMES:
        return ancillary_load(k - AD_OFF, following)
    if linux and k > _LARGEST:
        return _of_header_area(instruction, following)
    return (_header_length if mode == ops.MSH else _absolute)(instruction, following)


def _absolute(instruction: Instruction, following: int) -> Step:
    unpack, size = _UNPACK[instruction.code & 0x18]
    k = instruction.k

    def step(run: Registers) -> int:
        try:
            (run.a,) = unpack(run.data, k)
        except struct.error:
            return _beyond(run, size, k)
        return following

    return step


def _header_length(instruction: Instruction, following: int) -> Step:
    k = instruction.k

    def step(run: Registers) -> int:
        try:
            run.x = (run.data[k] & 0xF) << 2
        except IndexError:
            return _beyond(run, 1, k)
        return following

    return step


def _libpcap_indexed(instruction: Instruction, following: int) -> Step:
    unpack, size = _UNPACK[instruction.code & 0x18]
    k = instruction.k

    def step(run: Registers) -> int:
        try:
            (run.a,) = unpack(run.data, run.x + k)
        except struct.error:
            return _beyond(run, size, run.x + k)
        return following

    return step


def _linux_indexed(instruction: Instruction, following: int) -> Step:
    unpack, size = _UNPACK[instruction.code & 0x18]
    k = instruction.k

    def step(run: Registers) -> int:
        at = run.x + k & 0xFFFFFFFF
        if at > _LARGEST:
            at = _in_header_area(run.packet, at)
        try:
            (run.a,) = unpack(run.data, at)
        except struct.error:
            return _beyond(run, size, at)
        return following

    return step


def _of_header_area(instruction: Instruction, following: int) -> Step:
    """Linux's loads at 0x80000000 and above."""
    unpack, size = _UNPACK[instruction.code & 0x18]
    k = instruction.k
    into_x = instruction.code & 0xE0 == ops.MSH

    def step(run: Registers) -> int:
        at = _in_header_area(run.packet, k)
        try:
            (value,) = unpack(run.data, at)
        except struct.error:
            return _beyond(run, size, at)
        if into_x:
            run.x = (value & 0xF) << 2
        else:
            run.a = value
        return following

    return step


def _in_header_area(packet: Packet, at: int) -> int:
    """The offset in the data that Linux means by one of 0x80000000 and above; one that is beyond if it means none.

    From NET_OFF on it is counted from the network header, from LL_OFF on from the link-layer header, which a packet of
    a socket of another kind doesn't have (bpf_internal_load_pointer_neg_helper; from 6.16 on convert_offset).
    """
    about, meant = packet.ancillary, -1
    if at >= NET_OFF:
        meant = at - NET_OFF + about.network_offset
    elif at >= LL_OFF and about.link_offset is not None:
        meant = at - LL_OFF + about.link_offset
    return meant if meant >= 0 else at


def _beyond(run: Registers, size: int, at: int) -> int:
    return run.end(0, f"load beyond the packet: {size} at {at}, of {len(run.data)}")
