from pathlib import Path

import pytest

from tests.unit.elf_files import CODE_AT, Elf, Load, module
from tui.elf import sites
from tui.elf.names import Function
from tui.elf.reader import ElfFile
from tui.elf.sites import Site

pytestmark = pytest.mark.skipif(not sites._X86, reason="instructions of x86-64")


def choose(folder: Path, code: bytes, *, offset: int = CODE_AT, unprobeable: str = "") -> Site:
    data = Elf(code=code, loads=[Load(CODE_AT, CODE_AT, len(code))]).build()
    function = Function("program", "run", "run", CODE_AT, len(code), "symtab", offset, (), unprobeable)
    with ElfFile.open(module(folder, data).file) as elf:
        return sites.choose(elf, function)


@pytest.mark.parametrize(
    "code",
    ["55", "f30f1efa", "4883ec08", "4154", "c3", "f2c3", "90", "e900000000", "ff2500000000", "660f1f440000", "0f0b",
     "0f05", "c5f877", "c4e2fbf7c0", "64488b042500000000", "67488b00", "f3a4", "f348ab"],
)  # fmt: skip
def test_ordinary_first_instructions_are_accepted(tmp_path: Path, code: str) -> None:
    assert choose(tmp_path, bytes.fromhex(code) + b"\x90" * 16) == Site(CODE_AT)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("f00fb10f", "lock or segment prefix"),
        ("66f00fb10f", "lock or segment prefix"),
        ("2e90", "lock or segment prefix"),
        ("3e488b00", "lock or segment prefix"),
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
