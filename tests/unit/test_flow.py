"""Where functions return: what jumps and switches lead to, and nothing else."""

import os
import struct

import pytest

from tui.elf.disassembly import Disassembler
from tui.elf.flow import DATA, File, Flow

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="instructions of x86-64")
START, TABLE = 0x401000, 0x402000
ABSOLUTE = bytes.fromhex("ff24fd00204000")  # jmp [rdi*8 + TABLE]
RELATIVE = bytes.fromhex("488d15f90f0000 486304ba 4801d0 ffe0")  # lea rdx, TABLE; movsxd rax, …; add rax, rdx; jmp rax


def returns(code: bytes, table: bytes = b"", more_code: range = range(0)) -> tuple[list[int], str]:
    """Of a function at START, in a file that has a table, and code of others elsewhere."""

    def read(address: int, size: int) -> bytes:
        return table[address - TABLE :][:size] if address >= TABLE else b""

    def is_code(address: int) -> bool:
        return address in range(START, START + len(code)) or address in more_code

    with Disassembler() as disassembler:
        return Flow(START, code, disassembler.instructions, File(read, is_code)).returns()


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
