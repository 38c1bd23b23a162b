"""bpf_asm's language: what each line becomes, what is refused and where, and that it reads what we write."""

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import programs
from tui.bpf.classic import AssemblyError, Instruction, Program, assemble, source
from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import FORMS, Operand, is_condition

LINES = [
    ("ld [12]", 0x20, 12),
    ("ldh [ 0x0c ]", 0x28, 12),
    ("LDB [014]", 0x30, 12),
    ("ld [x + 4]", 0x40, 4),
    ("ldh [%x + 4]", 0x48, 4),
    ("ldb [x+4]", 0x50, 4),
    ("ldb [x + -4]", 0x50, 0xFFFFFFFC),
    ("ld #0b101", 0x00, 5),
    ("ld #-1", 0x00, 0xFFFFFFFF),
    ("ld #4294967295", 0x00, 0xFFFFFFFF),
    ("ldi 7", 0x00, 7),
    ("ldi #7", 0x00, 7),
    ("ldi -7", 0x00, 0xFFFFFFF9),
    ("ld M[15]", 0x60, 15),
    ("ld m[3]", 0x60, 3),
    ("ld len", 0x80, 0),
    ("ld #len", 0x80, 0),
    ("ld #pktlen", 0x80, 0),
    ("ldx #1", 0x01, 1),
    ("ldxi 1", 0x01, 1),
    ("ldx M[2]", 0x61, 2),
    ("ldx len", 0x81, 0),
    ("ldx 4*([14]&0xf)", 0xB1, 14),
    ("ldxb 4 * ([14] & 15)", 0xB1, 14),
    ("st M[1]", 0x02, 1),
    ("stx M[1]", 0x03, 1),
    ("add #1", 0x04, 1),
    ("sub x", 0x1C, 0),
    ("mul #2", 0x24, 2),
    ("div %x", 0x3C, 0),
    ("mod #3", 0x94, 3),
    ("and #0xff", 0x54, 255),
    ("or x", 0x4C, 0),
    ("xor #1", 0xA4, 1),
    ("lsh #31", 0x64, 31),
    ("rsh x", 0x7C, 0),
    ("neg", 0x84, 0),
    ("tax", 0x07, 0),
    ("txa", 0x87, 0),
    ("ret #262144", 0x06, 262144),
    ("ret a", 0x16, 0),
    ("ret %A", 0x16, 0),
    ("ret x", 0x0E, 0),
    ("ld proto", 0x20, 0xFFFFF000),
    ("ldh #type", 0x28, 0xFFFFF004),
    ("ldb vlan_avail", 0x30, 0xFFFFF030),
    ("ldb vlan_pr", 0x30, 0xFFFFF030),
    ("ld rand", 0x20, 0xFFFFF038),
    ("ld ; a comment, ld [4]\n /* another\n one */ [12]", 0x20, 12),
    ("# a comment\nld [12]", 0x20, 12),
]


@pytest.mark.parametrize(("line", "code", "k"), LINES)
def test_each_line_is_one_instruction(line: str, code: int, k: int) -> None:
    assert assemble(line) == (Instruction(code, k=k),)


def test_every_name_of_ancillary_data() -> None:
    names = "proto type ifidx nla nlan mark queue hatype rxhash cpu xor_x vlan_tci vlan_avail poff rand vlan_tpid"
    program = assemble(names.replace(" ", "\nld ").replace("proto", "ld proto"))
    assert [instruction.k - ops.AD_OFF for instruction in program] == list(range(0, 64, 4))


JUMPS = [
    ("jeq #1, yes, no", 0x15, 1, 2),
    ("jeq #1,yes", 0x15, 1, 0),
    ("jgt x, yes, no", 0x2D, 1, 2),
    ("jge %x, yes, no", 0x3D, 1, 2),
    ("jset #1, yes, no", 0x45, 1, 2),
    ("jne #1, no", 0x15, 0, 2),
    ("jneq #1, no", 0x15, 0, 2),
    ("jlt #1, no", 0x35, 0, 2),
    ("jle x, no", 0x2D, 0, 2),
    ("jle x, no, yes", 0x2D, 1, 2),
]


@pytest.mark.parametrize(("line", "code", "yes", "no"), JUMPS)
def test_conditions_go_to_labels(line: str, code: int, yes: int, no: int) -> None:
    program = assemble(f"{line}\nneg\nyes: ret #1\nno: ret #0")
    assert program[0][:3] == (code, yes, no)


def test_jumps_may_be_long_or_go_back() -> None:
    assert assemble("ja end " + "neg " * 300 + "end: ret #0")[0] == Instruction(ops.JMP, k=300)
    assert assemble("again: neg jmp again")[1].k == 0xFFFFFFFE
    assert assemble("one: two: jeq #0, one2 one2: ret #0")[0].jt == 0


REFUSED = [
    ("", 0, 0, "not 0"),
    ("ldh 12", 1, 5, "an offset stands in"),
    ("ld #1\n  ldq [4]", 2, 3, "not “ldq”"),
    ("ld [x + ", 1, 9, "not the end"),
    ("ldx [4]", 1, 5, "#k or M[k] or len or 4*([k]&0xf)"),
    ("st #1", 1, 4, "M[k]"),
    ("ld x", 1, 4, "not x"),
    ("add a", 1, 5, "not a"),
    ("ret #99999999999", 1, 6, "32 bits"),
    ("ret #-2147483649", 1, 6, "32 bits"),
    (f"ret #{'9' * 5000}", 1, 6, "32 bits"),
    ("ret #0x", 1, 6, "“0x” is no number"),
    ("ret #08", 1, 6, "“08” is no number"),
    ("ret #1\x1b", 1, 7, "␛"),
    ("jeq #1, there", 1, 9, "no label there"),
    ("jeq #1", 1, 7, "“,”"),
    ("jeq #1, ld", 1, 9, "not “ld”"),
    ("ld: ret #1", 1, 1, "not “ld”"),
    ("here: neg\nhere: ret #1", 2, 1, "twice"),
    ("neg\nhere:", 2, 1, "no instruction follows"),
    ("back: neg jeq #1, back ret #0", 1, 19, "behind"),
    ("jeq #1, far " + "neg " * 300 + "far: ret #0", 1, 9, "300 instructions on"),
    ("ldx 8*([14]&0xf)", 1, 5, "4*([k]&0xf)"),
    ("ld nothing", 1, 4, "not “nothing”"),
    ("ld [%y + 4]", 1, 6, "“x”"),
    ("neg /* neg", 1, 5, "no end"),
    ("neg é", 1, 5, "“é”"),
    ("neg " * 4097, 1, 4 * 4096 + 1, "more than 4,096"),
]


@pytest.mark.parametrize(("text", "line", "column", "reason"), REFUSED, ids=[text[:20] for text, *_ in REFUSED])
def test_what_is_wrong_and_where(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert reason in caught.value.reason
    assert len(str(caught.value)) < 200


@given(st.text(alphabet="ldhxbjeqart#0123456789[]+,:;*&()%- \n/M\x00é", max_size=80))
def test_any_text_is_a_program_or_an_error(text: str) -> None:
    with contextlib.suppress(AssemblyError):
        assert assemble(text)


def test_hostile_text_takes_no_time() -> None:
    for text in ("/*" * 100_000, "a:" * 100_000, "[" * 100_000, "\n" * 1_000_000, "#" * 100_000, "9" * 1_000_000):
        with pytest.raises(AssemblyError):
            assemble(text)


def plain(program: Program) -> Program:
    """The program with nothing in fields that its instructions don't use: a source can't say those."""
    return tuple(_plain(instruction) for instruction in program)


def _plain(instruction: Instruction) -> Instruction:
    code = instruction.code
    kept = instruction if is_condition(code) else instruction._replace(jt=0, jf=0)
    unused = code in FORMS and FORMS[code].operand in {Operand.NONE, Operand.A, Operand.X, Operand.LENGTH}
    return kept._replace(k=0) if unused else kept


def test_sources_of_programs_by_chance_are_read_back() -> None:
    dice = Random(8)
    for _ in range(500):
        program = programs.valid(dice)
        assert assemble("\n".join(source(program))) == plain(program)
