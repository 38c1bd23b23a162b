"""The code of our own that calibration calls: what its instructions are, by the disassembler."""

import mmap

import pytest

from tui.collectors.calibration import _code_of
from tui.elf.arm64 import is_emulated, refused, words
from tui.elf.disassembly import Disassembler

LOOPS = {
    "x86_64": ["push", "push", "mov", "mov", "call", "dec", "jne", "pop", "pop", "ret"],
    "aarch64": ["stp", "stp", "mov", "mov", "blr", "subs", "b.ne", "ldp", "ldp", "ret"],
}
FUNCTIONS = {"x86_64": (["push", "pop"], ["mov"]), "aarch64": (["adr"], ["mov"])}


@pytest.mark.parametrize("machine", LOOPS)
def test_code(machine: str) -> None:
    code = _code_of(machine)
    assert code
    assert len(code.code) == mmap.PAGESIZE
    with Disassembler(machine) as disassembler:
        names = [each.mnemonic for each in disassembler.instructions(code.code, 0, 10)]
        assert names == LOOPS[machine]
        for at, back, expected in zip(code.functions, code.returns, FUNCTIONS[machine], strict=True):
            found = list(disassembler.instructions(code.code[at : back + 4], at, len(expected) + 1))
            assert [each.mnemonic for each in found] == [*expected, "ret"]
            assert found[-1].address == back


def test_what_the_kernel_does_with_it_on_arm64() -> None:
    code = _code_of("aarch64")
    assert code
    emulated, stepped = (words(code.code[at : at + 4])[0] for at in code.functions)
    assert is_emulated(emulated)
    assert not is_emulated(stepped)
    assert refused(emulated) == refused(stepped) == ""


def test_machines_without_code() -> None:
    assert _code_of("riscv64") is None
