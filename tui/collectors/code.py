"""A function's code as people read it: instructions with where they lead, its source lines, where its probe goes.

    with Codes() as codes:
        codes.line(module, function)                       # Line("/home/eva/fib.go", 7)
        codes.listing(target, function, among)             # a Listing

What is read of a module is kept for the last few, so that the next function of it comes at once.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from typing import Final, NamedTuple

from tui.collectors import calibration
from tui.collectors.files import Files
from tui.collectors.source_text import Quotes
from tui.collectors.target import Target
from tui.elf import lines, made
from tui.elf.disassembly import Disassembler, Instruction
from tui.elf.lines import Line, LineTable
from tui.elf.names import JIT, Function, Module
from tui.elf.reader import ElfFile
from tui.elf.sites import Site
from tui.elf.stubs import Stubs
from tui.errors import BinaryError, BpfscopeError
from tui.owner import Owner

LONGEST: Final = 1 << 15  # bytes of a function that are shown
UNSIZED: Final = 160  # bytes that are shown of a function whose size isn't known, at most
_MOST_MODULES: Final = 2
_SECONDS: Final = 2.0  # in which lines are looked for; usually it takes milliseconds
_JUMP: Final = re.compile(r"(?:(?:bnd |notrack )?j\w+|loop\w*|xbegin|b(?:\.\w+)?|t?cbn?z|tbn?z)$")
_CALL: Final = re.compile(r"(?:bnd )?call|bl$")
_ADDRESS: Final = re.compile(r"(?:^|, )#?0x([0-9a-f]+)$")


class Row(NamedTuple):
    """An instruction."""

    address: int  # virtual, in the file
    offset: int  # bytes after the function's first
    mnemonic: str
    operands: str  # without the address that it leads to
    leads: int | None  # to which offset of this function
    elsewhere: str  # to which other function, or address
    source: Line | None
    reached: bool  # by a jump of this function
    text: str = ""  # of the source line, where that is another than the row's before, and can be read here


class Listing(NamedTuple):
    """A function's code."""

    function: Function
    rows: tuple[Row, ...]
    site: int  # its probe's offset in the function; -1: it can't be probed
    refused: str  # why it can't be
    emulated: bool
    cost: int  # of a hit, nanoseconds
    note: str  # what its probe counts besides calls
    cut: bool  # there is more than is shown


class Codes(Owner):
    """Owns what was read of the last modules. Safe to call from several threads, which take turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[tuple[str, int, int], LineTable | None] = OrderedDict()
        self._names: tuple[Sequence[Function], dict[int, str]] = ((), {})
        self._turn = threading.Lock()

    def line(self, module: Module, function: Function) -> Line | None:
        """Where the function begins in the sources. Raises BinaryError, NotPermitted, TargetError."""
        with self._turn:
            table = self._table(module)
            return table.at(function.address) if table else None

    def listing(self, target: Target, function: Function, among: Sequence[Function]) -> Listing:
        """The code of a function of the target; `among`: its module's functions, which name what it calls.

        Raises BinaryError, NotPermitted, NotSupported, TargetError.
        """
        with self._turn:
            if self._names[0] is not among:
                self._names = among, {each.address: each.name for each in among}
            module = next(each for each in target.modules if each.name == function.module)
            if not module.file:
                return _made(target, function, self._names[1])
            table = self._table(module)
            with ElfFile.open(module.file, module.path) as elf, Disassembler(elf.machine) as disassembler:
                size = min(function.size or _reach(elf, function, self._names[1]), LONGEST)
                code = list(disassembler.instructions(elf.bytes_at(function.offset, size), function.address))
                named, stubs = self._names[1], Stubs(elf, disassembler)
                plain = _rows(code, function, lambda to: named.get(to) or stubs.name(to) or f"{to:#x}", table)
                rows = tuple(_quoted(plain, Quotes(target.pid, module.file)))
            site, refused = _site(target, function)
            return Listing(
                function,
                rows,
                -1 if refused else site.offset - function.offset,
                refused,
                site.emulated,
                _costs().hit(emulated=site.emulated),
                site.note,
                cut=size in (LONGEST, UNSIZED) and size != function.size,
            )

    def close(self) -> None:
        """Closes the files; a second time is harmless."""
        with self._turn:
            while self._lines:
                if table := self._lines.popitem()[1]:
                    table.close()

    def _table(self, module: Module) -> LineTable | None:
        key = (module.file, module.device, module.inode)
        if key not in self._lines:
            self._lines[key] = lines.read(module)
        self._lines.move_to_end(key)
        if len(self._lines) > _MOST_MODULES and (oldest := self._lines.popitem(last=False)[1]):
            oldest.close()
        return self._lines[key]


def _made(target: Target, function: Function, named: Mapping[int, str]) -> Listing:
    """What a JIT compiler made, from the process's memory. Raises BinaryError, NotPermitted, TargetError."""
    if target.pid is None or function.module != JIT:
        raise BinaryError(f"the code of {function.name} is in no file: {function.unprobeable}")
    size = min(function.size or UNSIZED, LONGEST)
    data = made.code(target.pid, function.address, size)
    with Disassembler() as disassembler:
        instructions = list(disassembler.instructions(data, function.address))
    rows = tuple(_rows(instructions, function, lambda to: named.get(to) or f"{to:#x}", None))
    cut = size in (LONGEST, UNSIZED) and size != function.size
    return Listing(function, rows, -1, function.unprobeable, emulated=False, cost=0, note="", cut=cut)


def _site(target: Target, function: Function) -> tuple[Site, str]:
    """Where its probe goes, and why none can."""
    with Files(target) as files:
        chosen, skipped = files.choose([function])
    return (chosen[0].site, "") if chosen else (Site(function.offset), skipped[0].reason)


def _costs() -> calibration.Costs:
    with suppress(BpfscopeError):
        return calibration.costs()
    return calibration.known()


def _reach(elf: ElfFile, function: Function, named: Iterable[int]) -> int:
    """Bytes that are shown of a function whose size isn't known: to the next function, or the section's end."""
    ends = [section.address + section.size for section in elf.sections if section.address <= function.address]
    return min([end - function.address for end in (*ends, *named) if end > function.address] + [UNSIZED])


def _rows(
    code: Sequence[Instruction], function: Function, name: Callable[[int], str], table: LineTable | None
) -> Iterator[Row]:
    own = range(function.address, code[-1].end if code else function.address)
    targets = [_target(each) for each in code]
    jumps = [to if _JUMP.match(each.mnemonic) and to in own else None for to, each in zip(targets, code, strict=True)]
    reached = set(jumps)
    sources = lines.located(table, (each.address for each in code), _SECONDS) if table else repeat(None)
    for each, to, jump, source in zip(code, targets, jumps, sources, strict=False):
        yield Row(
            each.address,
            each.address - function.address,
            each.mnemonic,
            each.operands if to is None else _ADDRESS.sub("", each.operands),
            None if jump is None else jump - function.address,
            "" if to is None or jump is not None else name(to),
            source,
            each.address in reached,
        )


def _quoted(rows: Iterable[Row], quotes: Quotes) -> Iterator[Row]:
    """With what stands at their source lines."""
    before = None
    for row in rows:
        yield row._replace(text=quotes.at(row.source)) if row.source and row.source != before else row
        before = row.source


def _target(instruction: Instruction) -> int | None:
    """The address that it jumps to or calls, if it says so itself."""
    if not (_JUMP.match(instruction.mnemonic) or _CALL.match(instruction.mnemonic)):
        return None
    found = _ADDRESS.search(instruction.operands)
    return int(found[1], 16) if found else None
