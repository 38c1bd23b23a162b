"""A packet in the classic machine, step by step: registers, the bytes that are loaded, and why it ended as it did.

run = stepped(program, record)
run.steps[3].a, run.steps[3].loads         # before the fourth instruction: A, and (offset, bytes) of what it loads
"""

from itertools import islice
from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.dialect import Dialect
from tui.bpf.classic.instructions import AD_OFF, LL_OFF, NET_OFF, Instruction, Program
from tui.bpf.classic.machine import State, steps
from tui.bpf.classic.packet import Ancillary, Packet
from tui.collectors.samples import Interface, PacketRecord
from tui.collectors.wording import IPV4, IPV6, conditions, loaded
from tui.text import plural

_MOST: Final = 20_000  # steps: more than any program that the kernel takes
_ETHERNET: Final = 1  # LINKTYPE_…
_OUTGOING: Final = 4  # PACKET_OUTGOING
_HEADER: Final = 14


class Step(NamedTuple):
    """Before an instruction; of the last one, after it."""

    pc: int
    a: int
    x: int
    memory: tuple[int, ...]
    loads: tuple[int, int] | None  # which bytes of the packet the instruction takes: from, how many
    result: int | None  # how many bytes are wanted; None while it runs
    why: str


class Stepped(NamedTuple):
    """A whole run."""

    steps: tuple[Step, ...]
    verdict: str  # whether it matched, and why, in a sentence
    matched: bool
    note: str = ""  # what it can't know


def stepped(
    program: Program, record: PacketRecord, interface: Interface | None = None, *, as_libpcap: bool = False
) -> Stepped:
    """Runs the packet, as far as it was kept, through the program."""
    packet = Packet(record.data, max(record.length, len(record.data)), _known(record, interface))
    dialect = Dialect.LIBPCAP if as_libpcap else Dialect.LINUX
    states = list(islice(steps(program, packet, dialect), _MOST))
    found = tuple(_step(program, packet, state) for state in states)
    last = found[-1]
    matched = bool(last.result)
    note = ""
    if len(record.data) < record.length:
        note = f"of {record.length:,} bytes {len(record.data):,} were kept: loads beyond them fail here only"
    return Stepped(found, _verdict(program, found), matched, note)


def _known(record: PacketRecord, interface: Interface | None) -> Ancillary:
    """What the kernel knew of the packet, as far as that was noted."""
    ethernet = record.link_type == _ETHERNET
    data = record.data
    by_version = IPV6 if data[:1] and data[0] >> 4 == 6 else IPV4
    return Ancillary(
        protocol=int.from_bytes(data[12:14], "big") if ethernet else by_version,
        pkttype=_OUTGOING if record.direction == "out" else 0,
        ifindex=interface.ifindex if interface else 0,
        hatype=interface.hardware if interface else 1,
        vlan_tci=record.vlan_tci,
        vlan_present=int(bool(record.vlan_tpid)),
        vlan_tpid=record.vlan_tpid,
        link_offset=0 if ethernet else None,
        network_offset=_HEADER if ethernet else 0,
    )


def _step(program: Program, packet: Packet, state: State) -> Step:
    loads = None if state.result is not None else _loads(program[state.pc], packet, state.x)
    return Step(state.pc, state.a, state.x, state.memory, loads, state.result, state.why)


def _loads(instruction: Instruction, packet: Packet, x: int) -> tuple[int, int] | None:
    """Which of the packet's bytes, as far as they are there."""
    size = loaded(instruction)
    if not size:
        return None
    at = instruction.k
    if instruction.code & 0xE0 == ops.IND:
        at = at + x & 0xFFFFFFFF
    if LL_OFF <= at < AD_OFF:
        base, start = (NET_OFF, packet.ancillary.network_offset) if at >= NET_OFF else (LL_OFF, 0)
        at = at - base + start
    return (at, size) if at < len(packet.data) else None


def _verdict(program: Program, found: tuple[Step, ...]) -> str:
    """Whether it matched, and what decided that."""
    last = found[-1]
    if last.result is None:
        return f"it still runs after {plural(len(found), 'step')}"
    number = plural(len(found) - 1, "instruction")
    if last.result:
        return f"it matches after {number}: up to {last.result:,} bytes are wanted"
    if last.why and not last.why.startswith("returned"):
        return f"it doesn't match: {last.why}, at {last.pc:03}"
    asks = conditions(program)
    for step, after in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        if asks[step.pc]:
            answer = "held" if after.pc == step.pc + 1 + program[step.pc].jt else "didn't hold"
            return f"it doesn't match: the condition at {step.pc:03} {answer}, A was {step.a:#x} ({step.a:,})"
    return f"it doesn't match, after {number}"
