import os
from pathlib import Path

import pytest

from tests.unit.elf_files import CODE_AT, Elf, Load, module
from tui.elf import sites
from tui.elf.names import Function
from tui.elf.reader import ElfFile
from tui.elf.sites import Returns, Site, Sites

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="instructions of x86-64")


def choose(folder: Path, code: bytes, *, offset: int = CODE_AT, unprobeable: str = "") -> Site:
    data = Elf(code=code, loads=[Load(CODE_AT, CODE_AT, len(code))]).build()
    function = Function("program", "run", "run", CODE_AT, len(code), "symtab", offset, (), unprobeable)
    with ElfFile.open(module(folder, data).file) as elf, Sites(elf) as chooser:
        return chooser.choose(function)


def returns(folder: Path, code: bytes, size: int | None = None) -> Returns:
    data = Elf(code=code, loads=[Load(CODE_AT, CODE_AT, len(code))]).build()
    size = len(code) if size is None else size
    function = Function("program", "run", "run", CODE_AT, size, "symtab", CODE_AT)
    with ElfFile.open(module(folder, data).file) as elf, Sites(elf) as chooser:
        return chooser.returns(function)


@pytest.mark.parametrize(
    "code",
    ["55", "f30f1efa55", "4883ec08", "4154", "c3", "f2c3", "90", "e900000000", "ff2500000000", "660f1f440000", "0f0b",
     "0f05", "c5f877", "c4e2fbf7c0", "64488b042500000000", "67488b00", "f3a4", "f348ab"],
)  # fmt: skip
def test_ordinary_first_instructions_are_accepted(tmp_path: Path, code: str) -> None:
    assert choose(tmp_path, bytes.fromhex(code) + b"\xc3" * 16).refused == ""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("f00fb10f", "lock or segment prefix"),
        ("66f00fb10f", "lock or segment prefix"),
        ("62f17c4810c0", "AVX-512"),
        ("cc", "trap or a breakpoint"),
        ("cd80", "trap or a breakpoint"),
        ("f1", "trap or a breakpoint"),
        ("f4", "privileged"),
        ("fa", "privileged"),
        ("fb", "privileged"),
        ("e420", "privileged"),
        ("ec", "privileged"),
        ("6c", "privileged"),
        ("f36e", "privileged"),
        ("06", "no 64-bit instruction"),
        ("60", "no 64-bit instruction"),
        ("9a", "no 64-bit instruction"),
        ("48ea", "no 64-bit instruction"),
        ("d4", "no 64-bit instruction"),
    ],
)
def test_what_the_kernel_refuses_has_a_reason(tmp_path: Path, code: str, reason: str) -> None:
    assert reason in choose(tmp_path, bytes.fromhex(code) + b"\x90" * 16).refused


def test_a_function_that_must_not_be_probed_keeps_its_reason(tmp_path: Path) -> None:
    assert choose(tmp_path, b"\x55" * 16, unprobeable="an indirect function").refused == "an indirect function"


@pytest.mark.parametrize("offset", [1 << 30, (1 << 64) - 1, -1])
def test_outside_the_file(tmp_path: Path, offset: int) -> None:
    assert "outside the file" in choose(tmp_path, b"\x55" * 16, offset=offset).refused


@pytest.mark.parametrize(
    ("code", "at", "emulated"),
    [
        ("55 4889e5 5d c3", 0, True),  # push rbp
        ("4154 415c c3", 0, True),  # push r12
        ("90 c3", 0, True),
        ("f30f1efa 55 5d c3", 4, True),  # endbr64; push
        ("f30f1efa 8d4701 c3", 0, False),  # endbr64; lea; ret: nothing that is emulated
        ("89f8 53 5b c3", 2, True),  # mov eax, edi; push rbx: rax is no argument in C
        ("89fe 53 5b c3", 0, False),  # mov esi, edi: a second argument would be lost
        ("4889e0 53 5b c3", 3, True),  # reads the stack pointer only
        ("4883ec08 e800000000 4883c408 c3", 0, False),  # the stack pointer has moved
        ("85ff 7401 c3 c3", 2, True),  # test; je
        ("e800000000 c3", 0, True),  # call
        ("50 85ff 75fc 58 c3", 0, True),  # a loop, but not through its first byte
        ("4983c001 53 5b c3", 0, False),  # add r8, 1
        ("2e90 53 c3", 2, True),  # cs nop: the kernel refuses that one
        ("3e488b00 53 c3", 4, True),
        ("6690 53 5b c3", 0, True),  # a nop of two bytes
        ("0f1f4000 53 5b c3", 4, True),  # a nop of four
        ("ffe7", 0, False),
        ("f30f1efa 85ff 53 ffe0", 0, False),  # jmp rax: it may lead anywhere
        ("f30f1efa 85ff 53 ff2500000000", 6, True),  # to another function, through a table of addresses
    ],
)
def test_the_first_emulated_instruction_is_taken(tmp_path: Path, code: str, at: int, emulated: bool) -> None:
    assert choose(tmp_path, bytes.fromhex(code)) == Site(CODE_AT + at, "", emulated)


@pytest.mark.parametrize(
    "code",
    [
        "55 5d 85ff 75fa c3",  # jne to the push
        "ffcf 75fc c3",  # dec; jne to the first byte
        "85ff 7405 ffcf ebf8 90 c3",
        "ffcf 0f85f8ffffff c3",
        "53 5b e2fc c3",  # loop
        "53 5b " + "90" * 200 + "e931ffffff",
    ],
)
def test_a_jump_back_to_the_site_is_said(tmp_path: Path, code: str) -> None:
    site = choose(tmp_path, bytes.fromhex(code))
    assert site.offset == CODE_AT
    assert site.note == "jumps back to where it is probed count too"


@pytest.mark.parametrize(
    "check",
    ["493b6610", "4c8d6424e8 4d3b6610", "4c8da42400ffffff 4d3b6610", "4989e4 4981ec00010000 7205 4d3b6610"],
)
@pytest.mark.parametrize("far", [False, True])
def test_go_is_probed_after_its_stack_check(tmp_path: Path, check: str, far: bool) -> None:
    start = bytes.fromhex(check)
    body = bytes.fromhex("55 4889e5 5d c3")
    grow = bytes.fromhex("e800000000")  # call runtime.morestack
    jump = (b"\x0f\x86" + len(body).to_bytes(4, "little")) if far else b"\x76" + bytes([len(body)])
    code = start + jump + body + grow
    back = -(len(code) + 5 if far else len(code) + 2)
    code += b"\xe9" + back.to_bytes(4, "little", signed=True) if far else b"\xeb" + bytes([back & 0xFF])
    assert choose(tmp_path, code) == Site(CODE_AT + len(start + jump), "", True)


def test_a_stack_check_and_nothing_after_it(tmp_path: Path) -> None:
    site = choose(tmp_path, bytes.fromhex("493b6610 7600"))
    assert "outside the file" in site.refused


def test_a_function_too_large_to_look_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "LONGEST", 64)
    code = b"\x55" + b"\x90" * 100
    assert "too large" in choose(tmp_path, code).note
    assert "too large" in returns(tmp_path, code).note


@pytest.mark.parametrize(
    ("code", "offsets", "recursive", "note"),
    [
        ("55 5d c3", [2], False, ""),
        ("85ff 7401 c3 7403 c20800 7402 f3c3 f2c3", [4, 7, 12, 14], False, ""),
        ("53 e8faffffff 5b c3", [7], True, ""),
        ("85ff 7501 c3 e900010000", [4], False, "jump to another function"),
        ("85ff 0f85f0ffffff c3", [8], False, "jump to another function"),
        ("85ff 7501 c3 ff2500000000", [4], False, "jump to another function"),
        ("e800000000", [], False, "never returns"),
        ("c3 06 06", [0], False, ""),
        ("7401 06 c3", [], False, "data lies between"),
        ("85ff 7401 c3 c3 90c3 90", [4, 5], False, "nothing is known to lead"),  # data, for all that is known
        ("53 89f8 eb01 b8 05000000c3 5b c3", [12], False, "nothing is known to lead"),  # a byte that is jumped over
        ("85ff 7401 c3 c3 e8f5ffffff c3", [4, 5], True, "nothing is known to lead"),
        ("ffe0 90 c3", [], False, "a jump of it may lead anywhere"),
        ("b8c3c3c3c3 c3", [5], False, ""),  # bytes of a number
    ],
)
def test_returns(tmp_path: Path, code: str, offsets: list[int], recursive: bool, note: str) -> None:
    found = returns(tmp_path, bytes.fromhex(code))
    assert found.offsets == tuple(CODE_AT + at for at in offsets)
    assert found.recursive is recursive
    assert note in found.note
    assert bool(note) == bool(found.note)


def test_returns_of_a_function_without_a_size(tmp_path: Path) -> None:
    assert returns(tmp_path, b"\xc3", 0) == Returns((), note="its size isn't known")
