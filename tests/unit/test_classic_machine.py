"""The machine: step by step, and what each dialect sees; tests/kernel and test_classic_libpcap.py compare results."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf.classic import Ancillary, Dialect, Instruction, Machine, Packet, Program, State, assemble, run, steps
from tui.bpf.classic import instructions as ops

BOTH = pytest.mark.parametrize("dialect", Dialect)
NO_WORDS = (0,) * 16
DATA = bytes(range(60))


def last(text: str, packet: Packet, dialect: Dialect = Dialect.LINUX) -> State:
    *_, state = steps(assemble(text), packet, dialect)
    return state


@BOTH
def test_every_step_is_shown_before_it_is_done(dialect: Dialect) -> None:
    program = assemble("ldb [1] tax st M[1] add x jeq #2, yes  neg  yes: ret #9")
    assert list(steps(program, Packet.whole(DATA), dialect)) == [
        State(0, 0, 0, NO_WORDS, None, ""),
        State(1, 1, 0, NO_WORDS, None, ""),
        State(2, 1, 1, NO_WORDS, None, ""),
        State(3, 1, 1, (0, 1, *NO_WORDS[2:]), None, ""),
        State(4, 2, 1, (0, 1, *NO_WORDS[2:]), None, ""),
        State(6, 2, 1, (0, 1, *NO_WORDS[2:]), None, ""),
        State(6, 2, 1, (0, 1, *NO_WORDS[2:]), 9, "returned"),
    ]


@BOTH
@pytest.mark.parametrize(
    ("text", "result", "why"),
    [
        ("ld #7 ret a", 7, "returned A"),
        ("ld [57] ret a", 0, "load beyond the packet: 4 at 57, of 60"),
        ("ldh [59] ret a", 0, "load beyond the packet: 2 at 59, of 60"),
        ("ldb [60] ret a", 0, "load beyond the packet: 1 at 60, of 60"),
        ("ldx 4*([60]&0xf) ret #1", 0, "load beyond the packet: 1 at 60, of 60"),
        ("ldx #50 ld [x + 8] ret #1", 0, "load beyond the packet: 4 at 58, of 60"),
        ("ld [56] ret a", 0x38393A3B, "returned A"),
        ("ldx 4*([31]&0xf) txa ret a", 60, "returned A"),
        ("ld len ret a", 1000, "returned A"),
        ("ldx len txa ret a", 1000, "returned A"),
        ("div x ret #1", 0, "division by zero"),
        ("mod x ret #1", 0, "division by zero"),
        ("ld #0 sub #1 ret a", 0xFFFFFFFF, "returned A"),
        ("ld #0xffffffff mul #3 ret a", 0xFFFFFFFD, "returned A"),
        ("ld #1 neg rsh #31 ret a", 1, "returned A"),
    ],
)
def test_how_programs_end(text: str, result: int, why: str, dialect: Dialect) -> None:
    state = last(text, Packet(DATA, 1000), dialect)
    assert (state.result, state.why) == (result, why)


@BOTH
@pytest.mark.parametrize(
    ("program", "why"),
    [
        ((), "there is no instruction"),
        ((Instruction(0),), "there is no instruction"),
        ((Instruction(0xFF),), "0xff is no instruction"),
        ((Instruction(ops.RET | ops.X),), "0xe is no instruction"),
        ((Instruction(ops.JMP, k=5),), "there is no instruction"),
        ((Instruction(ops.JMP | ops.JEQ, 7, 7),), "there is no instruction"),
        ((Instruction(ops.ST, k=16),), "there is no M[16]"),
        ((Instruction(ops.JMP, k=0xFFFFFF00),), "there is no instruction"),
    ],
)
def test_programs_without_sense_end_with_nought(program: Program, why: str, dialect: Dialect) -> None:
    *_, state = steps(program, Packet.whole(DATA), dialect)
    assert (state.result, state.why) == (0, why)


def test_loops_end() -> None:
    counting = "again: add #1 jeq #{}, done  ja again  done: ret a"
    assert last(counting.format(65), Packet.whole(b""), Dialect.LIBPCAP).result == 65
    assert last(counting.format(66), Packet.whole(b""), Dialect.LIBPCAP).why == "more than 64 jumps back"
    assert last(counting.format(5), Packet.whole(b"")).why == "there is no instruction"  # the kernel has no loops


KNOWN = Ancillary(
    protocol=0x86DD,
    pkttype=4,
    ifindex=3,
    mark=0xDEADBEEF,
    queue=2,
    hatype=772,
    rxhash=0x12345678,
    cpu=1,
    vlan_tci=0x2064,
    vlan_present=1,
    vlan_tpid=0x8100,
    random=99,
    payload_offset=54,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("proto", 0x86DD),
        ("type", 4),
        ("ifidx", 3),
        ("mark", 0xDEADBEEF),
        ("queue", 2),
        ("hatype", 772),
        ("rxhash", 0x12345678),
        ("cpu", 1),
        ("vlan_tci", 0x2064),
        ("vlan_avail", 1),
        ("vlan_tpid", 0x8100),
        ("rand", 99),
        ("poff", 54),
        ("xor_x", 0),
    ],
)
def test_ancillary_data(name: str, value: int) -> None:
    packet = Packet.whole(DATA, KNOWN)
    assert last(f"ldb {name} ret a", packet).a == value
    assert last(f"ld {name} ret a", packet, Dialect.LIBPCAP).why.startswith("load beyond the packet")


def test_without_an_interface_the_program_ends_with_a() -> None:
    state = last("ld #77 ld ifidx ret #5", Packet.whole(DATA))
    assert (state.pc, state.result) == (1, 77)
    assert last("ld hatype ret #5", Packet.whole(DATA)).result == 0


def test_header_areas() -> None:
    packet = Packet.whole(DATA, Ancillary(link_offset=0, network_offset=14))
    assert last("ldb [0xfff00002] ret a", packet).a == 16
    assert last("ldb [0xffe00002] ret a", packet).a == 2
    assert last("ldx #0xfff00000 ldh [x + 1] ret a", packet).a == 0x0F10
    assert last("ldx 4*([0xfff00001]&0xf) txa ret a", packet).a == 60
    assert last("ldb [0xfff0002e] ret a", packet).why == "load beyond the packet: 1 at 60, of 60"
    assert "beyond" in last("ldb [0xffe00002] ret a", Packet.whole(DATA, Ancillary(link_offset=None))).why
    assert "beyond" in last("ldb [0xffe00002] ret a", Packet.whole(DATA, Ancillary(link_offset=-14))).why
    assert "beyond" in last("ldb [0x80000002] ret a", packet).why
    assert "beyond" in last("ldb [0xfff00002] ret a", packet, Dialect.LIBPCAP).why


def test_what_else_the_dialects_differ_in() -> None:
    packet = Packet.whole(DATA)
    assert [last("ldx #0xffffffff ldb [x + 6] ret a", packet, dialect).a for dialect in Dialect] == [5, 0]
    assert [last("ldx #33 ld #3 lsh x ret a", packet, dialect).a for dialect in Dialect] == [6, 0]
    assert [last("ldx #33 ld #3 rsh x ret a", packet, dialect).a for dialect in Dialect] == [1, 0]


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def test_netlink_attributes() -> None:
    nest = attribute(1, b"abc") + attribute(2, b"")
    packet = Packet.whole(attribute(7, b"12345") + attribute(0x8000 | 9, nest))
    assert last("ld #0 ldx #9 ld nla ret a", packet).a == 12
    assert last("ld #0 ldx #8 ld nla ret a", packet).a == 0
    assert last("ld #12 ldx #2 ld nlan ret a", packet).a == 24
    assert last("ld #12 ldx #7 ld nlan ret a", packet).a == 0
    for start in (29, 1000, 0xFFFFFFFF):
        assert last(f"ld #{start} ldx #9 ld nla ret a", packet).a == 0
        assert last(f"ld #{start} ldx #9 ld nlan ret a", packet).a == 0


NUMBERS = st.one_of(
    st.integers(0, 70), st.sampled_from([ops.AD_OFF, ops.NET_OFF, ops.LL_OFF]), st.integers(0, 2**32 - 1)
)
INSTRUCTIONS = st.builds(
    Instruction, st.one_of(st.integers(0, 255), st.integers(0, 65535)), st.integers(0, 9), st.integers(0, 255), NUMBERS
)


@BOTH
@given(program=st.lists(INSTRUCTIONS, max_size=30), data=st.binary(max_size=80))
def test_any_program_ends_on_any_packet(dialect: Dialect, program: list[Instruction], data: bytes) -> None:
    machine = Machine(tuple(program), dialect)
    states = list(machine.steps(Packet.whole(data)))
    assert states[-1].result == machine.run(Packet.whole(data)) == run(tuple(program), Packet.whole(data), dialect)
    assert all(0 <= number < 2**32 for state in states for number in (state.a, state.x, *state.memory))
    assert states[-1].why
