"""Sites and returns of arm64 code, on any machine: the file says what it is for."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.elf_files import CODE_AT, Elf, Load, module
from tui.elf import functions, modules, reader
from tui.elf.disassembly import Disassembler, Instruction
from tui.elf.flow import File
from tui.elf.flow_arm64 import Flow
from tui.elf.names import Function
from tui.elf.reader import AARCH64, ElfFile
from tui.elf.sites import Returns, Site, Sites

STP, MOV_FP, LDP, RET, NOP = 0xA9BF7BFD, 0x910003FD, 0xA8C17BFD, 0xD65F03C0, 0xD503201F
BTI, PACIASP, AUTIASP, RETAA = 0xD503245F, 0xD503233F, 0xD50323BF, 0xD65F0BFF
CMP, ADD, MOV_X1, MOV_X9, LDR_X9, LDR_X1 = 0x6B01001F, 0x8B010000, 0xAA0003E1, 0xAA0003E9, 0xF9400009, 0xF9400001
SUB_SP, ADRP_X0, ADRP_X9, BR_X1, BR_X16, BLR_X8 = 0xD10043FF, 0x90000000, 0x90000009, 0xD61F0020, 0xD61F0200, 0xD63F0100
LDXR, STXR, BRK, LDR_LITERAL, SWITCH = 0x885F7C01, 0x88027C01, 0xD4200020, 0x58000040, 0x8B228421
GUARD, COMPARE, SUB_17, COMPARE_17 = 0xF9400B90, 0xEB3063FF, 0xD10103F1, 0xEB10023F
MOV_27, MOVK_27, SUBS_17 = 0xD29FF21B, 0xF2A0003B, 0xEB3B63F1
STR_LR = 0xF81E0FFE


def jump(to: int, at: int = 0) -> int:
    """b from one instruction to another, by their numbers."""
    return 0x14000000 | (to - at) & 0x3FFFFFF


def call(to: int, at: int) -> int:
    return 0x94000000 | (to - at) & 0x3FFFFFF


def branch(to: int, at: int, condition: int = 0) -> int:
    """b.cond; 3 is lower, 9 lower or same."""
    return 0x54000000 | ((to - at) & 0x7FFFF) << 5 | condition


def cbz(to: int, at: int, register: int = 0) -> int:
    return 0xB4000000 | ((to - at) & 0x7FFFF) << 5 | register


@pytest.fixture(autouse=True)
def on_arm64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of arm64 are this machine's."""
    monkeypatch.setattr(reader, "_HERE", AARCH64)


def chosen(folder: Path, *words: int, go: bool = False, address: int = CODE_AT) -> tuple[Site, Returns]:
    code = struct.pack(f"<{len(words)}I", *words)
    extra = [(".gopclntab", b"")] if go else []
    data = Elf(machine=183, code=code, loads=[Load(CODE_AT, CODE_AT, len(code))], extra=extra).build()
    function = Function("program", "run", "run", address, len(code), "symtab", address)
    with ElfFile.open(module(folder, data).file) as elf, Sites(elf) as sites:
        return sites.choose(function), sites.returns(function)


@pytest.mark.parametrize(
    ("words", "at", "emulated"),
    [
        ([STP, MOV_FP, LDP, RET], 0, False),  # a frame is made at once
        ([PACIASP, STP, LDP, RET], 0, False),  # the return address is signed: callers must be read before
        ([BTI, STP, LDP, RET], 0, False),
        ([RET], 0, True),
        ([BTI, RET], 1, True),
        ([NOP, jump(40)], 1, True),
        ([jump(40)], 0, True),
        ([BLR_X8, RET], 0, True),
        ([cbz(3, 0), STP, LDP, RET], 0, True),
        ([CMP, branch(3, 1), STP, RET], 1, True),
        ([ADRP_X0, ADD, STP, RET], 0, True),  # before the first argument is gone
        ([MOV_X9, ADRP_X0, STP, RET], 1, True),
        ([LDR_X9, cbz(3, 1, 9), STP, RET], 1, True),
        ([LDR_X1, cbz(3, 1, 1), STP, RET], 0, False),  # the second argument would be lost
        ([MOV_X1, RET], 0, False),
        ([SUB_SP, cbz(3, 1), STP, RET], 0, False),
        ([MOV_X9, cbz(3, 1), BR_X1, RET], 0, False),  # it may lead anywhere
        ([cbz(3, 0), STP, BR_X1, RET], 0, True),
        ([ADD, RET], 0, False),
        ([MOV_X9, LDXR, STXR, cbz(1, 3), RET], 0, False),  # nothing may come between the two
    ],
)
def test_the_first_emulated_instruction_is_taken(tmp_path: Path, words: list[int], at: int, emulated: bool) -> None:
    assert chosen(tmp_path, *words)[0] == Site(CODE_AT + 4 * at, "", emulated)


@pytest.mark.parametrize(
    "words", [[STP, cbz(0, 1), RET], [ADRP_X9, jump(0, 1)], [MOV_X9, NOP, branch(0, 2), RET], [STP, 0x3707FFE0, RET]]
)
def test_a_jump_back_to_the_site_is_said(tmp_path: Path, words: list[int]) -> None:
    site, _ = chosen(tmp_path, *words)
    assert site.offset == CODE_AT
    assert site.note == "jumps back to where it is probed count too"


@pytest.mark.parametrize(
    "check",
    [
        [GUARD, COMPARE],
        [GUARD, SUB_17, COMPARE_17],
        [GUARD, MOV_27, SUBS_17, None, COMPARE_17],
        [GUARD, MOV_27, MOVK_27, SUBS_17, None, COMPARE_17],
    ],
)
def test_go_is_probed_after_its_stack_check(tmp_path: Path, check: list[int | None]) -> None:
    start = len(check) + 1
    grow = start + 4
    words = [branch(grow, at, 3) if word is None else word for at, word in enumerate(check)]
    words += [branch(grow, start - 1, 9), STR_LR, MOV_FP, LDP, RET, call(500, grow), jump(0, grow + 1)]
    assert chosen(tmp_path, *words, go=True)[0] == Site(CODE_AT + 4 * start)
    again = [*words[:-1], jump(0, grow + 1), jump(0, grow + 2)]
    assert "jumps back" in chosen(tmp_path, *again, go=True)[0].note


@pytest.mark.parametrize("computing", [[0xD10843F4], [0xD2938C1B, 0xCB3B63F4], [0xD10043F4, 0xD1408294]])
def test_go_is_probed_where_a_large_frame_is_made(tmp_path: Path, computing: list[int]) -> None:
    """sub x20, sp, SIZE; or by way of x27; or in two steps: then stp x29, x30, [x20, -8]; mov sp, x20."""
    words = [GUARD, SUB_17, COMPARE_17, branch(9, 3, 9), *computing, 0xA93FFA9D, 0x9100029F, RET]
    assert chosen(tmp_path, *words, go=True)[0] == Site(CODE_AT + 4 * (4 + len(computing)))
    assert chosen(tmp_path, *words[4:], go=True)[0] == Site(CODE_AT + 4 * len(computing))


def test_what_go_may_begin_anew_is_no_site(tmp_path: Path) -> None:
    words = (0x9000001B, 0xF9400371, cbz(4, 2, 17), RET, RET)  # adrp x27, …; ldr x17, [x27]; cbz
    assert chosen(tmp_path, *words)[0] == Site(CODE_AT, "", emulated=True)
    assert chosen(tmp_path, *words, go=True)[0] == Site(CODE_AT + 8, "", emulated=True)
    site, _ = chosen(tmp_path, words[0], 0xF9400360, RET, go=True)  # ldr x0: an argument is gone
    assert site == Site(CODE_AT, "", emulated=True, note="it may count twice where the scheduler interrupts it")


def test_in_go_more_registers_hold_arguments(tmp_path: Path) -> None:
    assert chosen(tmp_path, MOV_X9, RET)[0] == Site(CODE_AT + 4, "", emulated=True)
    assert chosen(tmp_path, MOV_X9, RET, go=True)[0] == Site(CODE_AT)


def test_what_cannot_be_probed(tmp_path: Path) -> None:
    assert "exclusive" in chosen(tmp_path, LDXR, RET)[0].refused
    assert "no instruction begins there" in chosen(tmp_path, RET, RET, address=CODE_AT + 2)[0].refused
    assert "outside the file" in chosen(tmp_path, GUARD, COMPARE, branch(3, 2, 9), go=True)[0].refused


@pytest.mark.parametrize(
    ("words", "at", "recursive", "note"),
    [
        ([STP, LDP, RET], [2], False, ""),
        ([cbz(2, 0), RET, RET], [1, 2], False, ""),
        ([STP, call(0, 1), LDP, RET], [3], True, ""),
        ([cbz(2, 0), RET, jump(40, 2)], [1], False, "jump to another function"),
        ([cbz(40, 0), RET], [1], False, "jump to another function"),
        ([cbz(2, 0), RET, BR_X16], [1], False, "jump to another function"),
        ([STP, call(40, 1), BRK], [], False, "never returns"),
        ([RET, RET], [0], False, "nothing is known to lead"),  # data, for all that is known
        ([LDR_LITERAL, RET, RET, RET], [1], False, ""),  # and here it is
        ([RET, call(0, 1), RET], [0, 2], True, ""),  # what follows an exception
        ([SWITCH, BR_X1, NOP, RET, NOP, RET], [3, 5], False, ""),
        ([LDR_X1, BR_X1, NOP, RET], [3], False, "jump to another function"),
        ([cbz(2, 0), RET, RETAA], [], False, "can't probe (retaa)"),
        ([AUTIASP, RET], [1], False, ""),
        ([0x74000040, RET, RET], [1, 2], False, ""),  # compare and branch
    ],
)
def test_returns(tmp_path: Path, words: list[int], at: list[int], recursive: bool, note: str) -> None:
    found = chosen(tmp_path, *words)[1]
    assert found.offsets == tuple(CODE_AT + 4 * number for number in at)
    assert found.recursive is recursive
    assert note in found.note
    assert bool(note) == bool(found.note)


def test_a_jump_by_a_table_is_a_switch_in_go_only() -> None:
    loaded = (0xF8627821, BR_X1, RET)  # ldr x1, [x1, x2, lsl 3]
    anywhere = File(lambda _address, _size: b"", lambda _address: True)
    assert Flow(loaded, 0, anywhere, go=True).returns() == ([8], "")
    assert "another function" in Flow(loaded, 0, anywhere, go=False).returns()[1]


def test_every_site_and_return_of_a_go_program(targets: Path) -> None:
    """By capstone's listing: no jump leads to a site or before it, but for that of grown stacks; every RET is found."""
    found = modules.of_file(str(targets / "goroutines-arm64"))
    checked = after = 0
    with ElfFile.open(found.file) as elf, Sites(elf) as sites, Disassembler(AARCH64) as disassembler:
        for function in functions.read(found):
            body = {each.address: each for each in _listed(elf, disassembler, function)}
            if not body or function.size > 1 << 16:
                continue
            site, returns = sites.choose(function), sites.returns(function)
            at = function.address + site.offset - function.offset
            assert at in body
            back = [each for each in body.values() if _leads(each, function.address, at)]
            if re.search(r"\[x28, #0x1[08]\]$", body[function.address].operands):
                before = [body[address].mnemonic for address in range(function.address, at, 4)]
                assert "b.ls" in before
                assert set(before[before.index("b.ls") + 1 :]) <= {"mov", "movk", "sub"}
                assert body[at].mnemonic in ("str", "stp", "sub")
                assert [each.mnemonic for each in back] == ["b"]
                after += 1
            elif not site.note:
                assert not back, function
            if "never returns" not in returns.note and "nothing is known" not in returns.note:
                expected = [address for address, each in body.items() if each.mnemonic == "ret"]
                assert [offset + at - site.offset for offset in returns.offsets] == expected, function
            checked += 1
    assert checked > 1_000
    assert after > checked / 2


def _listed(elf: ElfFile, disassembler: Disassembler, function: Function) -> Iterator[Instruction]:
    return disassembler.instructions(elf.bytes_at(function.offset, function.size // 4 * 4), function.address)


def _leads(each: Instruction, first: int, last: int) -> bool:
    """Whether it is a jump to an address of these."""
    name = each.mnemonic.partition(".")[0]
    return name in ("b", "cbz", "cbnz", "tbz", "tbnz") and first <= int(each.operands.rpartition("#")[2], 0) <= last
