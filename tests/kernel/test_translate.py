"""Translations give what the kernel's own classic engine gives: the wanted length of every packet, and every hit."""

import struct
from collections.abc import Iterator, Sequence

import pytest

from tests import expressions, packets
from tests.classic_programs import Programs, compiled, made_up_packets
from tests.kernel.engines import Classic, Translated
from tests.link_layers import LINK_LAYERS
from tui.bpf import kernel
from tui.bpf.classic import instructions as ops
from tui.bpf.classic.instructions import Instruction, Program
from tui.bpf.classic.machine import Machine
from tui.bpf.classic.packet import Packet
from tui.bpf.extended.translate import Kind

EXPRESSIONS = (
    "tcp and port 22",
    "ip",
    "arp or rarp",
    "host 10.0.0.1",
    "src net 10.0.0.0/8 and not dst port 53",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[(tcp[12] >> 4) * 4 : 4] = 0x47455420",
    "ip[6:2] & 0x1fff != 0",
    "ip[0] & 0xf != 5 and udp",
    "icmp[icmptype] = icmp-echo or icmp6",
    "ip6 and tcp portrange 1000-2000",
    "ip6[6] = 17 and ip6[40:2] != 53",
    "vlan and ip",
    "vlan 5 and vlan and tcp port 80",
    "mpls and host 10.0.0.1",
    "pppoes and ip6",
    "ether broadcast or ether multicast",
    "ether host 02:00:00:00:00:01",
    "less 100 or greater 1000",
    "len - 14 > ip[2:2]",
    "ether[len - 1] = 0",
    "ip[len / 2] > 100",
    "ether[ip[2:2] & 0xff] + 3 = ether[0] * 2",
    "ip[1] % 7 = 3 or ip[1] / (ip[8] - 64) = 1",
    "ip[8] << (ip[1] & 7) > 200",
    "udp[4:2] >> udp[3] = 0",
    "not (ip or ip6 or arp)",
    "sctp or ah or esp or igmp or proto gre",
    "ip proto 89 or ip6 proto 89",
)
UNOPTIMISED = ("-O",)
MOST_VERIFIED = 300_000  # instructions that the verifier looks at; from 1,000,000 on it refuses


def usable(frames: Sequence[bytes], kind: Kind) -> list[bytes]:
    """Those that the kernel lets run through a program without an interface."""
    least = {b"\x08\x00": 34, b"\x86\xdd": 54}
    return [frame for frame in frames if least.get(frame[12:14], 14) <= len(frame) < 3500 or kind is Kind.SOCKET]


def results(translated: Translated, frames: Sequence[bytes]) -> list[int]:
    """The results, in full but for those of sockets; a cgroup's program sees what is behind 14 bytes."""
    if translated.kind is Kind.SOCKET:
        return translated.lengths(frames)
    front = bytes(12) + b"\x88\xb5" if translated.kind is Kind.CGROUP else b""
    return [translated.result(front + frame) for frame in frames]


def assert_all_agree(program: Program, frames: Sequence[bytes], kind: Kind, *, hits: bool) -> None:
    """The machine, which is compared with the kernel's engine here, says how large a result is."""
    machine = Machine(program)
    full = {frame: machine.run(Packet.whole(frame)) for frame in frames}
    with Classic(program) as classic:
        assert classic.lengths(frames) == [min(full[frame], len(frame)) for frame in frames]
    seen = usable(frames, kind)
    with Translated(program, kind, hits=hits) as translated:
        expected = [min(full[frame], len(frame)) if kind is Kind.SOCKET else full[frame] for frame in seen]
        assert results(translated, seen) == expected
        if hits:
            assert translated.hits() == runs(machine, len(program), seen)


def runs(machine: Machine, length: int, frames: Sequence[bytes]) -> tuple[int, ...]:
    """How often each instruction runs."""
    counts = [0] * length
    for frame in frames:
        for state in machine.steps(Packet.whole(frame)):
            counts[state.pc] += state.result is None
    return tuple(counts)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("hits", [False, True], ids=["plain", "hits"])
def test_random_programs(kind: Kind, *, hits: bool) -> None:
    frames = made_up_packets(kind.value, 50, longest=300)
    programs = Programs(f"{kind} {hits}")
    for length in (*(12, 30, 60, 120) * 60, 300):  # before 6.7 sockets take no long ones, classic or not
        assert_all_agree(programs.program(length), frames, kind, hits=hits)


@pytest.mark.guest
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_some_random_programs(kind: Kind) -> None:
    frames = made_up_packets(kind.value, 20, longest=200)
    programs = Programs(f"{kind} guest")
    for length in (12, 30, 60, 120, 300) * 4:
        assert_all_agree(programs.program(length), frames, kind, hits=True)


@pytest.mark.guest
def test_random_programs_that_read_headers_and_wrap_around() -> None:
    frames = made_up_packets("far", 50, longest=300)
    programs = Programs("far", far=True)
    for length in (12, 30, 60, 120) * 30:
        program = programs.program(length)
        machine = Machine(program)
        with Translated(program, Kind.TC, hits=True) as translated:
            assert results(translated, frames) == [machine.run(Packet.whole(frame)) for frame in frames]
            assert translated.hits() == runs(machine, len(program), frames)


@pytest.mark.parametrize("options", [(), UNOPTIMISED], ids=["optimised", "not optimised"])
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_expressions(kind: Kind, options: tuple[str, ...]) -> None:
    frames = packets.generate(500, seed=7)
    for expression in EXPRESSIONS:
        assert_all_agree(compiled(expression, *options), frames, kind, hits=True)


@pytest.mark.guest
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
def test_results_of_all_sizes(kind: Kind) -> None:
    frame = bytes(12) + b"\x88\xb5" + bytes(60)
    with Translated((Instruction(ops.LD, k=0xFFFFFFFF), Instruction(ops.RET | ops.A)), kind) as all_of_it:
        assert results(all_of_it, [frame]) == [len(frame) if kind is Kind.SOCKET else 0xFFFFFFFF]
    for wanted in (0, 1, 14, 40):
        with Translated((Instruction(ops.RET, k=wanted),), kind) as cut:
            assert results(cut, [frame]) == [wanted]


@pytest.mark.guest
@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.value)
@pytest.mark.parametrize("far", [0x10000, 1 << 31])
def test_loads_that_no_packet_reaches(kind: Kind, far: int) -> None:
    byte, x = ops.LD | ops.B, ops.MISC | ops.TAX
    after = (Instruction(x), Instruction(byte | ops.IND, k=5), Instruction(ops.RET | ops.A))
    frames = made_up_packets("far", 10)
    for load in (Instruction(byte | ops.ABS, k=far), Instruction(ops.LDX | ops.B | ops.MSH, k=far)):
        assert_all_agree((load, *after), frames, kind, hits=True)
        assert_all_agree((Instruction(byte | ops.ABS), load, *after[1:]), frames, kind, hits=True)


def hosts(number: int) -> Program:
    """As libpcap's optimiser has `host … or host …`, but for IPv4 alone; that takes it a while."""
    addresses = [Instruction(ops.JMP | ops.JEQ, 0, 1, 0x0A000000 + 7 * index) for index in range(number)]
    found = Instruction(ops.RET, k=0x40000)
    matches = [each for address in addresses for each in (address, found)]
    ip = [Instruction(ops.LD | ops.H | ops.ABS, k=12), Instruction(ops.JMP | ops.JEQ, 1, 0, 0x800)]
    fields = [Instruction(ops.LD | ops.W | ops.ABS, k=offset) for offset in (26, 30)]
    end = Instruction(ops.RET, k=0)
    return (*ip, end, fields[0], *matches, fields[1], *matches, end)


def large() -> Iterator[tuple[str, Program]]:
    """Programs that are long, and hard in other ways."""
    most = ops.MAX_INSTRUCTIONS
    length, end = Instruction(ops.LD | ops.LEN), Instruction(ops.RET | ops.A)
    half_of_it = (length, Instruction(ops.ALU | ops.RSH, k=1), Instruction(ops.MISC | ops.TAX))
    byte, word = ops.LD | ops.B, ops.LD | ops.H
    yield "hosts", hosts(500)
    yield "random", Programs("large").program(most)
    yield "loads", (*(Instruction(byte | ops.ABS, k=index) for index in range(most - 1)), end)
    yield "indexed", (*half_of_it, *(Instruction(byte | ops.IND, k=index % 10) for index in range(most - 4)), end)
    far_jump = (length, Instruction(ops.JMP | ops.JEQ, 0, 1, 100), Instruction(ops.JMP | ops.JA, k=4000))
    indexed = (Instruction(byte | ops.IND, k=index % 10) for index in range(4000))
    yield "far jump", (*far_jump, *indexed, *(Instruction(word | ops.ABS, k=index) for index in range(92)), end)
    pairs = (
        (Instruction(byte | ops.ABS, k=i % 200), Instruction(ops.JMP | ops.JEQ, 1, 0, i % 256)) for i in range(2046)
    )
    yield "jumps", (*(each for pair in pairs for each in pair), length, Instruction(ops.LDX), end)


@pytest.mark.parametrize(("name", "program"), large(), ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("kind", [Kind.TC, Kind.XDP, Kind.CGROUP], ids=lambda kind: kind.value)
def test_large_programs(name: str, program: Program, kind: Kind) -> None:
    address = (0x0A000000 + 7 * 499).to_bytes(4, "big")
    frames = made_up_packets(name, 30, longest=300)
    frames += [bytes(12) + b"\x08\x00" + bytes(12) + address + bytes(40), bytes(12) + b"\x88\xb5" + bytes(86)]
    machine = Machine(program)
    with Translated(program, kind, hits=True) as translated:
        assert results(translated, frames) == [machine.run(Packet.whole(frame)) for frame in frames]
        assert translated.hits() == runs(machine, len(program), frames)
        (verified,) = struct.unpack_from("I", kernel.info(translated.fd, 220), 216)  # bpf_prog_info.verified_insns
        assert verified < MOST_VERIFIED


@pytest.mark.guest
@pytest.mark.parametrize("kind", [Kind.TC, Kind.XDP, Kind.CGROUP], ids=lambda kind: kind.value)
def test_five_hundred_hosts(kind: Kind) -> None:
    """Before 6.7 sockets take only programs a third as long."""
    program = hosts(500)
    address = (0x0A000000 + 7 * 499).to_bytes(4, "big")
    frame = bytes(12) + b"\x08\x00" + bytes(16) + address + bytes(40)
    with Translated(program, kind) as translated:
        assert results(translated, [frame]) == [0x40000]
        assert results(translated, [frame[:12] + b"\x86\xdd" + frame[14:]]) == [0]


def test_500_expressions_mean_the_same_translated() -> None:
    frames = {name: packets.generate(1000, 1, name) for name in LINK_LAYERS}
    for at, expression in enumerate(expressions.generate(500, seed=4)):
        program = expressions.compile_expression(expression, optimise=at % 3 != 0)
        for kind in (Kind.SOCKET, Kind.TC, Kind.XDP):
            seen = usable(frames[expression.link_type], kind)
            assert len(seen) > 600
            with Classic(program) as classic, Translated(program, kind) as translated:
                assert translated.lengths(seen) == classic.lengths(seen), f"{expression}, {kind.value}"
