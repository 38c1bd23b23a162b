"""What instructions do, in words; a packet in the machine, step by step."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.screens.filtering import PROGRAMS
from tests.screens.network import interface
from tests.unit.packet_making import ethernet, ipv4, ipv6, record, some_frame, tcp, udp
from tui.bpf import classic
from tui.bpf.classic import Instruction, Packet, assemble, parse, run
from tui.collectors.stepping import stepped
from tui.collectors.wording import words

SSH = parse(PROGRAMS["tcp port 22"])


def test_offsets_have_names_where_every_way_to_them_says_what_they_are() -> None:
    said = words(SSH)
    assert said[0] == "A = the 2 bytes at 12, the EtherType"
    assert said[1] == "if A is 0x86dd (IPv6), go to 002, else to 008"
    assert said[2] == "A = the byte at 20, the next header"
    assert said[8] == "if A is 0x800 (IPv4), go to 009, else to 019"
    assert said[9] == "A = the byte at 23, the protocol"
    assert said[10] == "if A is 0x6 (TCP), go to 011, else to 019"
    assert said[12] == "if A has bits of 0x1fff (a fragment, not the first), go to 019, else to 013"
    assert said[13] == "X = 4 × the low half of the byte at 14: the IPv4 header's length"
    assert said[14] == "A = the 2 bytes at X + 14, the source port"
    assert said[15] == "if A is 22, go to 018, else to 016"
    assert said[18] == "end: it matches, up to 262,144 bytes are wanted"
    assert said[19] == "end: it doesn't match"


def test_where_ways_meet_nothing_is_claimed() -> None:
    said = words(assemble("ldh [12]\njeq #0x800, next, next\nnext: ldb [23]\nret a"))
    assert said[2] == "A = the byte at 23"
    assert said[3] == "end: as many bytes as A says are wanted, none if it is 0"


def test_what_the_kernel_knows_beside_the_bytes() -> None:
    said = words(assemble("ld vlan_tci\nldb [0xffffe000]\nst M[3]\nldx M[3]\ntxa\nmul x\nneg\nret #0"))
    assert said[0] == "A = the VLAN tag that the kernel took out"
    assert said[2:7] == ("M[3] = A", "X = M[3]", "A = X", "A = A × X", "A = −A")


@given(
    st.lists(
        st.builds(Instruction, st.integers(0, 0xFFFF), *[st.integers(0, 255)] * 2, st.integers(0, 2**32 - 1)),
        min_size=1,
        max_size=30,
    )
)
def test_any_program_gives_words(program: list[Instruction]) -> None:
    assert len(words(tuple(program))) == len(program)
    assert len(words(tuple(program), ethernet=False)) == len(program)


def test_a_packet_that_matches() -> None:
    found = stepped(SSH, record(ethernet(ipv4(tcp(), 6))))
    assert found.matched
    assert found.verdict == "it matches after 13 instructions: up to 262,144 bytes are wanted"
    assert found.steps[0].loads == (12, 2)
    assert found.steps[1].a == 0x800
    indexed = next(step for step in found.steps if step.pc == 14)
    assert (indexed.x, indexed.loads) == (20, (34, 2))
    assert not found.note


def test_why_a_packet_does_not_match() -> None:
    found = stepped(SSH, record(ethernet(ipv4(udp(ports=(22, 22)), 17))))
    assert not found.matched
    assert found.verdict == "it doesn't match: the condition at 010 didn't hold, A was 0x11 (17)"
    fragment = stepped(SSH, record(ethernet(ipv4(tcp(), 6, fragment=7))))
    assert fragment.verdict == "it doesn't match: the condition at 012 held, A was 0x7 (7)"
    short = stepped(SSH, record(ethernet(ipv6(tcp(), 6), 0x86DD)[:55]))
    assert "beyond" in short.verdict


def test_what_was_not_kept_is_said() -> None:
    whole = record(ethernet(ipv4(tcp(bytes(900)), 6)))
    found = stepped(SSH, whole._replace(data=whole.data[:60]))
    assert "60 were kept" in found.note


def test_what_the_kernel_knew_of_the_packet() -> None:
    tagged = record(ethernet(ipv4(tcp(), 6)), vlan_tpid=0x8100, vlan_tci=7, direction="out")
    program = assemble("ld vlan_tci\njneq #7, no\nld type\njneq #4, no\nld ifidx\nret a\nno: ret #0")
    assert stepped(program, tagged, interface(9, "eth0")).steps[-1].result == 9
    assert not stepped(program, tagged._replace(vlan_tci=8), interface(9, "eth0")).matched
    assert not stepped(program, tagged, interface(9, "eth0"), as_libpcap=True).matched


def test_it_agrees_with_the_machine_on_made_up_packets() -> None:
    chance = random.Random(4)
    for _ in range(500):
        frame = some_frame(chance)
        found = stepped(SSH, record(frame))
        assert found.steps[-1].result == run(SSH, Packet.whole(frame))
        for step in found.steps:
            assert step.loads is None or 0 <= step.loads[0] < len(frame)
    assert classic.listing(SSH)
