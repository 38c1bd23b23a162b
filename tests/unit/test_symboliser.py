"""Addresses to names, in processes that are made up: what they map, and files of theirs."""

import os
from ctypes import CDLL, c_void_p, cast
from pathlib import Path

import pytest

from tests.unit import elf_files
from tests.unit.elf_files import CODE_AT, Elf, Load, Symbol
from tui.collectors import symboliser
from tui.collectors.samples import Frame
from tui.collectors.symboliser import Probed, Spot, Symboliser
from tui.collectors.target import Target, of_process
from tui.elf import modules
from tui.elf.modules import Region
from tui.elf.names import JIT, Module
from tui.elf.perf_map import PerfMap
from tui.elf.reader import Segment
from tui.errors import TargetError

PID = 4_194_305
SEGMENT = Segment(CODE_AT, CODE_AT, 256, executable=True)
SYMBOLS = [Symbol("probed"), Symbol("caller", CODE_AT + 16), Symbol("last", CODE_AT + 64, 8)]
EXE, LIB, MADE, VDSO = 0x400000, 0x7F0000, 0x100000, 0x900000


class World:
    """A process, and what it maps."""

    def __init__(self, folder: Path) -> None:
        self.exe = self.file(folder, "server", 1, Elf(symbols=SYMBOLS).build())
        self.lib = self.file(folder, "libone.so", 2, Elf(symbols=[Symbol("one", CODE_AT + 32)]).build())
        self.regions = [
            Region(MADE, MADE + 0x1000, 0, None),
            Region(EXE, EXE + 256, CODE_AT, self.exe),
            Region(LIB, LIB + 256, CODE_AT, self.lib),
            Region(VDSO, VDSO + 0x1000, 0, None, "[vdso]"),
        ]
        self.alive = True
        self.looks = 0
        self.probed = Probed(self.exe, SEGMENT, CODE_AT)

    @staticmethod
    def file(folder: Path, name: str, inode: int, data: bytes) -> Module:
        return elf_files.module(folder, data, name)._replace(device=7, inode=inode)

    def mapped(self, pid: int) -> tuple[int, list[bytes]]:
        self.looks += 1
        if not self.alive or pid != PID:
            raise TargetError("gone")
        return pid, [repr(self.regions).encode()]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    there = World(tmp_path)
    monkeypatch.setattr(symboliser, "mapped", there.mapped)
    monkeypatch.setattr(modules, "regions", lambda pid, lines: list(there.regions))
    return there


@pytest.fixture
def target(world: World) -> Target:
    return Target(PID, "server", (world.exe, world.lib))


def callers(names: Symboliser, world: World, *addresses: int, pid: int | None = PID, hit: int = EXE) -> list[Frame]:
    names.begin()
    return names.callers(pid, world.probed, (hit, *addresses))


def test_names_belong_to_the_call_before(world: World, target: Target) -> None:
    with Symboliser(target) as names:
        found = callers(names, world, EXE + 17, EXE + 32, EXE + 16, LIB + 33, LIB + 32, VDSO + 5)
    assert found == [
        Frame("caller", "server"), Frame("caller", "server"), Frame("probed", "server"), Frame("one", "libone.so"),
        Frame("libone.so+0x1020", "libone.so"), Frame("[vdso]", "[vdso]"),
    ]  # fmt: skip


def test_beyond_a_function_there_is_only_an_offset(world: World, target: Target) -> None:
    with Symboliser(target) as names:
        assert callers(names, world, EXE + 33, EXE + 72, EXE + 73) == [
            Frame("server+0x1021", "server"), Frame("last", "server"), Frame("server+0x1049", "server"),
        ]  # fmt: skip


def test_where_there_is_no_code_the_walk_has_lost_its_way(world: World, target: Target) -> None:
    with Symboliser(target) as names:
        assert callers(names, world, EXE + 17, 0x7FFD0000, EXE + 17) == [Frame("caller", "server")]
        assert callers(names, world, EXE) == []
        assert callers(names, world, EXE + 257) == []


def test_made_code(world: World, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {MADE + 4: "JS:*run"}
    refreshes: list[None] = []
    monkeypatch.setattr(PerfMap, "name", lambda _, address: known.get(address, ""))
    monkeypatch.setattr(PerfMap, "refresh", lambda _: refreshes.append(None))
    with Symboliser(target) as names:
        assert len(refreshes) == 1
        assert callers(names, world, MADE + 5, MADE + 9, EXE + 17) == [
            Frame("JS:*run", JIT), Frame(f"0x{MADE + 9:x}", ""), Frame("caller", "server"),
        ]  # fmt: skip
        assert len(refreshes) == 2


def test_a_file_that_has_no_functions(world: World, target: Target, tmp_path: Path) -> None:
    font = world.file(tmp_path, "font", 3, b"no ELF file")
    stripped = world.file(tmp_path, "stripped", 4, Elf(loads=[Load(CODE_AT, CODE_AT, 256)]).build())
    world.regions[2:2] = [Region(0x500000, 0x501000, 0x2000, font), Region(0x600000, 0x600100, CODE_AT, stripped)]
    with Symboliser(target) as names:
        assert callers(names, world, 0x500010, 0x600010) == [
            Frame("font+0x2010", "font"), Frame("stripped+0x1010", "stripped"),
        ]  # fmt: skip


def test_a_process_that_has_gone_is_still_known(world: World, target: Target) -> None:
    with Symboliser(target) as names:
        world.alive = False
        for module in (world.exe, world.lib):
            Path(module.file).unlink()
        assert callers(names, world, EXE + 17, LIB + 33) == [Frame("caller", "server"), Frame("one", "libone.so")]


def test_a_process_that_nobody_saw_is_known_by_the_hit(world: World) -> None:
    world.alive = False
    where = 0x55550000
    with Symboliser(Target(None, "server", (world.exe,))) as names:
        for pid in (PID, None):
            assert callers(names, world, where + 17, 0x7F0021, where + 33, where + 257, pid=pid, hit=where) == [
                Frame("caller", "server"), Frame("0x7f0021", ""), Frame("server+0x1021", "server"),
                Frame(f"0x{where + 257:x}", ""),
            ]  # fmt: skip


def test_a_process_that_has_become_another_is_not_believed(world: World, target: Target) -> None:
    with Symboliser(target) as names:
        assert callers(names, world, 0x55550000 + 17, LIB + 33, hit=0x55550000) == [
            Frame("caller", "server"), Frame(f"0x{LIB + 33:x}", ""),
        ]  # fmt: skip


def test_libraries_come_and_go(world: World, target: Target, tmp_path: Path) -> None:
    late = world.file(tmp_path, "late.so", 5, Elf(symbols=[Symbol("late")]).build())
    before = list(world.regions)
    with Symboliser(target) as names:
        assert callers(names, world, 0x800001) == []
        world.regions = sorted([*before, Region(0x800000, 0x800100, CODE_AT, late)])
        assert callers(names, world, 0x800001) == [Frame("late", "late.so")]
        world.regions = before
        assert callers(names, world, 0x800001) == [Frame("late", "late.so")]
        world.regions = [region._replace(module=late) if region.module == world.lib else region for region in before]
        assert callers(names, world, LIB + 1) == [Frame("late", "late.so")]


def test_where_a_thread_is(world: World, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PerfMap, "name", lambda _, address: "JS:*run" if address == MADE + 4 else "")
    monkeypatch.setattr(PerfMap, "start", lambda *_: MADE)
    with Symboliser(target) as names:
        names.begin()
        assert [names.spot(PID, at) for at in (EXE, EXE + 15, EXE + 16, LIB + 32)] == [
            Spot(Frame("probed", "server"), CODE_AT), Spot(Frame("probed", "server"), CODE_AT),
            Spot(Frame("caller", "server"), CODE_AT + 16), Spot(Frame("one", "libone.so"), CODE_AT + 32),
        ]  # fmt: skip
        assert names.spot(PID, EXE + 73) == Spot(Frame("server+0x1049", "server"))
        assert names.spot(PID, VDSO + 5) == Spot(Frame("[vdso]", "[vdso]"))
        assert names.spot(PID, MADE + 4) == Spot(Frame("JS:*run", JIT), MADE)
        assert [names.spot(PID, at) for at in (MADE + 5, 0x7FFD0000, 0)] == [None] * 3
        assert names.spot(PID + 1, EXE) is None
        assert [names.nameless(PID, at) for at in (MADE + 5, EXE, VDSO, 0)] == [True, False, False, False]


def test_code_that_is_made_in_shared_memory(
    world: World, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PerfMap, "name", lambda _, address: "made" if address == MADE + 4 else "")
    monkeypatch.setattr(PerfMap, "start", lambda *_: MADE)
    shared = world.file(tmp_path, "doublemapper", 9, bytes(4096))._replace(path="/memfd:doublemapper (deleted)")
    world.regions[0] = Region(MADE, MADE + 0x1000, 0, shared)
    with Symboliser(target) as names:
        names.begin()
        assert names.spot(PID, MADE + 4) == Spot(Frame("made", JIT), MADE)
        assert names.spot(PID, MADE + 5) is None
        assert names.nameless(PID, MADE + 5)


def test_functions_of_one_name_are_told_apart(world: World, target: Target, tmp_path: Path) -> None:
    twins = world.file(tmp_path, "twins", 6, Elf(symbols=[Symbol("twin"), Symbol("twin", CODE_AT + 32)]).build())
    world.regions[1] = Region(EXE, EXE + 256, CODE_AT, twins)
    with Symboliser(target) as names:
        spots = [names.spot(PID, EXE + at) for at in (0, 1, 32)]
    assert [spot and (spot.frame.name, spot.start) for spot in spots] == [
        ("twin", CODE_AT), ("twin", CODE_AT), ("twin", CODE_AT + 32),
    ]  # fmt: skip


def test_one_look_in_each_reading(world: World, target: Target) -> None:
    with Symboliser(target) as names:
        names.begin()
        looks = world.looks
        for _ in range(5):
            names.callers(PID, world.probed, (EXE, EXE + 17))
        assert world.looks == looks + 1


def test_processes_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symboliser, "_MOST_PROCESSES", 3)
    with Symboliser(Target(None, "server", (world.exe,))) as names:
        names.begin()
        for pid in range(PID, PID + 20):
            names.callers(pid, world.probed, (EXE, EXE + 17))
        assert len(names._processes) == 3


def test_this_process() -> None:
    target = of_process(os.getpid())
    libc = next(module for module in target.modules if module.name.startswith("libc.so"))
    address = cast(CDLL(None).strtol, c_void_p).value or 0
    lines = modules.executable_lines(os.getpid())
    region = next(each for each in modules.regions(os.getpid(), lines) if each.start <= address < each.end)
    assert region.module
    assert region.module.inode == libc.inode
    offset = address - region.start + region.offset
    segment = Segment(region.offset, 0, region.end - region.start, executable=True)
    before = len(os.listdir("/proc/self/fd"))
    with Symboliser(target) as names:
        frames = names.callers(os.getpid(), Probed(libc, segment, offset), (address, address + 5, address))
        assert frames[0].name in ("strtol", "__strtol", "__isoc23_strtol", "strtoll")
        assert frames[0].module == libc.name
        assert frames[1].name != frames[0].name
    assert len(os.listdir("/proc/self/fd")) == before


def test_lines_of_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"""\
00400000-00401000 r--p 00000000 08:01 100                        /opt/my app/server
00401000-00402000 r-xp 00001000 08:01 100                        /opt/my app/server
7f0000003000-7f0000004000 r-xp 00002000 08:01 300                /usr/lib/gone.so (deleted)
7f0000006000-7f0000007000 rw-p 00000000 00:00 0
7f0000007000-7f0000008000 rwxp 00000000 00:00 0
7f0000009000-7f000000a000 r-xp 00000000 00:00 0                  [anon:j\x1bit]
7f000000a000-7f000000b000 r-xp 00000000 00:00 0                  [vdso]
garbage
""".splitlines()
    monkeypatch.setattr(modules, "_lines", lambda pid: text)
    found = modules.regions(PID, modules.executable_lines(PID))
    assert [(region.start, region.offset, region.module and region.module.name, region.label) for region in found] == [
        (0x401000, 0x1000, "server", ""),
        (0x7F0000003000, 0x2000, "gone.so", ""),
        (0x7F0000007000, 0, None, ""),
        (0x7F0000009000, 0, None, "[anon:j␛it]"),
        (0x7F000000A000, 0, None, "[vdso]"),
    ]
