"""Linux's ancillary loads: what each offset from AD_OFF gives (net/core/filter.c, convert_bpf_extensions).

How much is loaded makes no difference: `ldb proto` gives all of it, too.
"""

import struct
from collections.abc import Callable
from typing import Final

from tui.bpf.classic.instructions import ANCILLARY
from tui.bpf.classic.registers import Registers, Step

_ATTRIBUTE: Final = struct.Struct("=HH")  # struct nlattr: its length with this header, and its type
_TYPE_MASK: Final = 0x3FFF


def ancillary_load(offset: int, following: int) -> Step:
    """The step for one of ANCILLARY's offsets; `following` is the instruction after it."""
    value = _VALUES[offset]
    if offset in _OF_INTERFACE:
        return _interface_load(value, following)

    def step(run: Registers) -> int:
        run.a = value(run)
        return following

    return step


def _interface_load(value: Callable[[Registers], int], following: int) -> Step:
    """Without an interface the program ends, with what is in A: the kernel has A and the result in one register."""

    def step(run: Registers) -> int:
        if not run.packet.ancillary.ifindex:
            return run.end(run.a, "the packet has no interface: ends with A")
        run.a = value(run)
        return following

    return step


def find_attribute(data: bytes, start: int, size: int, kind: int) -> int:
    """Where in `size` bytes from `start` on the first netlink attribute of a type is; 0 if there is none (nla_find)."""
    while size >= _ATTRIBUTE.size:
        length, found = _ATTRIBUTE.unpack_from(data, start)
        if not _ATTRIBUTE.size <= length <= size:
            return 0
        if found & _TYPE_MASK == kind:
            return start
        aligned = length + 3 & ~3
        start, size = start + aligned, size - aligned
    return 0


def _attribute(run: Registers) -> int:
    size = len(run.data)
    return find_attribute(run.data, run.a, size - run.a, run.x) if run.a + _ATTRIBUTE.size <= size else 0


def _nested_attribute(run: Registers) -> int:
    if run.a + _ATTRIBUTE.size > len(run.data):
        return 0
    length, _ = _ATTRIBUTE.unpack_from(run.data, run.a)
    if length > len(run.data) - run.a:
        return 0
    return find_attribute(run.data, run.a + _ATTRIBUTE.size, length - _ATTRIBUTE.size, run.x)


_OF_INTERFACE: Final = {ANCILLARY["ifidx"], ANCILLARY["hatype"]}
_VALUES: Final[dict[int, Callable[[Registers], int]]] = {
    ANCILLARY[name]: value
    for name, value in {
        "proto": lambda run: run.packet.ancillary.protocol & 0xFFFF,
        "type": lambda run: run.packet.ancillary.pkttype & 7,
        "ifidx": lambda run: run.packet.ancillary.ifindex,
        "nla": _attribute,
        "nlan": _nested_attribute,
        "mark": lambda run: run.packet.ancillary.mark & 0xFFFFFFFF,
        "queue": lambda run: run.packet.ancillary.queue & 0xFFFF,
        "hatype": lambda run: run.packet.ancillary.hatype & 0xFFFF,
        "rxhash": lambda run: run.packet.ancillary.rxhash & 0xFFFFFFFF,
        "cpu": lambda run: run.packet.ancillary.cpu,
        "xor_x": lambda run: run.a ^ run.x,
        "vlan_tci": lambda run: run.packet.ancillary.vlan_tci & 0xFFFF,
        "vlan_avail": lambda run: run.packet.ancillary.vlan_present & 1,
        "poff": lambda run: run.packet.ancillary.payload_offset & 0xFFFFFFFF,
        "rand": lambda run: run.packet.ancillary.random & 0xFFFFFFFF,
        "vlan_tpid": lambda run: run.packet.ancillary.vlan_tpid & 0xFFFF,
    }.items()
}
