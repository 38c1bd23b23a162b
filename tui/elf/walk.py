"""Follows instructions of x86-64 from one to the next, along jumps, with how high the stack stands at each."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tui.elf.disassembly import Instruction
from tui.elf.heights import UNKNOWN, Height, after

Decode = Callable[[bytes, int, int], Iterable[Instruction]]
_ENDS: Final = frozenset(("ret", "retf", "iretq", "jmp", "ud2", "hlt", "int3"))  # what doesn't lead on
_THUNK: Final = bytes.fromhex("e807000000 f390 0faee8 ebf9")  # a RET that isn't predicted: __x86_return_thunk
_THUNK_ENDS: Final = (bytes.fromhex("488d642408 c3"), bytes.fromhex("4883c408 c3"))
THUNKS: Final = tuple(len(_THUNK) + len(end) for end in _THUNK_ENDS)  # the bytes that one takes
_MOST_HEIGHTS: Final = 4  # at one instruction; more are as good as not known


class TooLarge(Exception):
    """There is more to follow than is worth it."""


class Walk:
    """What was reached in a piece of code, by its distance from the first byte."""

    def __init__(
        self,
        code: bytes,
        decode: Decode,
        body: Mapping[int, Instruction],
        comes_back: Callable[[Instruction], bool],
        most: int,
    ) -> None:
        """`body`: instructions that are decoded already; `comes_back`: whether a call does; `most`: steps to take."""
        self._code, self._decode, self._body, self._comes_back = code, decode, body, comes_back
        self._left = most
        self.reached: dict[int, Instruction] = {}
        self.heights: dict[int, list[Height]] = {}

    def follow(self, work: list[tuple[int, Height]]) -> None:
        """Goes on from these places, reached with these heights. Raises TooLarge."""
        while work:
            at, height = work.pop()
            while (each := self._reach(at, height)) is not None:
                height = self.heights[at][-1]  # as it was noted
                name, to = word(each), target(each)
                if to is not None and name.startswith(("j", "loop", "xbegin")):
                    work.append((to, height))
                if name in _ENDS or not each.known or (name == "call" and not self._comes_back(each)):
                    break
                at, height = each.end, after(each, height)

    def overlaps(self) -> bool:
        """Whether reached instructions lie within one another, but for what a jump over a lock prefix leads to."""
        end, before = 0, b""
        for at in sorted(self.reached):
            code = self.reached[at].code
            if at < end and before != b"\xf0" + code:
                return True
            end, before = max(end, at + len(code)), code
        return False

    def _reach(self, at: int, height: Height) -> Instruction | None:
        """The instruction there; None if there is none, or nothing new to find out by going on from it."""
        if not 0 <= at < len(self._code):
            return None
        seen = self.heights.setdefault(at, [])
        if height in seen or UNKNOWN in seen:
            return None
        each = self.reached.get(at) or self._body.get(at)
        each = each or next(iter(self._decode(self._code[at : at + 16], at, 1)), None)
        if each is None:
            return None
        self._left -= 1
        if self._left < 0:
            raise TooLarge
        seen.append(height if len(seen) < _MOST_HEIGHTS else UNKNOWN)
        self.reached[at] = each
        return each


def is_thunk(code: bytes) -> bool:
    """Whether this is a return that isn't predicted, as GCC makes it for -mfunction-return=thunk."""
    return code.startswith(_THUNK) and code[len(_THUNK) :].startswith(_THUNK_ENDS)


def word(instruction: Instruction) -> str:
    """The mnemonic without "repz", "bnd" or "notrack" in front."""
    return instruction.mnemonic.rpartition(" ")[2]


def target(instruction: Instruction) -> int | None:
    """Where a jump or call leads, relative to the code's first byte; None where only running it tells."""
    if not instruction.operands[:1].isdecimal() or "," in instruction.operands:
        return None
    address = int(instruction.operands, 0)
    return address - (1 << 64) if address >> 63 else address
