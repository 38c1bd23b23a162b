"""How many hops packets have come, by their TTLs: a whole program, to show how one is written with the assembler.

Senders set a packet's TTL (IPv6: hop limit) to 32, 64, 128 or 255, and each router takes one off. So what is left tells
how many there were; Cloudflare's program, from which the idea is, counts TTLs in a hash of four entries, and packets
with a fifth TTL are lost. Here each of the 256 has a place in an array:

    counts = kernel.map_create(*TTLS)
    program = kernel.program_load(
        kernel.PROG_TYPE_SOCKET_FILTER, 0, assemble(code()).bytecode({"ttls": counts}), "hops"
    )
    …                                                       # attach it to a packet socket; read the array
    by_distance(totals)                                     # {0: 7919, 11: 13}

A program is a list of instructions, so that Python puts it together: `_tag` below is used twice. Registers are told
apart from numbers by their type: `mov(R6, R1)` copies, `mov(R6, 1)` sets. Labels are names; `jump` goes to one if what
it asks holds, `goto` always. A map has a name until `bytecode` is told its file descriptor.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.bpf.classic.instructions import NET_OFF
from tui.bpf.extended.assembler import (
    alu,
    atomic,
    big_endian,
    call,
    exit_,
    goto,
    jump,
    label,
    load,
    load_packet,
    map_pointer,
    mov,
    store,
)
from tui.bpf.extended.instructions import R0, R1, R2, R6, R7, R8, R10, B, H, W
from tui.bpf.extended.items import Item


class Map(NamedTuple):
    """What kernel.map_create wants to know."""

    kind: int
    key_size: int  # bytes
    value_size: int  # bytes
    entries: int
    flags: int
    name: str


TTLS: Final = Map(2, 4, 8, 256, 0, "ttls")
"""An array: packets by TTL."""

_PROTOCOL: Final = 16  # where struct __sk_buff has the EtherType, as it was on the wire
_IPV4, _IPV6, _VLAN, _QINQ = 0x0800, 0x86DD, 0x8100, 0x88A8


def code() -> list[Item]:
    """The program for sockets: counts each IPv4 and IPv6 packet by its TTL, and keeps none of them."""
    return [
        mov(R6, R1),  # load_packet wants the context here
        load(R7, R6, _PROTOCOL, W),
        big_endian(R7, 16),
        mov(R8, 0),  # bytes between the network header's place and IP: the tags that are left in the packet
        *_tag("second tag"),
        label("second tag"),
        *_tag("untagged"),
        label("untagged"),
        jump("==", R7, _IPV4, "ipv4"),
        jump("!=", R7, _IPV6, "out"),
        load_packet(NET_OFF + 7, B, R8),  # R0 = the hop limit
        goto("count"),
        label("ipv4"),
        load_packet(NET_OFF + 8, B, R8),  # R0 = the TTL
        label("count"),
        store(R10, -4, R0, W),  # the key lies on the stack
        mov(R2, R10),
        alu("+=", R2, -4),
        map_pointer(R1, "ttls"),
        call("map_lookup_elem"),  # R0 = the address of that key's value
        jump("==", R0, 0, "out"),  # the verifier insists, though each TTL has one
        mov(R1, 1),
        atomic("+=", R0, 0, R1),
        label("out"),
        mov(R0, 0),
        exit_(),
    ]


def _tag(otherwise: str) -> list[Item]:
    """If a VLAN tag is next, what comes behind it: R7 = its EtherType, R8 = its distance."""
    name = f"{otherwise} is next"
    return [
        jump("==", R7, _VLAN, name),
        jump("!=", R7, _QINQ, otherwise),
        label(name),
        load_packet(NET_OFF + 2, H, R8),
        mov(R7, R0),
        alu("+=", R8, 4),
    ]


def distance(ttl: int) -> int:
    """The hops that a packet of this TTL has come, if its sender began with the next of 32, 64, 128 and 255."""
    return next(start for start in (32, 64, 128, 255) if ttl <= start) - ttl


def by_distance(totals: Sequence[int]) -> dict[int, int]:
    """Packets by hops, ascending, of packets by TTL; without those that nobody came."""
    result: dict[int, int] = {}
    for ttl, packets in enumerate(totals):
        if packets:
            result[distance(ttl)] = result.get(distance(ttl), 0) + packets
    return dict(sorted(result.items()))
