"""Sites and returns of real programs against what objdump says of the same code."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tui.elf import functions, modules
from tui.elf.disassembly import _INSTRUCTION, Disassembler
from tui.elf.names import UNWIND
from tui.elf.reader import ElfFile
from tui.elf.sites import Sites

pytestmark = [
    pytest.mark.skipif(not shutil.which("objdump"), reason="needs objdump"),
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="instructions of x86-64"),
]
LINE = re.compile(r"^ *([0-9a-f]+):\t(.*)$", re.MULTILINE)
PREFIXES = r"(?:(?:cs|ds|es|fs|gs|data16|bnd|notrack|repz|rex\S*) )*"
JUMP = re.compile(rf"^{PREFIXES}(j\w+|loop\w*|xbegin)(?:,p[nt])? +([0-9a-f]+)(?: |$)")
RETURN = re.compile(rf"^{PREFIXES}ret\b")
INDIRECT = re.compile(rf"^{PREFIXES}jmp +\*(?!.*\(%rip\))")
BY_HAND = re.compile(r"__str\w+_sse\w+$")  # of libc's debug file: their switches check no bounds
EMULATED = re.compile(r"^(push +%r|nop$|(?:bnd )?j|call|xchg +%ax,%ax)")


def programs() -> list[Path]:
    libc = next(Path("/lib").glob("*-linux-gnu/libc.so.6"))
    return [libc, Path(sys.executable).resolve()]


@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_sites_are_reached_once_and_returns_are_all_there(path: Path) -> None:
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True)
    code = {int(address, 16): instruction for address, instruction in LINE.findall(listing.stdout)}
    module = modules.of_file(str(path))
    checked = emulated = 0
    with ElfFile.open(module.file) as elf, Sites(elf) as chooser:
        for function in functions.read(module):
            if function.unprobeable or not function.size:
                continue
            shift = function.address - function.offset
            end = function.address + function.size
            body = {at: code[at] for at in range(function.address, end) if at in code}
            site = chooser.choose(function)
            at = site.offset + shift
            assert at in body, function
            jumps = [int(jump[2], 16) for each in body.values() if (jump := JUMP.match(each))]
            if not site.note:
                assert not [target for target in jumps if function.address <= target <= at], function
            if at != function.address:
                assert site.emulated
                assert not any(INDIRECT.match(each) for each in body.values()), function
            if site.emulated:
                assert EMULATED.match(body[at]), (function, body[at])
                emulated += 1
            found = chooser.returns(function)
            unknown = (
                "data lies between",
                "no unwind information",
                "may not come back",
            )  # the last of a call of clone3
            if not any(words in found.note for words in unknown):
                expected = [each for each, instruction in body.items() if RETURN.match(instruction)]
                seen = [offset + shift for offset in found.offsets]
                some = BY_HAND.match(function.name) or function.origin == UNWIND  # a part may be jumped into elsewhere
                assert seen == expected or (some and set(seen) < set(expected)), function
            checked += 1
    assert checked > 1000
    assert emulated > checked / 2


def test_the_layout_is_capstones_own() -> None:
    import capstone  # type: ignore[import-untyped]

    own = capstone._cs_insn
    assert _INSTRUCTION.size == capstone.ctypes.sizeof(own)
    offsets = [getattr(own, name).offset for name, *_ in own._fields_]
    assert offsets[:6] == [0, 8, 16, 18, 42, 74]
    with Disassembler() as ours:
        got = [(each.address, each.mnemonic, each.operands) for each in ours.instructions(b"\x55\x48\x89\xe5\xc3", 64)]
    theirs = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm(b"\x55\x48\x89\xe5\xc3", 64)
    assert got == [(each.address, each.mnemonic, each.op_str) for each in theirs]
