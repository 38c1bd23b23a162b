"""Notes of USDT probes, made by hand and damaged; and what the system's own libraries have, beside readelf."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.elf_files import CODE_AT, MACHINE, Elf, Load, Symbol, module
from tests.unit.test_hostile_elf import bounded
from tui.elf import functions, usdt, usdt_arguments
from tui.elf.reader import ElfFile
from tui.elf.usdt import Location
from tui.errors import BinaryError
from tui.screens.function_rows import COLUMNS

NOP = {62: b"\x90" * 4, 183: b"\x1f\x20\x03\xd5"}[MACHINE]
CODE = NOP * 60 + b"\0" * 16  # 256 bytes, nops but for the last
DATA_AT = 0x9000
LOADS = (Load(CODE_AT, CODE_AT, len(CODE)), Load(CODE_AT, DATA_AT, len(CODE), flags=6))


def note(
    nop: int, provider: str = "shop", name: str = "sold", arguments: str = "", *, base: int = 0, semaphore: int = 0
) -> bytes:
    content = struct.pack("<QQQ", nop, base, semaphore)
    content += b"".join(text.encode() + b"\0" for text in (provider, name, arguments))
    head = struct.pack("<III8s", 8, len(content), 3, b"stapsdt")
    return head + content + bytes(-len(content) % 4)


def built(*notes: bytes, symbols: tuple[Symbol, ...] = (), base: bool = False) -> bytes:
    more = [(".note.stapsdt", b"".join(notes))]
    return Elf(symbols, loads=LOADS, code=CODE, extra=[*more, (".stapsdt.base", b"\0")] if base else more).build()


def probes(folder: Path, data: bytes) -> dict[str, tuple[Location, ...]]:
    with ElfFile.open(module(folder, data).file) as elf:
        return dict(usdt.probes(elf))


def test_places_of_one_probe_are_together_and_each_is_there_once(tmp_path: Path) -> None:
    notes = [
        note(CODE_AT + 32, arguments="8@%rdi"),
        note(CODE_AT + 4, arguments="4@%esi", semaphore=DATA_AT + 20),
        note(CODE_AT + 32, arguments="4@%eax"),
        note(CODE_AT, "bank", "paid"),
    ]
    assert probes(tmp_path, built(*notes)) == {
        "usdt:bank:paid": (Location(CODE_AT, CODE_AT, 0, ""),),
        "usdt:shop:sold": (
            Location(CODE_AT + 4, CODE_AT + 4, CODE_AT + 20, "4@%esi"),
            Location(CODE_AT + 32, CODE_AT + 32, 0, "8@%rdi"),
        ),
    }


def test_they_are_rows_behind_the_functions(tmp_path: Path) -> None:
    made = module(tmp_path, built(note(CODE_AT + 8), symbols=(Symbol("zero"), Symbol("run", CODE_AT + 64))))
    assert [(each.name, each.origin, each.size, each.offset) for each in functions.read(made)] == [
        ("run", "symtab", 16, CODE_AT + 64),
        ("zero", "symtab", 16, CODE_AT),
        ("usdt:shop:sold", "usdt", 0, CODE_AT + 8),
    ]
    assert [row[2:] for row in functions.table(made)][-1] == ("usdt", "usdt:shop:sold")
    size = next(column for column in COLUMNS if column.title == "SIZE")
    assert [size.cell(each, 8) for each in functions.read(made)] == ["16", "16", "–"]
    assert "usdt:shop:sold" not in [name for _, _, name in functions.places(made)], "addresses aren't named by them"


def test_a_file_that_moved_since_it_was_linked(tmp_path: Path) -> None:
    with ElfFile.open(module(tmp_path, built(note(0), base=True)).file) as elf:
        base = elf.section(".stapsdt.base")
    assert base
    moved = note(CODE_AT + 0x208, base=base.address + 0x200, semaphore=DATA_AT + 0x210)
    assert probes(tmp_path, built(moved, base=True))["usdt:shop:sold"] == (
        Location(CODE_AT + 8, CODE_AT + 8, CODE_AT + 0x10, ""),
    )


def test_what_cannot_be_probed_says_why(tmp_path: Path) -> None:
    notes = [
        note(CODE_AT + 240, "no", "nop"),
        note(CODE_AT, "no", "counter", semaphore=DATA_AT + len(CODE) - 1),
        note(CODE_AT, "in", "code", semaphore=CODE_AT + 8),
        note(CODE_AT + 4, "some", "good"),
        note(CODE_AT + 240, "some", "good"),
        note(DATA_AT, "in", "data"),
    ]
    made = module(tmp_path, built(*notes))
    assert {each.name: each.unprobeable for each in functions.read(made)} == {
        "usdt:no:nop": "there is no nop where its note says",
        "usdt:no:counter": "its semaphore is not in the file's data, or at an odd address",
        "usdt:in:code": "its semaphore is not in the file's data, or at an odd address",
        "usdt:some:good": "",
    }


def test_names_are_sanitised_and_bounded(tmp_path: Path) -> None:
    hostile = note(CODE_AT, "\x1b]0;x\x07", "y" * 5_000, "8@" + "z" * 9_000)
    ((name, (location,)),) = probes(tmp_path, built(hostile)).items()
    assert name == f"usdt:␛]0;x␇:{'y' * 256}"
    assert len(location.arguments) == 2_048


@pytest.mark.parametrize(
    "damaged",
    [
        b"\0",
        note(CODE_AT)[:40],
        struct.pack("<III", 8, 0xFFFFFFFF, 3) + b"stapsdt\0",
        struct.pack("<III", 0xFFFFFFFF, 40, 3) + b"stapsdt\0" + bytes(40),
        struct.pack("<III", 8, 8, 3) + b"stapsdt\0" + bytes(8),
        note(CODE_AT).replace(b"stapsdt", b"stapsdx"),
        note(CODE_AT, provider=""),
        note((1 << 64) - 1),
    ],
)
def test_damaged_notes_are_left_out(tmp_path: Path, damaged: bytes) -> None:
    assert probes(tmp_path, built(damaged)) == {}


def test_an_unknown_note_before_does_not_hide_the_next(tmp_path: Path) -> None:
    other = struct.pack("<III4s", 4, 5, 3, b"GNU\0") + b"12345" + bytes(3)
    assert list(probes(tmp_path, built(other, note(CODE_AT)))) == ["usdt:shop:sold"]


def test_many_notes_take_little_time_and_memory(tmp_path: Path) -> None:
    same = built(*[note(CODE_AT + at % 200 * 4 % 240, name=f"n{at % 1000}") for at in range(90_000)])
    with bounded(4, 64):
        assert len(probes(tmp_path, same)) == 1_000


WHOLE = built(
    note(CODE_AT + 4, arguments="-4@%edi 8@total(%rip) 2@8(%rsp,%rax,4)", semaphore=DATA_AT + 4),
    note(CODE_AT + 8, "bank", "paid", "8@$5", base=0x10),
    symbols=(Symbol("run"), Symbol("total", DATA_AT + 64, kind=1)),
    base=True,
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(64, len(WHOLE)),
)
def test_whatever_is_changed_gives_probes_in_the_file_or_none(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(WHOLE)
    for at, byte in changes:
        data[at] = byte
    try:
        elf = ElfFile.open(module(tmp_path, bytes(data[:cut])).file)
    except BinaryError:
        return
    with elf:
        for probe in usdt.probes(elf):
            assert probe.name.startswith("usdt:")
            for location in probe.locations:
                assert 0 <= location.offset < cut
                assert 0 <= location.semaphore < cut
                usdt_arguments.parsed(location.arguments, location.address, elf.machine, lambda _: 5)


@pytest.mark.skipif(not shutil.which("readelf"), reason="readelf is not installed")
@pytest.mark.parametrize("name", ["libstdc++.so.6", "libpython3.11.so.1.0", "libc.so.6"])
def test_the_same_as_readelf(name: str) -> None:
    path = next((path for path in Path("/usr/lib").glob(f"*-linux-gnu/{name}")), None)
    if path is None:
        pytest.skip(f"{name} is not installed")
    said = subprocess.run(["readelf", "-nW", str(path)], capture_output=True, text=True, check=True).stdout
    theirs = {
        (f"usdt:{provider}:{probe}", int(address, 16), arguments.strip())
        for provider, probe, address, arguments in re.findall(
            r"Provider: (\S+)\n\s+Name: (\S+)\n\s+Location: (\S+), Base: \S+ Semaphore: \S+\n\s+Arguments:(.*)", said
        )
    }
    with ElfFile.open(str(path)) as elf:
        ours = {(probe.name, each.address, each.arguments) for probe in usdt.probes(elf) for each in probe.locations}
    assert ours == theirs
