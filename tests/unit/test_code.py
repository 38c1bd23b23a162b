"""A function's code as people read it, beside objdump's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.elf_files import CODE_AT, Elf, Symbol, module, mutated, patch
from tui.collectors import calibration, code
from tui.collectors.code import Codes, Listing
from tui.collectors.source_text import NEWER, Quotes
from tui.collectors.target import Target
from tui.elf import functions, modules, reader
from tui.elf.lines import Line
from tui.elf.names import JIT, Function, Module
from tui.elf.reader import AARCH64, ElfFile
from tui.errors import BinaryError, BpfscopeError
from tui.text import sanitise

COSTS = calibration.ASSUMED


@pytest.fixture(autouse=True)
def assumed_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is attached."""
    monkeypatch.setattr(calibration, "costs", lambda: COSTS)


def of(made: Module, name: str) -> Listing:
    there = functions.read(made)
    wanted = next(function for function in there if name in (function.name, *function.aliases))
    with Codes() as codes:
        return codes.listing(Target(None, "", (made,)), wanted, there)


def of_code(folder: Path, data: bytes, *others: Symbol) -> Listing:
    """Of a function with these bytes."""
    symbols = [Symbol("run", CODE_AT, len(data)), *others]
    return of(module(folder, Elf(symbols, code=data.ljust(256, b"\xc3")).build()), "run")


x86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="instructions of x86-64")


@x86
def test_jumps_lead_within_and_calls_elsewhere(tmp_path: Path) -> None:
    # push rbp; test edi, edi; je +10; call +64 (other); jmp -5 (+5); pop rbp; ret; call *rax; jmp other+1
    data = bytes.fromhex("55 85ff 7405 e834000000 ebf9 5dc3 ffd0 e92d000000".replace(" ", ""))
    rows = of_code(tmp_path, data, Symbol("other", CODE_AT + 62)).rows
    shown = [(row.offset, f"{row.mnemonic} {row.operands}".strip(), row.leads, row.elsewhere) for row in rows]
    assert shown == [
        (0, "push rbp", None, ""),
        (1, "test edi, edi", None, ""),
        (3, "je", 10, ""),
        (5, "call", None, "other"),
        (10, "jmp", 5, ""),
        (12, "pop rbp", None, ""),
        (13, "ret", None, ""),
        (14, "call rax", None, ""),
        (16, "jmp", None, hex(CODE_AT + 66)),
    ]
    assert [row.offset for row in rows if row.reached] == [5, 10]


@x86
def test_the_probe_is_where_sites_has_it(tmp_path: Path) -> None:
    found = of_code(tmp_path, bytes.fromhex("f30f1efa 55 5d c3".replace(" ", "")))
    assert (found.site, found.emulated, found.cost, found.refused) == (4, True, COSTS.emulated, "")
    found = of_code(tmp_path, bytes.fromhex("31c0 c3".replace(" ", "")))
    assert (found.site, found.emulated, found.cost) == (0, False, COSTS.stepped)
    found = of_code(tmp_path, bytes.fromhex("f0ff00 c3".replace(" ", "")))
    assert (found.site, bool(found.refused)) == (-1, True)


@x86
def test_much_datais_cut(tmp_path: Path) -> None:
    data = b"\x90" * (code.LONGEST + 10)
    made = module(tmp_path, Elf([Symbol("run", CODE_AT, len(data))], code=data).build())
    found = of(made, "run")
    assert found.cut
    assert sum(1 for _ in found.rows) <= code.LONGEST
    assert not of_code(tmp_path, b"\x55\xc3").cut


def test_datawithout_a_file() -> None:
    function = Function(JIT, "f", "f", 0x1000, 10, "perf map", 0, (), "a JIT compiler made it")
    with Codes() as codes, pytest.raises(BinaryError, match="the code of f is in no file"):
        codes.listing(Target(None, "", (Module(JIT, "", "", 0, 0),)), function, (function,))


COMPILES = """
import mmap, sys
every = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
code = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=every)
code[16:24] = bytes.fromhex("55 4889e5 eb00 5dc3")
found = [line.split("-")[0] for line in open("/proc/self/maps") if " rwxp " in line and line.split()[4] == "0"]
print(found[-1], flush=True)
sys.stdin.read()
"""


@x86
def test_what_a_jit_compiler_made_is_read_from_memory() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COMPILES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        start = int(process.stdout.readline(), 16)
        target = Target(process.pid, "", (Module(JIT, "", "", 0, 0),))
        compiled = Function(JIT, "f", "f", start + 16, 8, "perf map", 0, (), "a JIT compiler made it")
        nowhere = compiled._replace(address=4096)
        with Codes() as codes:
            found = codes.listing(target, compiled, (compiled,))
            with pytest.raises(BinaryError, match="no machine code there any more"):
                codes.listing(target, nowhere, (nowhere,))
            process.stdin.close()
            process.wait()
            with pytest.raises(BpfscopeError):
                codes.listing(target, compiled, (compiled,))
    shown = [(row.offset, f"{row.mnemonic} {row.operands}".strip(), row.leads) for row in found.rows]
    assert shown == [
        (0, "push rbp", None),
        (1, "mov rbp, rsp", None),
        (4, "jmp", 6),
        (6, "pop rbp", None),
        (7, "ret", None),
    ]
    assert (found.site, found.refused, found.cut) == (-1, "a JIT compiler made it", False)


@pytest.mark.parametrize(("program", "names"), [("stacks", 8), ("fibonacci", 40), ("plain-static", 60)])
def test_instructions_begin_where_objdump_has_them(targets: Path, program: str, names: int) -> None:
    path = targets / program
    there = [each for each in functions.read(modules.of_file(str(path))) if 20 < each.size < 2_000]
    compared = 0
    with Codes() as codes:
        for function in there[:: max(1, len(there) // names)]:
            listing = codes.listing(Target(None, "", (modules.of_file(str(path)),)), function, there)
            stop = function.address + function.size
            span = [f"--start-address={function.address:#x}", f"--stop-address={stop:#x}"]
            said = subprocess.run(["objdump", "-d", *span, path], capture_output=True, text=True, check=True).stdout
            starts = [
                int(each, 16) for each in re.findall(r"^ +([0-9a-f]+):\t(?:[0-9a-f]{2} )+ *\t", said, re.MULTILINE)
            ]
            assert [row.address for row in listing.rows] == starts, function.name
            inside = {int(each, 16) for each in re.findall(r"\tj\w+ +([0-9a-f]+) <", said)}
            own = {at - function.address for at in inside if function.address <= at < stop}
            assert {row.leads for row in listing.rows} - {None} == own
            stubs = re.findall(r"\tcall +[0-9a-f]+ <([^>]+)@plt>", said)
            calls = [row.elsewhere for row in listing.rows if row.mnemonic.endswith("call") and row.elsewhere in stubs]
            assert calls == stubs
            compared += len(own) + len(stubs)
    assert compared > 5


@x86
def test_source_lines_are_quoted_once_where_their_file_is_not_newer(tmp_path: Path) -> None:
    source, program = tmp_path / "a.c", tmp_path / "a"
    source.write_text("int run(int n)\n{\n\treturn n * 3 + 41;\t/* \x1b[31m */\n}\nint main(void) { return run(1); }\n")
    subprocess.run(["gcc", "-O0", "-g", source, "-o", program], check=True)
    quoted = [row.text for row in of(modules.of_file(str(program)), "run").rows if row.text]
    assert "return n * 3 + 41;  /* ␛[31m */" in quoted
    assert len(quoted) == len(set(quoted))
    later = program.stat().st_mtime + 60
    os.utime(source, (later, later))
    assert [row.text for row in of(modules.of_file(str(program)), "run").rows if row.text] == [NEWER]
    source.unlink()
    assert not any(row.text for row in of(modules.of_file(str(program)), "run").rows)


def test_what_is_no_source_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "short").write_bytes(b"one\n" + b"\xff" * 1_000)
    quotes = Quotes(None, "/proc/self/exe")
    quotes._made = 1 << 62
    paths = (str(tmp_path / "fifo"), str(tmp_path), "/dev/zero", "/proc/self/root/etc/passwd", "relative.c", "/a\0b")
    assert [quotes.at(Line(path, 1)) for path in paths] == [""] * len(paths)
    short = str(tmp_path / "short")
    assert [quotes.at(Line(short, line)) for line in (1, 0, -1, 3, 1 << 40)] == ["one", "", "", "", ""]
    assert quotes.at(Line(short, 2)) == "\ufffd" * 200
    assert Quotes(1 << 30, "/proc/self/exe").at(Line(short, 1)) == ""  # of no process that there is


@pytest.mark.parametrize("flags", [["-z", "lazy"], ["-z", "now"], ["-z", "lazy", "-z", "ibtplt"]], ids=" ".join)
@x86
def test_stubs_are_named(tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "a.c").write_text(
        '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts("x"); return rand(); }\n'
    )
    linked = [part for flag in flags if flag != "-z" for part in ("-Wl,-z," + flag,)]
    subprocess.run(["gcc", "-O1", tmp_path / "a.c", "-o", tmp_path / "a", *linked], check=True)
    found = of(modules.of_file(str(tmp_path / "a")), "main")
    assert [row.elsewhere for row in found.rows if row.mnemonic == "call"] == ["puts", "rand"]


@x86
def test_stubs_that_lead_nowhere(tmp_path: Path) -> None:
    data = bytes.fromhex("e80b000000c3").ljust(16, b"\x90") + bytes.fromhex("ff25ffffff7f")  # it calls a stub
    extra = [(".rela.plt", b"\xff" * 100)]
    made = Elf([Symbol("run", CODE_AT, 6)], [Symbol("x")], code=data.ljust(256, b"\xc3"), extra=extra).build()
    made = patch(made.replace(b"\0.text\0", b"\0.plt_\0"), len(made) - 7 * 64 + 16, "<Q", CODE_AT)  # its address
    rows = of(module(tmp_path, made), "run").rows
    assert rows[0].elsewhere == hex(CODE_AT + 16)


def test_changed_bytes_of_a_real_program(targets: Path, tmp_path: Path) -> None:
    whole, name = (targets / "plain-fixed").read_bytes(), "main"
    with ElfFile.open(str(targets / "plain-fixed")) as elf:
        parts = (".plt", ".plt.sec", ".rela.plt", ".dynsym", ".dynstr", ".text")
        spans = [(each.offset, each.size) for each in elf.sections if each.name in parts]
    for seed in range(40):
        rows = of(module(tmp_path, mutated(whole, spans, seed)), name).rows
        assert rows[0].offset == 0
        assert all(row.elsewhere == sanitise(row.elsewhere) for row in rows)


def test_code_of_arm64(targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_HERE", AARCH64)
    found = of(modules.of_file(str(targets / "goroutines-arm64")), "main.main")
    offsets = {row.offset for row in found.rows}
    leads = {row.leads for row in found.rows if row.leads is not None}
    assert leads
    assert leads <= offsets
    assert {row.offset for row in found.rows if row.reached} == leads
    assert {row.mnemonic for row in found.rows if row.elsewhere} == {"bl"}
    assert any(row.elsewhere.startswith("runtime.morestack") for row in found.rows)
    assert all(row.source and row.source.file.endswith((".go", ".s")) for row in found.rows)
