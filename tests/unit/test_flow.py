"""Where functions return: what jumps and switches lead to, and nothing else."""

import os
import struct

import pytest

from tui.elf.callees import Callees
from tui.elf.disassembly import Disassembler
from tui.elf.flow import DATA, File, Flow

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="instructions of x86-64")
START, OTHERS, TABLE = 0x401000, 0x401100, 0x402000
ABSOLUTE = bytes.fromhex("ff24fd00204000")  # jmp [rdi*8 + TABLE]
RELATIVE = bytes.fromhex("488d15f90f0000 486304ba 4801d0 ffe0")  # lea rdx, TABLE; movsxd rax, …; add rax, rdx; jmp rax


def returns(
    code: bytes, table: bytes = b"", more_code: range = range(0), others: bytes = b"", *, vouched: bool = True
) -> tuple[list[int], str]:
    """Of a function at START, in a file that has a table, and code of others elsewhere, or `others` 256 bytes on."""
    more_code = more_code or range(OTHERS, OTHERS + len(others))

    def read(address: int, size: int) -> bytes:
        if OTHERS <= address < TABLE:
            return others[address - OTHERS :][:size]
        return table[address - TABLE :][:size] if address >= TABLE else b""

    def is_code(address: int) -> bool:
        return address in range(START, START + len(code)) or address in more_code

    with Disassembler() as disassembler:
        decode = disassembler.instructions
        callees = Callees(read, lambda _: False, decode)
        return Flow(START, code, decode, File(read, is_code, vouched, callees=callees)).returns()


@pytest.mark.parametrize("jump", [ABSOLUTE, RELATIVE], ids=["addresses", "distances"])
def test_the_cases_of_a_switch(jump: bytes) -> None:
    cases = bytes.fromhex("c3 b8c3c3c3c3 c3")  # two: ret; mov eax, 0xc3c3c3c3; ret
    data = bytes.fromhex("c3 90 c3")
    at = len(jump)
    if jump is ABSOLUTE:
        table = struct.pack("=3Q", START + at, START + at + 1, 0)
    else:
        table = struct.pack("=3i", *(START + at + case - TABLE for case in (0, 1)), 0)
    found, note = returns(jump + cases + data, table)
    assert found == [at, at + 6]
    assert "nothing is known to lead" in note


def test_a_case_in_another_function() -> None:
    table = struct.pack("=4Q", START + 7, 0x409000, START + 8, 0)
    found, note = returns(ABSOLUTE + b"\xc3\x90\xc3", table, range(0x409000, 0x409010))
    assert found == [7, 9]
    assert "jump to another function" in note


def test_a_case_within_an_instruction_is_none() -> None:
    table = struct.pack("=3Q", START + 7, START + 9, 0)
    found, _ = returns(ABSOLUTE + bytes.fromhex("c3 b8c3c3c3c3 c3"), table)
    assert found == [7]


def test_without_a_table_what_follows_is_taken_for_code() -> None:
    found, note = returns(ABSOLUTE + b"\xc3\x90\xc3")
    assert found == [7, 9]
    assert "jump to another function" in note
    assert returns(ABSOLUTE + b"\x06\xc3")[0] == [8]


def test_a_jump_that_may_lead_anywhere_beside_instructions_that_overlap() -> None:
    code = bytes.fromhex("eb01 b8 ffe0 c3 90 90 c3")  # a byte that is jumped over, then: jmp rax
    assert returns(code) == ([], DATA)


def test_a_large_table_and_no_end() -> None:
    table = struct.pack("=Q", START + 7) * 100_000
    assert returns(ABSOLUTE + b"\xc3", table)[0] == [7]


def test_many_tables_are_too_much() -> None:
    names = b"".join(b"\x48\x8d\x15" + struct.pack("<i", TABLE - START - 7 * (at + 1) + 4 * at) for at in range(200))
    table = struct.pack("=i", START - TABLE) * 10_000  # each entry leads to the function, from some table or other
    found, note = returns(names + bytes.fromhex("ffe0 c3"), table, range(START - 100_000, START + 100_000))
    assert found == []
    assert "too large" in note


def test_many_instructions_are_too_much() -> None:
    assert returns(b"\x90" * 100_000 + b"\xc3") == ([], "it is too large to look through")


def test_what_follows_a_panic() -> None:
    assert returns(bytes.fromhex("85ff 7401 c3 c3 e8f5ffffff c3")) == ([4, 5, 11], "")


def test_where_exceptions_land() -> None:
    code = bytes.fromhex("c3 ff1500000000 c3")
    with Disassembler() as disassembler:
        for pads, found, note in (((), [0], "nothing is known to lead"), ((START + 1,), [0, 7], "")):
            file = File(lambda *_: b"", lambda _: False, pads=pads)
            places, said = Flow(START, code, disassembler.instructions, file).returns()
            assert places == found
            assert note in said
            assert bool(note) == bool(said)


def test_numbers_that_are_no_places() -> None:
    assert returns(bytes.fromhex("e67c c8100000 c9 c3")) == ([7], "")  # out 0x7c, al; enter 0x10, 0; leave; ret


def test_instructions_that_overlap() -> None:
    found, note = returns(bytes.fromhex("85ff 7401 b0c3 c3"))
    assert (found, note) == ([], "its instructions overlap one another")
    assert returns(bytes.fromhex("85ff 7401 f00fb111 c3")) == ([8], "")  # jz over a lock prefix


@pytest.mark.parametrize(
    ("code", "found", "doubt"),
    [
        ("55 5d c3", [2], ""),
        ("55 c3", [], "stack can't be followed"),
        ("55 4889e5 4883ec10 c9 c3", [9], ""),
        ("4883e4f0 c3", [], "stack can't be followed"),
        ("4883ec08 4883c408 c3", [8], ""),
        ("e804000000 c3909090 58 c3", [], "calls its own middle"),
        ("488d0501000000 c3 90", [], "an address within itself"),
        ("8b0501000000 c3 90", [], DATA),
        ("8b05faffffff c3", [], DATA),  # its own first byte
        ("488d05f9ffffff c3", [7], ""),  # its own address
        ("ffe0 c3", [], "may lead anywhere"),
        ("31c0 7401 c3 c3", [4, 5], ""),  # nothing speaks against it
    ],
)
def test_code_for_which_nothing_vouches(code: str, found: list[int], doubt: str) -> None:
    places, note = returns(bytes.fromhex(code), vouched=False)
    assert places == found
    assert doubt in note


def test_returns_that_lead_elsewhere_are_left_out() -> None:
    found, note = returns(bytes.fromhex("85ff 7401 c3 50 c3"))  # push rax; ret: a jump
    assert found == [4]
    assert "elsewhere" in note


@pytest.mark.parametrize(
    ("callee", "found", "said"),
    [
        ("c3", [5], ""),
        ("06", [], "may not come back behind the call"),  # no instruction
        ("5a 8b02 4883c204 ffe2", [], "may not come back behind the call"),  # pop rdx; …; jmp rdx
        ("4883042404 c3", [], "may not come back behind the call"),  # add qword ptr [rsp], 4
        ("0f0b", [], "it never returns"),
    ],
)
def test_calls_of_what_comes_back_oddly(callee: str, found: list[int], said: str) -> None:
    call = b"\xe8" + struct.pack("<i", OTHERS - START - 5)
    for vouched in (True, False):
        others = bytes.fromhex(callee).ljust(300, b"\xcc")
        places, note = returns(call + b"\xc3", others=others, vouched=vouched)
        assert places == found
        assert said in note


@pytest.mark.parametrize("end", ["488d642408", "4883c408"])
def test_returns_that_are_not_predicted(end: str) -> None:
    thunk = bytes.fromhex(f"e807000000 f390 0faee8 ebf9 {end} c3")
    jump = b"\xe9" + struct.pack("<i", OTHERS - START - 7)
    for vouched in (True, False):
        assert returns(b"\x55\x5d" + thunk, vouched=vouched) == ([2], "")
        assert returns(b"\x55\x5d" + jump, others=thunk, vouched=vouched) == ([2], "")


@pytest.mark.parametrize(("limit", "found"), [(1, [14, 15]), (2, [])])
def test_a_switch_for_which_nothing_vouches(limit: int, found: list[int]) -> None:
    switch = bytes.fromhex(f"83ff{limit:02x} 7709") + ABSOLUTE
    at = START + len(switch)
    code = switch + b"\x90\x90\xc3\xc3"
    places, note = returns(code, struct.pack("=3Q", at + 2, at + 3, 0), vouched=False)
    assert places == found
    assert bool(places) != bool(note)
