"""Where a function of x86-64 returns: at every RET to which its own jumps lead.

A breakpoint in data, or within another instruction, would change what the program computes. So the instructions are
followed from the first on, also through the tables of switches, and to where exceptions land. Jumps and calls alone
don't prove that what follows them is code: a call may not come back, a condition may always hold. So

- instructions must not overlap, nor read one another as data; what they call must come back behind the call;
- a RET is left out where the stack doesn't stand as it did at the entry;
- code for which nothing vouches, neither the unwinder's records, which compilers make, nor Go, is refused wherever its
  own instructions leave a doubt: a jump of which nothing says where it leads, a stack that can't be followed.

What nothing leads to is only taken for code in what is vouched for: where a jump may lead anywhere, or, in Go, where a
function is called first, as in what follows a panic.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise, takewhile
from typing import Final, NamedTuple

from tui.elf.callees import Callee, Callees
from tui.elf.disassembly import Instruction
from tui.elf.heights import ENTRY, UNKNOWN
from tui.elf.walk import THUNKS, Decode, TooLarge, Walk, is_thunk, target, word

_TABLE: Final = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]$")  # of lea: distances to the cases, from the table on
_MEMORY: Final = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]")
_ADDRESSES: Final = re.compile(r"\[r\w+\*8 \+ (0x[0-9a-f]+)\]$")  # of jmp: addresses of the cases
_MOST_CASES: Final = 4_096  # of one table
_MOST_CASES_IN_ALL: Final = 1 << 18  # of a function
_AT_ONCE: Final = 64  # of them read
_MOST: Final = 100_000  # instructions of a function
_BEFORE_JUMP: Final = 16  # instructions among which a switch compares, and names its table
_RETS: Final = (b"\xc3", b"\xf3\xc3", b"\xf2\xc3")

DATA: Final = "data lies between its instructions"
_OVERLAP: Final = "its instructions overlap one another"
_CALLS: Final = "it calls code that may not come back behind the call"
_TOO_LARGE: Final = "it is too large to look through"
_NOTHING: Final = "nothing says which of its bytes are code, as it has no unwind information, and "


class File(NamedTuple):
    """What is asked of the file."""

    read: Callable[[int, int], bytes]  # bytes at a virtual address
    is_code: Callable[[int], bool]  # whether code of this file is there
    vouched: bool = True  # whether a compiler made the function
    pads: tuple[int, ...] | None = None  # addresses where exceptions land in it; None where that isn't known
    callees: Callees | None = None


class Flow:
    """The instructions of one function, by their distance from its first byte."""

    def __init__(self, start: int, code: bytes, decode: Decode, file: File) -> None:
        """`start`: the function's address; `decode` gives a code's first instructions from an address on, or all."""
        self._start, self._code, self._file = start, code, file
        self._body = {each.address: each for each in decode(code, 0, _MOST + 1)}  # one after the other
        self._walk = Walk(code, decode, self._body, self._comes_back, 3 * _MOST)
        self._reached = self._walk.reached
        self._elsewhere = False  # whether a case of a switch may lie in another function
        self._left = False  # whether it may be left by a jump, unless by an exception
        self._open = False  # whether there are jumps whose targets aren't known
        self._cases_left = _MOST_CASES_IN_ALL
        self._tables: dict[int, list[int]] = {}  # the cases of each, by address
        try:
            self._explore()
            self._refused = self._doubt()
        except TooLarge:
            self._refused = _TOO_LARGE

    def returns(self) -> tuple[list[int], str]:
        """Where it returns, and how else it may be left, or why the places aren't known."""
        if self._refused:
            return [], self._refused
        ends = [at for at, each in self._reached.items() if self._ends(each)]
        found = {at for at in ends if self._level(at)}
        rest = [each for at, each in self._body.items() if at not in self._reached and not self._ends_thunk(each)]
        taken = set(self._taken(rest)) if self._file.vouched else set()
        note = ""
        if self._left:
            note = "it may also end by a jump to another function"
        elif len(found) < len(ends):
            note = "it has returns that lead elsewhere than to its caller"
        elif not found | taken:
            note = "it never returns"
        elif any(word(each) == "ret" and each.address not in taken for each in rest):
            note = "it has returns to which nothing is known to lead"
        return sorted(found | taken), note

    def _explore(self) -> None:
        if len(self._body) > _MOST:
            raise TooLarge
        self._walk.follow([(0, ENTRY)])
        self._open = self._follow_tables() if self._file.vouched else self._follow_bounded()
        self._left = self._elsewhere or any(map(self._leaves, self._reached.values()))
        if self._file.pads:
            self._walk.follow([(pad - self._start, UNKNOWN) for pad in self._file.pads])
            self._open = self._follow_tables()

    def _doubt(self) -> str:
        """Why the places of its returns can't be trusted; empty: they can."""
        known = all(each.known for each in self._reached.values())
        own = {word(each) for each in self._reached.values() if self._names_itself(each)}
        if not known or own - {"lea"}:
            return DATA
        if self._open and (
            not self._reached.keys() <= self._body.keys() or any(map(self._reads_itself, self._reached))
        ):
            return DATA
        if self._walk.overlaps():
            return _OVERLAP
        if any(self._callee(each) is Callee.ODD for each in self._reached.values() if word(each) == "call"):
            return _CALLS
        return "" if self._file.vouched else self._doubt_by_hand(own)

    def _doubt_by_hand(self, own: Iterable[str]) -> str:
        """The same for code for which nothing vouches."""
        if self._open:
            return f"{_NOTHING}a jump of it may lead anywhere"
        if own:
            return f"{_NOTHING}it takes an address within itself"
        if any(map(self._calls_middle, self._reached.values())):
            return f"{_NOTHING}it calls its own middle"
        if not all(self._level(at) for at, each in self._reached.items() if self._ends(each)):
            return f"{_NOTHING}its stack can't be followed to its returns"
        return ""

    def _calls_middle(self, each: Instruction) -> bool:
        to = target(each) if word(each) == "call" and not self._is_thunk(each) else None
        return to is not None and 0 < to < len(self._code)

    def _ends(self, each: Instruction) -> bool:
        """Whether it is a return, or does the same: begins one that isn't predicted, or jumps to one."""
        return word(each) == "ret" or self._to_return(each) or self._is_thunk(each)

    def _to_return(self, each: Instruction) -> bool:
        to = target(each) if word(each) == "jmp" else None
        if to is None or 0 <= to < len(self._code) or not self._file.is_code(self._start + to):
            return False
        code = self._file.read(self._start + to, max(THUNKS))
        return is_thunk(code) or code.startswith(_RETS)

    def _is_thunk(self, each: Instruction) -> bool:
        return word(each) == "call" and is_thunk(self._code[each.address : each.address + max(THUNKS)])

    def _level(self, at: int) -> bool:
        """Whether the stack stands there as at the entry, as far as that is known."""
        heights = [stack for stack, _ in self._walk.heights[at]]
        return 0 in heights or (self._file.vouched and None in heights)

    def _names_itself(self, each: Instruction) -> bool:
        """Whether it reads or writes bytes of the function, or takes an address within it."""
        if "[rip" not in each.operands or word(each) in ("nop", "call", "jmp"):
            return False
        found = _MEMORY.search(each.operands)
        return found is not None and (word(each) == "lea") <= _named(each, found) < len(self._code)

    def _reads_itself(self, at: int) -> bool:
        """Whether it takes an address within the function there, and reads from it next."""
        each = self._reached[at]
        following = self._reached.get(each.end)
        if following is None or word(each) != "lea" or not self._names_itself(each):
            return False
        register = each.operands.partition(",")[0]
        return f"[{register}" in following.operands and word(following) not in ("lea", "jmp", "call")

    def _comes_back(self, call: Instruction) -> bool:
        """Whether what follows a call is executed."""
        return not self._is_thunk(call) and self._callee(call) is not Callee.NEVER

    def _callee(self, call: Instruction) -> Callee:
        to = target(call)
        if to is None or self._file.callees is None or 0 <= to < len(self._code):
            return Callee.PLAIN
        return self._file.callees.of(self._start + to)

    def _ends_thunk(self, each: Instruction) -> bool:
        """Whether it is the last instruction of a return that isn't predicted."""
        return word(each) == "ret" and any(is_thunk(self._code[each.end - size : each.end]) for size in THUNKS)

    def _leaves(self, each: Instruction) -> bool:
        """Whether it may be a jump to another function."""
        if not word(each).startswith("j") or self._to_return(each):
            return False
        to = target(each)
        return (self._open or "[rip" in each.operands) if to is None else not 0 <= to < len(self._code)

    def _follow_tables(self) -> bool:
        """Notes what the tables of its switches lead to; whether jumps remain whose targets aren't known."""
        followed: set[int] = set()
        while len(followed) < len(jumps := self._indirect()):
            tables = {at: cases for at, cases in self._named_tables() if at not in followed}
            if not tables:
                return True
            followed |= tables.keys()
            heights = dict.fromkeys(height for jump in jumps for height in self._walk.heights[jump])
            cases = dict.fromkeys(at for cases in tables.values() for at in cases)
            self._walk.follow([(at, height) for at in cases for height in heights])
        return False

    def _follow_bounded(self) -> bool:
        """The same, only where a comparison before the jump says how many cases there are."""
        followed: set[int] = set()
        while jumps := [at for at in self._indirect() if at not in followed]:
            followed.update(jumps)
            for at in jumps:
                cases = self._bounded(at)
                if not cases:
                    return True
                self._walk.follow([(case, height) for case in cases for height in list(self._walk.heights[at])])
        return False

    def _bounded(self, jump: int) -> list[int]:
        """The cases of the switch that ends in this jump; none where one isn't known."""
        before = [self._reached[at] for at in sorted(self._reached) if at <= jump][-_BEFORE_JUMP:]
        table = next(filter(None, map(self._table, reversed(before))), None)
        number = 0
        for compare, branch in pairwise(before):
            limit = compare.operands.rpartition(", ")[2]
            if word(compare) == "cmp" and word(branch) == "ja" and limit[:1].isdecimal():
                number = int(limit, 0) + 1
        if table is None or not 0 < number <= _MOST_CASES:
            return []
        cases = [to - self._start for to in self._entries(*table, number)]
        own = [to for to in cases if to in self._body]
        return own if len(own) == number else []

    def _indirect(self) -> list[int]:
        """The jumps whose targets only running tells, within the function perhaps."""
        jumps = (each for each in self._reached.values() if word(each) == "jmp" and target(each) is None)
        return [each.address for each in jumps if "[rip" not in each.operands]

    def _named_tables(self) -> Iterator[tuple[int, list[int]]]:
        """Tables that the reached instructions name, by address, with the cases, each at an instruction's beginning."""
        for table in dict.fromkeys(filter(None, map(self._table, list(self._reached.values())))):
            if table[0] not in self._tables:
                self._tables[table[0]] = self._cases(*table)
            if cases := self._tables[table[0]]:
                yield table[0], cases

    def _table(self, each: Instruction) -> tuple[int, str, int] | None:
        """The table that an instruction may name: its address, how it is written, and what its entries are added to."""
        if word(each) == "lea" and (found := _TABLE.search(each.operands)):
            at = self._start + _named(each, found)
            return at, "i", at
        if word(each) == "jmp" and (found := _ADDRESSES.search(each.operands)):
            return int(found[1], 16), "Q", 0
        return None

    def _cases(self, table: int, kind: str, base: int) -> list[int]:
        """Where a table's entries lead, as long as that is code; cases may lie in other functions (`.cold`)."""
        entries = self._entries(table, kind, base, _MOST_CASES)
        cases = [to - self._start for to in takewhile(self._file.is_code, entries)]
        own = [to for to in cases if to in self._body]
        self._elsewhere |= bool(own) and len(own) < len(cases)
        return own

    def _entries(self, table: int, kind: str, base: int, most: int) -> Iterator[int]:
        """The addresses that a table has. Raises TooLarge where the function's tables have too many."""
        size = struct.calcsize(kind)
        for first in range(0, most, _AT_ONCE):
            data = self._file.read(table + first * size, min(_AT_ONCE, most - first) * size)
            for (entry,) in struct.iter_unpack(f"={kind}", data[: len(data) // size * size]):
                self._cases_left -= 1
                if self._cases_left < 0:
                    raise TooLarge
                yield base + entry
            if len(data) < min(_AT_ONCE, most - first) * size:
                return

    def _taken(self, rest: Iterable[Instruction]) -> Iterator[int]:
        """The returns among instructions to which nothing is known to lead that are taken for code all the same."""
        calls, after = self._open, -1
        for each in rest:
            if each.address != after:  # another piece
                calls = self._open
            after, to = each.end, target(each)
            if word(each) == "call" and to is not None and self._file.pads is None:
                calls = calls or self._file.is_code(self._start + to)
            if word(each) == "ret" and each.known and calls:
                yield each.address


def _named(each: Instruction, found: "re.Match[str]") -> int:
    """What an operand that is told by the next instruction's address names, by its distance from the first byte."""
    return each.end + int(found[2], 0) * (-1 if found[1] == "-" else 1)
