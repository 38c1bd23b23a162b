"""What the instructions of a classic filter do, in words, with the names of what they load where that is known.

What a byte of a packet means depends on what is in front of it: an offset is named by the EtherType that every way to
the instruction has found before. Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import FORMS, Operand
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY_NAMES, LL_OFF, NET_OFF, Instruction, Program, successors

IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
_TYPE_AT: Final = 12  # the EtherType, in an Ethernet header
_HEADER: Final = 14  # bytes of it
_SIZES: Final = {ops.W: 4, ops.H: 2, ops.B: 1}
_ETHER_TYPES: Final = {
    IPV4: "IPv4",
    IPV6: "IPv6",
    ARP: "ARP",
    0x8100: "a VLAN tag",
    0x88A8: "a VLAN tag",
    0x8035: "RARP",
}
_PROTOCOLS: Final = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 44: "a fragment", 58: "ICMPv6", 132: "SCTP"}
_ETHERNET: Final = {0: "the destination's address", 6: "the source's address", _TYPE_AT: "the EtherType"}
_IPV4: Final = {
    0: "version and header length",
    1: "type of service",
    2: "the total length",
    6: "fragment flags and offset",
    8: "time to live",
    9: "the protocol",
    12: "the source address",
    16: "the destination address",
}
_IPV6: Final = {
    4: "the payload's length",
    6: "the next header",
    7: "the hop limit",
    8: "the source address",
    12: "the source address, second part",
    16: "the source address, third part",
    20: "the source address, last part",
    24: "the destination address",
    28: "the destination address, second part",
    32: "the destination address, third part",
    36: "the destination address, last part",
    40: "the source port, without extension headers",
    42: "the destination port, without extension headers",
}
_ARP: Final = {6: "the operation", 14: "the sender's address", 24: "the target's address"}
_BEHIND_IPV4: Final = {0: "the source port", 2: "the destination port", 13: "the TCP flags"}
_ANCILLARY: Final = {
    "proto": "the EtherType that the kernel found",
    "type": "whom the packet is for (4: it goes out)",
    "ifidx": "the interface's number",
    "mark": "the packet's mark",
    "queue": "the device's queue",
    "hatype": "the interface's type",
    "rxhash": "the flow's hash",
    "cpu": "the CPU",
    "vlan_tci": "the VLAN tag that the kernel took out",
    "vlan_avail": "whether the kernel took a VLAN tag out",
    "vlan_tpid": "the type of that VLAN tag",
    "poff": "where the payload begins",
    "rand": "a random number",
}
_ARITHMETIC: Final = {
    "add": "A = A + {}", "sub": "A = A − {}", "mul": "A = A × {}", "div": "A = A ÷ {}", "mod": "A = the rest of A ÷ {}",
    "and": "A = A and {}, bit by bit", "or": "A = A or {}, bit by bit", "xor": "A = A xor {}, bit by bit",
    "lsh": "A = A, shifted left by {}", "rsh": "A = A, shifted right by {}",
}  # fmt: skip
_CONDITIONS: Final = {
    "jeq": "if A is {}", "jgt": "if A > {}", "jge": "if A ≥ {}", "jset": "if A has bits of {}",
}  # fmt: skip


class _Known(NamedTuple):
    """What every way to an instruction has found out."""

    holds: str = ""  # what A holds: "the EtherType", "the protocol"
    ether_type: int = 0  # 0: not known
    behind: bool = False  # X is the length of the IPv4 header


def loaded(instruction: Instruction) -> int:
    """How many bytes of the packet a load takes; 0 for what is no load of the packet."""
    kind, mode = instruction.code & 0x07, instruction.code & 0xE0
    if kind == ops.LD and mode in (ops.ABS, ops.IND):
        return 0 if mode == ops.ABS and instruction.k >= AD_OFF else _SIZES[instruction.code & 0x18]
    return int(kind == ops.LDX and mode == ops.MSH)


def words(program: Program, *, ethernet: bool = True) -> tuple[str, ...]:
    """A sentence for each instruction. `ethernet`: packets begin with such a header, else with IP's."""
    start = _HEADER if ethernet else 0
    known: list[_Known | None] = [_Known(), *[None] * len(program)]
    said = []
    for index, instruction in enumerate(program):
        before = known[index] or _Known()
        said.append(_sentence(index, instruction, before, start))
        for way, target in enumerate(successors(index, instruction)):
            if index < target < len(program):
                known[target] = _merged(known[target], _after(instruction, before, start, holds=way == 0))
    return tuple(said)


def _merged(one: _Known | None, other: _Known) -> _Known:
    """What both know."""
    if one is None:
        return other
    return _Known(
        one.holds if one.holds == other.holds else "",
        one.ether_type if one.ether_type == other.ether_type else 0,
        one.behind and other.behind,
    )


def _after(instruction: Instruction, before: _Known, start: int, *, holds: bool) -> _Known:
    """What is known behind it; of a condition, where it holds or not."""
    form = FORMS.get(instruction.code)
    if form is None:
        return _Known()
    if instruction.code & 0x07 == ops.JMP:
        found = holds and form.mnemonic == "jeq" and form.operand is Operand.CONSTANT
        return before._replace(ether_type=instruction.k) if found and before.holds == "the EtherType" else before
    if instruction.code & 0x07 == ops.LD:
        return before._replace(holds=_name(instruction, before, start))
    if instruction.code & 0xE7 == ops.LDX | ops.MSH:
        return before._replace(behind=instruction.k == start)
    if instruction.code & 0x07 == ops.LDX or form.mnemonic == "tax":
        return before._replace(behind=False)
    return before._replace(holds="") if instruction.code & 0x07 == ops.ALU or form.mnemonic == "txa" else before


def _name(instruction: Instruction, before: _Known, start: int) -> str:
    """What a load loads; "" where that isn't known."""
    mode, k = instruction.code & 0xE0, instruction.k
    if mode == ops.IND:
        return _BEHIND_IPV4.get(k - start, "") if before.behind else ""
    if mode != ops.ABS:
        return ""
    if k - AD_OFF in ANCILLARY_NAMES:
        return _ANCILLARY.get(ANCILLARY_NAMES[k - AD_OFF], "")
    if k < start:
        return _ETHERNET.get(k, "")
    names = {IPV4: _IPV4, IPV6: _IPV6, ARP: _ARP}.get(before.ether_type, {})
    return names.get(k - start, "")


def _sentence(index: int, instruction: Instruction, before: _Known, start: int) -> str:
    form = FORMS.get(instruction.code)
    if form is None:
        return "no instruction: the kernel refuses it"
    kind = instruction.code & 0x07
    if kind == ops.JMP:
        return _jump(index, instruction, form.mnemonic, form.operand, before)
    if kind == ops.RET:
        if form.operand is Operand.A:
            return "end: as many bytes as A says are wanted, none if it is 0"
        return (
            f"end: it matches, up to {instruction.k:,} bytes are wanted" if instruction.k else "end: it doesn't match"
        )
    if kind == ops.ALU:
        operand = "X" if form.operand is Operand.X else _number(instruction.k, form.mnemonic)
        return _ARITHMETIC[form.mnemonic].format(operand) if form.mnemonic in _ARITHMETIC else "A = −A"
    return _move(instruction, form.mnemonic, form.operand, before, start)


def _jump(index: int, instruction: Instruction, mnemonic: str, operand: Operand, before: _Known) -> str:
    targets = successors(index, instruction)
    if len(targets) == 1:
        return f"go to {targets[0]:03}"
    number = "X" if operand is Operand.X else _value(instruction.k, mnemonic, before)
    asked = _CONDITIONS[mnemonic].format(number)
    return f"{asked}, go to {targets[0]:03}, else to {targets[1]:03}"


def _value(k: int, mnemonic: str, before: _Known) -> str:
    """The number, and what it stands for."""
    names = _ETHER_TYPES if before.holds in ("the EtherType", _ANCILLARY["proto"]) else {}
    if before.holds in ("the protocol", "the next header"):
        names = _PROTOCOLS
    shown = str(k) if "port" in before.holds else _number(k, mnemonic)
    if mnemonic == "jset" and before.holds == "fragment flags and offset":
        return f"{shown} (a fragment, not the first)"
    if before.holds.endswith("address") and before.ether_type in (IPV4, ARP):
        return ".".join(str(k >> shift & 0xFF) for shift in (24, 16, 8, 0))
    return f"{shown} ({names[k]})" if k in names else shown


def _number(k: int, mnemonic: str) -> str:
    return f"{k:#x}" if mnemonic in ("jeq", "jset", "and", "or", "xor") else f"{k:,}"


def _move(instruction: Instruction, mnemonic: str, operand: Operand, before: _Known, start: int) -> str:
    """Loads and stores."""
    into = "X" if mnemonic.startswith("ldx") else "A"
    k = instruction.k
    name = _name(instruction, before, start)
    named = f", {name}" if name else ""
    if operand is Operand.PACKET and k - AD_OFF in ANCILLARY_NAMES:
        return f"{into} = {name or ANCILLARY_NAMES[k - AD_OFF]}"
    if operand in (Operand.PACKET, Operand.INDEXED):
        size = loaded(instruction)
        bytes_ = "the byte" if size == 1 else f"the {size} bytes"
        at = f"X + {k}" if operand is Operand.INDEXED else _place(k)
        return f"{into} = {bytes_} at {at}{named}"
    sentences = {
        Operand.CONSTANT: f"{into} = {k:,}",
        Operand.MEMORY: f"{into} = M[{k}]"
        if mnemonic.startswith("ld")
        else f"M[{k}] = {'X' if mnemonic == 'stx' else 'A'}",
        Operand.LENGTH: f"{into} = the packet's length",
        Operand.HEADER: f"X = 4 × the low half of the byte at {k}: the IPv4 header's length",
    }
    return sentences.get(operand, "X = A" if mnemonic == "tax" else "A = X")


def _place(k: int) -> str:
    """An offset, also those that count from a header."""
    for base, header in ((NET_OFF, "network"), (LL_OFF, "link-layer")):
        if base <= k < base + 0x100000:
            return f"{k - base} of the {header} header"
    return str(k)


def conditions(program: Program) -> Sequence[bool]:
    """Which instructions go one of two ways."""
    return [len(successors(index, instruction)) == 2 for index, instruction in enumerate(program)]
