"""What classic BPF's ancillary loads are in eBPF: fields of the context, functions of the kernel, constants.

As net/core/filter.c (convert_bpf_extensions) has them, where eBPF can do the same at all.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY, NET_OFF, Program
from tui.bpf.extended import facts as known
from tui.bpf.extended.hits import Kind
from tui.errors import NotSupported


class Field(NamedTuple):
    """Four bytes of the context."""

    offset: int
    is_big_endian: bool = False  # in its lower half
    ends_if_zero: bool = False  # the packet is of no device: the program ends with 0


class Call(NamedTuple):
    """What a function of the kernel gives."""

    helper: str


Source = Field | Call | int

_EVERYWHERE: Final[dict[str, Source]] = {"cpu": Call("get_smp_processor_id"), "rand": Call("get_prandom_u32")}
_OF_SKB: Final[dict[str, Source]] = {  # struct __sk_buff
    **_EVERYWHERE,
    "proto": Field(16, is_big_endian=True),
    "type": Field(4),
    "ifidx": Field(40, ends_if_zero=True),
    "mark": Field(8),
    "queue": Field(12),
    "rxhash": Field(68),
    "vlan_tci": Field(24),
    "vlan_avail": Field(20),
    "vlan_tpid": Field(28, is_big_endian=True),
}
_OF_CGROUP: Final = {name: source for name, source in _OF_SKB.items() if name != "type"}
_OF_XDP: Final[dict[str, Source]] = {  # struct xdp_md; nobody has looked at the packet yet, and its tags are in it
    **_EVERYWHERE,
    "ifidx": Field(12),
    "type": 0,
    "mark": 0,
    "vlan_tci": 0,
    "vlan_avail": 0,
    "vlan_tpid": 0,
}
_THERE: Final = {Kind.XDP: _OF_XDP, Kind.CGROUP: _OF_CGROUP}
_XOR_X: Final = ANCILLARY["xor_x"]
_WORDS: Final = {
    "type": "whom a packet is for isn't known yet where it goes out; use tcx-ingress or tcx-egress",
    "proto": "the protocol is found out after XDP",
    "queue": "the queue is written down after XDP",
    "rxhash": "the hash is computed after XDP",
    "hatype": "eBPF doesn't know the kind of interface; name one",
    "poff": "eBPF can't ask where the payload begins",
    "nla": "eBPF can't look for netlink attributes",
    "nlan": "eBPF can't look for netlink attributes",
}


def sources(program: Program, kind: Kind, constants: Mapping[str, int]) -> dict[int, Source]:
    """Where each kind of ancillary data that the program loads comes from; by offset, but for `xor_x`.

    `constants` go before: what is known of the hook, by bpf_asm's names. Raises NotSupported, with the reason.
    """
    names = {offset: name for name, offset in ANCILLARY.items()}
    there = _THERE.get(kind, _OF_SKB) | dict(constants)
    result: dict[int, Source] = {}
    for instruction, before in zip(program, known.facts(program), strict=True):
        if before is None:
            continue
        if known.is_ancillary(instruction) and instruction.k - AD_OFF != _XOR_X:
            result[instruction.k - AD_OFF] = _source(names[instruction.k - AD_OFF], kind, there)
        elif kind is Kind.XDP and known.is_header(instruction) and instruction.k >= NET_OFF:
            raise _unsupported(f"load from {instruction.k:#x}", kind, "where the network header is, is found out later")
    return result


def _source(name: str, kind: Kind, there: Mapping[str, Source]) -> Source:
    if name not in there:
        raise _unsupported(f"`ld {name}`", kind, _WORDS[name])
    return there[name]


def _unsupported(what: str, kind: Kind, reason: str) -> NotSupported:
    return NotSupported(f"the filter can't be translated for {kind.value}: {what}: {reason}; use the hook socket")


def with_link_layer(program: Program) -> Program:
    """The program with loads that count from the link layer's header as loads from the packet, which begins with it."""
    first = ops.LL_OFF
    return tuple(
        each._replace(k=each.k - first) if known.is_header(each) and first <= each.k < NET_OFF else each
        for each in program
    )
