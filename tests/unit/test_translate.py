import pytest

from tests.classic_programs import Programs, compiled
from tests.unit.test_extended_layout import by_slot, unreached
from tui.bpf.classic import instructions as ops
from tui.bpf.classic.assembler import assemble as classic
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY, Instruction, Program
from tui.bpf.extended.assembler import assemble, exit_, label
from tui.bpf.extended.disassembler import lines as disassembled
from tui.bpf.extended.disassembler import text
from tui.bpf.extended.facts import UNKNOWN, Facts, facts
from tui.bpf.extended.items import Item, Label
from tui.bpf.extended.translate import Kind, expand, mapping, translate
from tui.errors import NotSupported

RETURN = Instruction(ops.RET | ops.A)


def whole(program: Program, kind: Kind, hits: int | None = None) -> list[Item]:
    return [*translate(program, kind, hits, {"hatype": 1}), label("matched"), label("unmatched"), exit_()]


def listed(program: Program, kind: Kind, hits: int | None = None) -> list[str]:
    return text(assemble(whole(program, kind, hits)).code)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("hits", [None, 64, 30_000])
def test_nothing_is_written_that_nothing_leads_to(kind: Kind, hits: int | None) -> None:
    programs = Programs(f"{kind} {hits}")
    for length in (8, 20, 50, 200) * 10:
        assembled = assemble(whole(programs.program(length), kind, hits))
        assert unreached(by_slot(assembled)) == set()
        assert all(not line.startswith("BUG") for line in text(assembled.code))


def test_facts() -> None:
    program = classic("""
            ldh [12]
            jeq #0x800, ip, end
        ip: ldxb 4*([14]&0xf)
            ldh [x + 16]
            ldb [x + 14]
            and #0xf
            lsh #2
            tax
            ldx M[0]
            ld [2]
        end: ret #1
    """)
    found = facts(program)
    assert found[:3] == (Facts(), Facts(14, UNKNOWN), Facts(14, UNKNOWN))
    assert found[3] == Facts(15, UNKNOWN, 60)
    assert found[4] == Facts(15, UNKNOWN, 60, 18)
    assert found[5] == Facts(15, 0xFF, 60, 18)
    assert found[8] == Facts(15, 60, 60)
    assert found[9] == Facts(15, 60, UNKNOWN)
    assert found[10] == Facts(14, UNKNOWN, UNKNOWN)


def test_what_cannot_be_reached_has_no_facts() -> None:
    program = (Instruction(ops.RET, k=1), Instruction(ops.LD | ops.ABS, k=5), RETURN)
    assert facts(program) == (Facts(), None, None)
    assert listed(program, Kind.XDP)[-2:] == ["goto pc+0", "exit"]
    assert expand(program, Kind.XDP, (7, 1, 1)) == (7, 0, 0)


def test_a_comparison_serves_all_loads_that_it_proves() -> None:
    """`tcp and port 22`: at 14, 24 and behind IPv4's header twice, and for IPv6 at 21, 56 and 58."""
    program = compiled("tcp and port 22")
    assert sum("> r9" in line for line in listed(program, Kind.XDP)) == 7
    again = tuple(Instruction(ops.LD | ops.H | ops.ABS, k=k) for k in (20, 12, 0, 20))
    assert sum("> r9" in line for line in listed((*again, RETURN), Kind.XDP)) == 1


def test_sockets_load_as_the_kernel_does() -> None:
    shown = listed(compiled("tcp and port 22"), Kind.SOCKET)
    assert "r0 = *(u16 *)skb[12]" in shown
    assert "r0 = *(u16 *)skb[r9 + 14]" in shown


def test_large_constants_of_each_kind() -> None:
    program = (Instruction(ops.LD, k=0x80000000), Instruction(ops.JMP | ops.JGE, 1, 0, 0xFFFFFFFF), RETURN, RETURN)
    assert {"w0 = -2147483648", "if w0 >= 0xffffffff goto pc+2"} <= set(listed(program, Kind.TC))


@pytest.mark.parametrize("kind", Kind)
def test_each_item_belongs_to_an_instruction(kind: Kind) -> None:
    program = compiled("tcp and port 22")
    items = whole(program, kind, 64)
    owners = mapping(items)
    assert len(owners) == len(items)
    assert {owner for owner in owners if owner is not None} == set(range(len(program)))
    slots = assemble(items).slots
    lines = dict(disassembled(assemble(items).code))
    compared = {
        lines[slot]
        for item, slot, owner in zip(items, slots, owners, strict=True)
        if owner == 3 and not isinstance(item, Label)
    }
    assert any(line.startswith("if w0 != 0x6 goto") for line in compared)
    assert owners[-3:] == (None, None, None)


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("nla", Kind.SOCKET, "netlink"),
        ("nlan", Kind.TC, "netlink"),
        ("poff", Kind.CGROUP, "payload"),
        ("hatype", Kind.SOCKET, "interface"),
        ("proto", Kind.XDP, "after XDP"),
        ("queue", Kind.XDP, "after XDP"),
        ("rxhash", Kind.XDP, "after XDP"),
    ],
)
def test_what_a_hook_does_not_have(name: str, kind: Kind, reason: str) -> None:
    program = (Instruction(ops.LD | ops.ABS, k=AD_OFF + ANCILLARY[name]), RETURN)
    with pytest.raises(NotSupported, match=reason):
        translate(program, kind)
    assert "w0 = 5" in text(
        assemble([*translate(program, kind, None, {name: 5}), label("matched"), label("unmatched")]).code
    )
    translate((Instruction(ops.RET, k=1), *program), kind)  # where it is never reached


def test_headers_on_xdp() -> None:
    link = (Instruction(ops.LD | ops.B | ops.ABS, k=ops.LL_OFF + 23), RETURN)
    assert "r0 = *(u8 *)(r8 +23)" in listed(link, Kind.XDP)
    with pytest.raises(NotSupported, match="network header"):
        translate((Instruction(ops.LD | ops.B | ops.ABS, k=ops.NET_OFF), RETURN), Kind.XDP)


def test_ends_of_blocks_are_subtracted() -> None:
    """Two loads that may be beyond the packet, in one block: 100 came, 30 had no byte 4, 20 of the rest no byte 9."""
    load = ops.LD | ops.B | ops.ABS
    program = (*(Instruction(load, k=k) for k in (4, 9)), Instruction(ops.ALU | ops.ADD, k=1), RETURN)
    assert expand(program, Kind.TC, (100, 30, 20, 0)) == (100, 70, 50, 50)
    assert expand(program, Kind.SOCKET, (100, 70, 50, 0)) == (100, 70, 50, 50)
    assert expand(program, Kind.TC, (0, 1, 0, 0)) == (0, 0, 0, 0)  # read while the packet was counted
