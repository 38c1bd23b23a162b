"""Instructions of arm64 by their bits, against what capstone says of the same words."""

import re
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.elf import arm64
from tui.elf.arm64 import Way
from tui.elf.disassembly import Disassembler, Instruction
from tui.elf.reader import AARCH64

AT = 0x400000
WAYS = {
    Way.JUMP: ("b",),
    Way.BRANCH: ("b.", "bc.", "cbz", "cbnz", "tbz", "tbnz"),
    Way.CALL: ("bl", "blr", "blraa", "blrab", "blraaz", "blrabz"),
    Way.INDIRECT: ("br", "braa", "brab", "braaz", "brabz"),
    Way.RETURN: ("ret",),
    Way.SIGNED_RETURN: ("retaa", "retab"),
    Way.NOWHERE: (
        "eret",
        "eretaa",
        "eretab",
        "drps",
        "brk",
        "hlt",
        "hvc",
        "smc",
        "udf",
        "dcps1",
        "dcps2",
        "dcps3",
        "tcancel",
    ),
}
WAY = {name: way for way, names in WAYS.items() for name in names}
EMULATED = {"b", "b.", "bl", "br", "blr", "ret", "cbz", "cbnz", "tbz", "tbnz", "adr", "adrp"}
TARGETS = {"b", "b.", "bc.", "bl", "cbz", "cbnz", "tbz", "tbnz"}
JUMPS = st.sampled_from((0x14, 0x17, 0x25, 0x34, 0x54, 0x94, 0xB5, 0x36, 0xB7, 0xD4, 0xD6, 0xD7))
WORDS = st.integers(0, (1 << 32) - 1) | st.builds(lambda top, rest: top << 24 | rest, JUMPS, st.integers(0, 0xFFFFFF))
BEGINNINGS = st.builds(
    lambda top, rest: top << 24 | rest,
    st.sampled_from((0x0A, 0x0B, 0x11, 0x12, 0x13, 0x1A, 0x31, 0x32, 0x39, 0x72, 0x8B, 0x91, 0xAA, 0xB9, 0xD2, 0xF9)),
    st.integers(0, 0xFFFFFF),
)


@pytest.fixture(scope="module")
def disassembler() -> Iterator[Disassembler]:
    with Disassembler(AARCH64) as opened:
        yield opened


def read(disassembler: Disassembler, word: int) -> Instruction | None:
    found = next(disassembler.instructions(struct.pack("<I", word), AT, 1))
    return found if found.known else None


@settings(max_examples=3_000, deadline=None)
@given(WORDS)
def test_where_control_goes(disassembler: Disassembler, word: int) -> None:
    found = read(disassembler, word)
    if found is None:  # not an instruction, or one that capstone 5 doesn't know yet
        return
    name = re.sub(r"(?<=\.)\w+", "", found.mnemonic)
    assert arm64.way(word) is WAY.get(name, Way.ON), found
    assert arm64.is_emulated(word) is (name in EMULATED and not found.operands.startswith("z")), found
    target = arm64.target(word, AT)
    if name in TARGETS:
        assert target is not None
        assert target % (1 << 64) == int(found.operands.rpartition("#")[2], 0)
    else:
        assert target is None


@settings(max_examples=3_000, deadline=None)
@given(BEGINNINGS)
def test_what_is_written(disassembler: Disassembler, word: int) -> None:
    found, written = read(disassembler, word), arm64.written(word)
    if found is None or written is None:
        return
    first = found.operands.partition(",")[0].strip()
    if found.mnemonic.startswith(("str", "prfm", "cmp", "cmn", "tst", "ccm")):
        assert written == arm64.NOTHING or found.mnemonic.startswith("ccm")
    elif first in ("sp", "wsp"):
        assert written == arm64.STACK
    elif first in ("xzr", "wzr"):
        assert written == arm64.NOTHING
    else:
        assert written == int(first[1:])


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (0x885F7C01, "exclusive"),  # ldxr w1, [x0]
        (0xC85FFC01, "exclusive"),  # ldaxr x1, [x0]
        (0x48207C82, "exclusive"),  # casp x0, x1, x2, x3, [x4]
        (0x58000040, "lies beside it"),  # ldr x0, .+8
        (0x1C000040, "lies beside it"),  # ldr s0, .+8
        (0x98000040, "lies beside it"),  # ldrsw
        (0xD8000040, "lies beside it"),  # prfm
        (0xD4000001, "exception"),  # svc
        (0xD4200000, "exception"),  # brk
        (0x00000000, "exception"),  # udf
        (0xD51BD040, "system register"),  # msr tpidr_el0, x0
        (0xD50342DF, "system register"),  # msr daifset, #2
        (0xD50323BF, "hint"),  # autiasp
        (0xD503203F, "hint"),  # yield
        (0xD65F0BFF, "signed"),  # retaa
        (0xD71F0800, "signed"),  # braa
        (0x54000050, "new kind"),  # bc.eq
        (0x74000040, "new kind"),  # cbgt
        (0x19010440, "in steps"),  # cpyfp
    ],
)
def test_what_cannot_be_probed(word: int, reason: str) -> None:
    assert reason in arm64.refused(word)


@pytest.mark.parametrize(
    "word",
    [
        0xA9BF7BFD, 0xD10083FF, 0xAA0003E1, 0xD503201F, 0xD503233F, 0xD503245F, 0xD65F03C0, 0xD61F0200, 0xD63F0100,
        0x14000000, 0x94000000, 0x54000040, 0x34000040, 0x90000000, 0xF9400001, 0x88DFFC01, 0xD53BD040, 0xB8200001,
    ],
)  # fmt: skip
def test_what_can_be_probed(word: int) -> None:
    assert arm64.refused(word) == ""
