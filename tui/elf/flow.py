"""Where a function of x86-64 returns: at every RET to which its own jumps lead.

A breakpoint in data, or within another instruction, would change what the program computes. So the instructions are
followed from the first on, also through the tables of switches. What nothing leads to is only taken for code where a
jump may lead anywhere, or where it calls a function of the same file first, as what follows an exception does.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Final, NamedTuple

from tui.elf.disassembly import Instruction

_ENDS: Final = frozenset(("ret", "retf", "iretq", "jmp", "ud2", "hlt", "int3"))  # what doesn't lead on
_TABLE: Final = re.compile(r"\[rip \+ (0x[0-9a-f]+)\]$")  # of lea: distances to the cases, from the table on
_ADDRESSES: Final = re.compile(r"\[r\w+\*8 \+ (0x[0-9a-f]+)\]$")  # of jmp: addresses of the cases
_MOST_CASES: Final = 4_096
Decode = Callable[[bytes, int, int], Iterable[Instruction]]
DATA: Final = "data lies between its instructions"


class File(NamedTuple):
    """What is asked of the file: bytes at a virtual address, and whether code of this file is there."""

    read: Callable[[int, int], bytes]
    is_code: Callable[[int], bool]


class Flow:
    """The instructions of one function, by their distance from its first byte."""

    def __init__(self, start: int, code: bytes, decode: Decode, file: File) -> None:
        """`start`: the function's address; `decode` gives a code's first instructions from an address on, or all."""
        self._start, self._code, self._decode, self._file = start, code, decode, file
        self._body = {each.address: each for each in decode(code, 0, 0)}  # one after the other
        self._reached: dict[int, Instruction] = {}
        self._elsewhere = False  # whether a case of a switch may lie in another function
        self._follow([0])
        self._open = self._follow_tables()

    def returns(self) -> tuple[list[int], str]:
        """Where it returns, and how else it may be left, or why the places aren't known."""
        known = all(each.known for each in self._reached.values())
        if not known or (self._open and not self._reached.keys() <= self._body.keys()):
            return [], DATA
        found = {at for at, each in self._reached.items() if word(each) == "ret"}
        rest = [each for at, each in self._body.items() if at not in self._reached]
        taken = set(self._taken(rest))
        note = ""
        if self._elsewhere or any(map(self._leaves, self._reached.values())):
            note = "it may also end by a jump to another function"
        elif not found | taken:
            note = "it never returns"
        elif any(word(each) == "ret" and each.address not in taken for each in rest):
            note = "it has returns to which nothing is known to lead"
        return sorted(found | taken), note

    def _leaves(self, each: Instruction) -> bool:
        """Whether it may be a jump to another function."""
        if not word(each).startswith("j"):
            return False
        to = target(each)
        return (self._open or "[rip" in each.operands) if to is None else not 0 <= to < len(self._code)

    def _follow(self, work: list[int]) -> None:
        """Notes what these lead to."""
        while work:
            at = work.pop()
            while 0 <= at < len(self._code) and at not in self._reached:
                each = self._body.get(at) or next(iter(self._decode(self._code[at : at + 16], at, 1)), None)
                if each is None:
                    break
                self._reached[at] = each
                to = target(each)
                if word(each).startswith(("j", "loop")) and to is not None:
                    work.append(to)
                if word(each) in _ENDS or not each.known:
                    break
                at = each.end

    def _follow_tables(self) -> bool:
        """Notes what the tables of its switches lead to; whether jumps remain whose targets aren't known."""
        followed: set[int] = set()
        while len(followed) < self._indirect():
            tables = {at: cases for at, cases in self._tables() if at not in followed}
            if not tables:
                return True
            followed |= tables.keys()
            self._follow([at for cases in tables.values() for at in cases])
        return False

    def _indirect(self) -> int:
        """How many jumps there are whose targets only running tells, within the function perhaps."""
        jumps = (each for each in self._reached.values() if word(each) == "jmp" and target(each) is None)
        return sum("[rip" not in each.operands for each in jumps)

    def _tables(self) -> Iterator[tuple[int, list[int]]]:
        """Tables that the reached instructions name, by address, with the cases, each at an instruction's beginning."""
        for each in list(self._reached.values()):
            if word(each) == "lea" and (found := _TABLE.search(each.operands)):
                at = self._start + each.end + int(found[1], 16)
                cases = self._cases(at, "i", at)
            elif word(each) == "jmp" and (found := _ADDRESSES.search(each.operands)):
                at = int(found[1], 16)
                cases = self._cases(at, "Q", 0)
            else:
                continue
            if cases:
                yield at, cases

    def _cases(self, table: int, kind: str, base: int) -> list[int]:
        """Where a table's entries lead, as long as that is code; cases may lie in other functions (`.cold`)."""
        size = struct.calcsize(kind)
        data = self._file.read(table, size * _MOST_CASES)
        entries = (base + entry for (entry,) in struct.iter_unpack(f"={kind}", data[: len(data) // size * size]))
        cases = [to - self._start for to in takewhile(self._file.is_code, entries)]
        own = [to for to in cases if to in self._body]
        self._elsewhere |= bool(own) and len(own) < len(cases)
        return own

    def _taken(self, rest: Iterable[Instruction]) -> Iterator[int]:
        """The returns among instructions to which nothing is known to lead that are taken for code all the same."""
        calls, after = self._open, -1
        for each in rest:
            if each.address != after:  # another piece
                calls = self._open
            after, to = each.end, target(each)
            if word(each) == "call" and to is not None:
                calls = calls or self._file.is_code(self._start + to)
            if word(each) == "ret" and each.known and calls:
                yield each.address


def word(instruction: Instruction) -> str:
    """The mnemonic without "repz", "bnd" or "notrack" in front."""
    return instruction.mnemonic.rpartition(" ")[2]


def target(instruction: Instruction) -> int | None:
    """Where a jump or call leads, relative to the function; None where only running it tells."""
    if not instruction.operands[:1].isdecimal():
        return None
    address = int(instruction.operands, 0)
    return address - (1 << 64) if address >> 63 else address
