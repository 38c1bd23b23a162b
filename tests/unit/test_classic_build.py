"""The functions that build programs: one instruction each, as in a table."""

import pytest

from tui.bpf import classic
from tui.bpf.classic import AssemblyError, assemble, check, listing
from tui.bpf.classic import build as b
from tui.bpf.classic.instructions import B, H, Instruction, W
from tui.bpf.classic.items import Item

INSTRUCTIONS: list[tuple[Item, int, int]] = [
    (b.ld(abs=12), 0x20, 12),
    (b.ld(abs=12, size=H), 0x28, 12),
    (b.ld(abs=12, size=B), 0x30, 12),
    (b.ld(ind=4, size=W), 0x40, 4),
    (b.ld(ind=-1, size=H), 0x48, 0xFFFFFFFF),
    (b.ld(ind=4, size=B), 0x50, 4),
    (b.ld(abs=b.ancillary("vlan_tci")), 0x20, 0xFFFFF02C),
    (b.ld(imm=-1), 0x00, 0xFFFFFFFF),
    (b.ld(mem=3), 0x60, 3),
    (b.ld(len=True), 0x80, 0),
    (b.ldx(imm=1), 0x01, 1),
    (b.ldx(mem=3), 0x61, 3),
    (b.ldx(len=True), 0x81, 0),
    (b.ldx(msh=14), 0xB1, 14),
    (b.st(2), 0x02, 2),
    (b.stx(2), 0x03, 2),
    (b.add(1), 0x04, 1),
    (b.add("x"), 0x0C, 0),
    (b.sub(1), 0x14, 1),
    (b.mul(1), 0x24, 1),
    (b.div("x"), 0x3C, 0),
    (b.mod(1), 0x94, 1),
    (b.and_(1), 0x54, 1),
    (b.or_(1), 0x44, 1),
    (b.xor("x"), 0xAC, 0),
    (b.lsh(1), 0x64, 1),
    (b.rsh(1), 0x74, 1),
    (b.neg(), 0x84, 0),
    (b.tax(), 0x07, 0),
    (b.txa(), 0x87, 0),
    (b.ret(1), 0x06, 1),
    (b.ret("a"), 0x16, 0),
]


@pytest.mark.parametrize(("item", "code", "k"), INSTRUCTIONS)
def test_each_is_one_instruction(item: Item, code: int, k: int) -> None:
    assert item == Instruction(code, k=k)


CONDITIONS = [
    (b.jeq(5, "yes", "no"), 0x15, 1, 2),
    (b.jeq("x", "yes"), 0x1D, 1, 0),
    (b.jgt(5, None, "no"), 0x25, 0, 2),
    (b.jge(5, "yes", "no"), 0x35, 1, 2),
    (b.jset(5, "yes", "no"), 0x45, 1, 2),
    (b.jne(5, "yes", "no"), 0x15, 2, 1),
    (b.jlt(5, "yes", "no"), 0x35, 2, 1),
    (b.jle("x", "yes"), 0x2D, 0, 1),
]


@pytest.mark.parametrize(("item", "code", "jt", "jf"), CONDITIONS)
def test_conditions_go_to_labels(item: Item, code: int, jt: int, jf: int) -> None:
    program = assemble([item, b.neg(), b.label("yes"), b.ret(1), b.label("no"), b.ret(0)])
    assert program[0][:3] == (code, jt, jf)


def test_a_program_is_a_list() -> None:
    program = assemble(
        [
            b.ld(abs=12, size=H),
            b.jeq(0x800, None, "drop"),
            b.ldx(msh=14),
            b.ld(ind=16, size=H),
            b.jne(22, "drop"),
            b.ja("keep"),
            b.label("drop"),
            b.ret(0),
            b.label("keep"),
            b.ret(0xFFFFFFFF),
        ]
    )
    check(program)
    assert listing(program) == [
        "(000) ldh      [12]",
        "(001) jeq      #0x800           jt 2\tjf 6",
        "(002) ldxb     4*([14]&0xf)",
        "(003) ldh      [x + 16]",
        "(004) jeq      #0x16            jt 5\tjf 6",
        "(005) ja       7",
        "(006) ret      #0",
        "(007) ret      #-1",
    ]


def test_what_the_package_says_of_itself() -> None:
    """The lines of its docstring that make a program, and what it says they give."""
    names = {**vars(b), **vars(classic), "H": H}
    lines = [line.strip() for line in (classic.__doc__ or "").splitlines() if line.startswith("    ")]
    programs = [eval(line.partition(" = ")[2], names) for line in lines if line.startswith("program = ")]
    assert len(programs) == 3
    assert len(set(programs)) == 1
    (packet,) = (eval(line.partition(" = ")[2], names) for line in lines if line.startswith("packet = "))
    assert classic.run(programs[0], packet) == 262144


@pytest.mark.parametrize(
    "wrong",
    [
        b.ld,
        lambda: b.ld(abs=1, ind=2),
        lambda: b.ld(msh=1),
        lambda: b.ld(mem=1, size=H),
        lambda: b.ld(abs=1, size=3),
        lambda: b.ldx(abs=1),
        lambda: b.add(1 << 32),
        lambda: b.ancillary("colour"),
        lambda: assemble([b.ja("nowhere")]),
        lambda: assemble([]),
    ],
)
def test_what_no_instruction_can_do(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(AssemblyError) as caught:
        wrong()
    assert (caught.value.line, caught.value.column) == (0, 0)
