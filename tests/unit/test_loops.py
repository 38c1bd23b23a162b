"""What older verifiers (5.15 and 6.1; 6.12 does not) ask of loops, of the programs as they are shipped."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tui.bpf import compiler

PROGRAMS = sorted(path.stem for path in (Path(compiler.HERE) / "programs").glob("*.c"))
CALL, EXIT, ALWAYS, WIDE = 0x80, 0x90, 0x00, 0x18


def following(code: bytes, at: int) -> Iterator[tuple[int, bool]]:
    """The instructions that may come after one, and whether a jump leads there, as check_cfg visits them (5.15)."""
    opcode, offset = code[at * 8], struct.unpack_from("<h", code, at * 8 + 2)[0]
    jump, kind = opcode & 7 in (5, 6), opcode & 0xF0
    if jump and kind == EXIT:
        return
    if not jump or kind == CALL:
        yield at + (2 if opcode == WIDE else 1), False
        return
    if kind != ALWAYS:
        yield at + 1, True
    yield at + offset + 1, True


def refused(code: bytes) -> list[tuple[int, int]]:
    """Where the way leads back to an instruction above without a jump: "back-edge from insn 214 to 215"."""
    found = []
    above, done = {0}, set[int]()
    way = [(0, following(code, 0))]
    while way:
        at, left = way[-1]
        step = next(left, None)
        if step is None:
            way.pop()
            above.discard(at)
            done.add(at)
        elif step[0] in above:
            if not step[1]:
                found.append((at, step[0]))
        elif step[0] not in done:
            above.add(step[0])
            way.append((step[0], following(code, step[0])))
    return found


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_only_jumps_lead_back(name: str, machine: str) -> None:
    for code in compiler.shipped(name, machine).programs.values():
        assert refused(code) == []


def test_a_loop_that_is_entered_in_its_middle() -> None:
    jump, move, back, end = b"\x05\0\1\0\0\0\0\0", b"\xb7" + bytes(7), b"\x15\0\xfe\xff\0\0\0\0", b"\x95" + bytes(7)
    assert refused(jump + move + back + end) == [(1, 2)]
    assert refused(move + move + back + end) == []
