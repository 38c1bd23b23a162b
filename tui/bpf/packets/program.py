"""The whole program around a filter: what it has seen, the filter, what matched, its group, a sample of it.

It never changes what becomes of a packet: a socket gets none, tc, XDP and cgroups let it pass on to whoever comes next.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.bpf import classic
from tui.bpf.extended.assembler import (
    Assembled,
    alu,
    assemble,
    call,
    exit_,
    goto,
    jump,
    jump32,
    label,
    load,
    map_pointer,
    map_value,
    mov,
    store,
)
from tui.bpf.extended.assembler import atomic as atomically
from tui.bpf.extended.instructions import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, W
from tui.bpf.extended.items import Item
from tui.bpf.extended.translate import Kind, translate
from tui.bpf.packets.groups import By, grouping
from tui.bpf.packets.headers import IN_SKB, IN_XDP, Code, Link
from tui.bpf.packets.layout import (
    HITS,
    KEPT,
    LENGTH,
    MATCHED,
    SEEN,
    SEGMENTS,
    TURN,
    UNKEPT,
    add,
    add_packet,
    of_turn,
)  # fmt: skip

# struct __sk_buff: include/uapi/linux/bpf.h
_LEN, _PKT_TYPE, _VLAN_PRESENT, _VLAN_TCI, _VLAN_PROTO, _IFINDEX, _GSO_SEGS = 0, 4, 20, 24, 28, 40, 164
_LET_PASS: Final = {Kind.SOCKET: 0, Kind.TC: -1, Kind.XDP: 2, Kind.CGROUP: 1}  # TC: TCX_NEXT, TC_ACT_UNSPEC

# A sample, before its bytes: when, the packet's length, how many bytes follow, tag, its EtherType, whether there is one
TIME, WHOLE, HERE, TAG, TAG_TYPE, TAGGED, TYPE, HEAD = 0, 8, 12, 16, 20, 24, 28, 32


class Spec(NamedTuple):
    """What a program does."""

    kind: Kind
    filter: classic.Program
    by: By = By.NOTHING
    hits: bool = False  # counted per instruction of the filter
    snapshot: int = 0  # bytes that are kept of a sample; 0: there are none
    link: Link = Link.ETHERNET
    constants: tuple[tuple[str, int], ...] = ()  # ancillary data that is known of the hook, by bpf_asm's names
    ifindex: int = 0  # of cgroups: only packets of this interface


def program(spec: Spec) -> Assembled:
    """The program; its maps are turn and figures, where they are needed bins, hashes, slots, moment, quota, samples."""
    return assemble(list(_items(spec)))


def _items(spec: Spec) -> Iterator[Item]:
    atomic = spec.kind is Kind.CGROUP
    yield from (mov(R6, R1), map_value(R1, "turn"), load(R1, R1), jump("==", R1, 0, "unmatched"), store(R10, TURN, R1))
    if spec.ifindex:
        yield from (load(R1, R6, _IFINDEX, W), jump32("!=", R1, spec.ifindex, "unmatched"))
    yield from (*of_turn("figures"), jump("==", R0, 0, "unmatched"), mov(R7, R0))
    yield from _begin(spec.kind)
    yield from add_packet(SEEN, atomic=atomic)
    yield from translate(spec.filter, spec.kind, HITS if spec.hits else None, dict(spec.constants))
    yield from (label("matched"), *add_packet(MATCHED, atomic=atomic))
    yield from _segments(spec.kind, atomic=atomic)
    yield from grouping(spec.by, Code(spec.kind, "group"), spec.link, atomic=atomic)
    if spec.snapshot:
        yield from _sample(spec)
    yield from (label("unmatched"), mov(R0, _LET_PASS[spec.kind]), exit_())


def _begin(kind: Kind) -> Iterator[Item]:
    """The packet's length, and what the filter wants in R8 and R9."""
    if kind in (Kind.TC, Kind.XDP):
        data, data_end = IN_XDP if kind is Kind.XDP else IN_SKB
        yield from (load(R8, R6, data, W), load(R9, R6, data_end, W))
    yield from (mov(R2, R9), alu("-=", R2, R8)) if kind is Kind.XDP else (load(R2, R6, _LEN, W),)
    yield store(R10, LENGTH, R2)


def _segments(kind: Kind, *, atomic: bool) -> Iterator[Item]:
    """What one packet was, or will be, on the wire."""
    if kind is Kind.XDP:
        yield from add(R7, SEGMENTS, 1, atomic=atomic)
        return
    yield from (load(R2, R6, _GSO_SEGS, W), jump("!=", R2, 0, "segments"), mov(R2, 1), label("segments"))
    yield from add(R7, SEGMENTS, R2, atomic=atomic)


def _sample(spec: Spec) -> Iterator[Item]:
    """Keeps the packet, unless the reader has had enough: it says up to what number."""
    yield from (map_value(R8, "quota"), load(R1, R8, 0), load(R2, R8, 8), jump(">=", R2, R1, "unmatched"))
    yield from (mov(R2, 1), atomically("+=", R8, 8, R2, fetch=True), load(R1, R8, 0), jump(">=", R2, R1, "unmatched"))
    yield from (map_pointer(R1, "samples"), mov(R2, HEAD + spec.snapshot), mov(R3, 0), call("ringbuf_reserve"))
    yield jump("!=", R0, 0, "room")
    yield from (*add(R7, UNKEPT, 1, atomic=spec.kind is Kind.CGROUP), goto("unmatched"), label("room"), mov(R9, R0))
    yield from (call("ktime_get_ns"), store(R9, TIME, R0), load(R8, R10, LENGTH), store(R9, WHOLE, R8, W))
    yield from _about(spec.kind)
    yield from (jump("<=", R8, spec.snapshot, "fits"), mov(R8, spec.snapshot), label("fits"))
    yield from (jump("<", R8, 1, "kept"), mov(R1, R6), mov(R2, 0), mov(R3, R9), alu("+=", R3, HEAD), mov(R4, R8))
    yield call("xdp_load_bytes" if spec.kind is Kind.XDP else "skb_load_bytes")
    yield from (jump("==", R0, 0, "kept"), mov(R8, 0), label("kept"), store(R9, HERE, R8, W))
    yield from add(R7, KEPT, 1, atomic=spec.kind is Kind.CGROUP)
    yield from (mov(R1, R9), mov(R2, 0), call("ringbuf_submit"))


def _about(kind: Kind) -> Iterator[Item]:
    """What the kernel keeps beside a packet: a tag that it took out, and whom it is for."""
    fields = ((TAG, _VLAN_TCI), (TAG_TYPE, _VLAN_PROTO), (TAGGED, _VLAN_PRESENT), (TYPE, _PKT_TYPE))
    for to, at in fields:
        if kind is Kind.XDP:
            yield store(R9, to, 0, W)
        else:
            yield from (load(R1, R6, at, W), store(R9, to, R1, W))
