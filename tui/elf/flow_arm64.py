"""Where a function of arm64 returns: at every RET to which its own jumps lead (`flow` says why only there).

Tables of switches aren't read: every compiler packs them in its own way, and what they lead to begins at an instruction
anyway. A RET is taken for one where a jump may lead anywhere within the function, unless the word is loaded as data.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from tui.elf import arm64
from tui.elf.arm64 import SIZE, Way
from tui.elf.flow import File

_ENDS: Final = frozenset((Way.JUMP, Way.INDIRECT, Way.RETURN, Way.SIGNED_RETURN, Way.NOWHERE))
_BEFORE: Final = 4  # instructions before a jump among which its address is computed
_SIGNED: Final = "it returns by an instruction that the kernel can't probe (retaa)"


class Flow:
    """The instructions of one function, by their numbers."""

    def __init__(self, words: Sequence[int], start: int, file: File, *, go: bool) -> None:
        """`start`: the function's address; `go`: it is in a file of Go's."""
        self._words, self._start, self._file, self._go = words, start, file, go
        self._ways = [arm64.way(word) for word in words]
        self._reached: set[int] = set()
        self._leaves = False  # whether it may jump to another function
        self._follow()
        jumps = [at for at in self._reached if self._ways[at] is Way.INDIRECT]
        self._open = bool(jumps)
        self._leaves |= not all(map(self._within, jumps))

    def returns(self) -> tuple[list[int], str]:
        """Where it returns, in bytes, and how else it may be left, or why the places aren't known."""
        if any(self._ways[at] is Way.SIGNED_RETURN for at in self._reached):
            return [], _SIGNED
        found = {at for at in self._reached if self._ways[at] is Way.RETURN}
        rest = self._rest()
        taken = set(self._taken(rest))
        note = ""
        if self._leaves:
            note = "it may also end by a jump to another function"
        elif not found | taken:
            note = "it never returns"
        elif any(self._ways[at] is Way.RETURN and at not in taken for at in rest):
            note = "it has returns to which nothing is known to lead"
        return [SIZE * at for at in sorted(found | taken)], note

    def _follow(self) -> None:
        """Notes what the first instruction leads to."""
        work = [0]
        while work:
            at = work.pop()
            while 0 <= at < len(self._words) and at not in self._reached:
                self._reached.add(at)
                way = self._ways[at]
                if way in (Way.JUMP, Way.BRANCH):
                    to = (arm64.target(self._words[at], SIZE * at) or 0) // SIZE
                    self._leaves |= not 0 <= to < len(self._words)
                    work.append(to)
                if way in _ENDS:
                    break
                at += 1

    def _within(self, at: int) -> bool:
        """Whether an indirect jump is one of a switch: its address is computed from a table's entry, or is one.

        A function's address isn't added up from two registers. One that is loaded from a table may be a function's,
        but not in Go, which knows no such jumps.
        """
        register = self._words[at] >> 5 & 31
        for word in reversed(self._words[max(0, at - _BEFORE) : at]):
            if word & 31 == register:
                added = word & 0xFFE00000 in (0x8B000000, 0x8B200000)  # add x, x, x; add x, x, w, sxtw
                loaded = word & 0xFFE0FC00 == 0xF8607800  # ldr x, [x, x, lsl 3]
                return added or (loaded and self._go)
        return False

    def _rest(self) -> list[int]:
        """Instructions to which nothing is known to lead, without what others load as data."""
        data: set[int] = set()
        for at in self._reached:
            word = self._words[at]
            if word & 0x3B000000 == 0x18000000:  # ldr of what lies beside it, 16 bytes at most
                displacement = (word >> 5 & 0x7FFFF) - (word >> 4 & 0x80000)
                data.update(range(at + displacement, at + displacement + 4))
        return [at for at in range(len(self._words)) if at not in self._reached and at not in data]

    def _taken(self, rest: Sequence[int]) -> Iterator[int]:
        """The returns among these that are taken for code all the same.

        That is where a jump may lead anywhere, or where a function of the same file is called first, as in what follows
        an exception.
        """
        calls, after = self._open, -1
        for at in rest:
            if at != after:  # another piece
                calls = self._open
            after = at + 1
            if self._ways[at] is Way.CALL and (to := arm64.target(self._words[at], SIZE * at)) is not None:
                calls = calls or self._file.is_code(self._start + to)
            if self._ways[at] is Way.RETURN and calls:
                yield at
