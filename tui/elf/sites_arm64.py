"""The first instructions of a function on arm64: what the kernel emulates, what it refuses, what jumps back to them.

The kernel emulates jumps, calls and returns, adr and adrp. A frame is made by instructions that it executes from a copy
(stp, sub), which takes about twice as long. So a function that begins by making its frame is probed at its first byte.

In Go that is after the check of the stack, whose own jump is passed again when the stack has grown; and after what
computes where a large frame ends. For where Go's assembler needs several instructions, and register 27, for one of its
own, a goroutine that is interrupted between them begins anew with the first of them (isRestartable in
cmd/internal/obj/arm64/asm7.go).
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from tui.elf import arm64
from tui.elf.arm64 import SIZE, Way
from tui.elf.flow import File
from tui.elf.flow_arm64 import Flow

_MOST: Final = 12  # instructions at a function's beginning that are looked at
_MOST_COMPUTED: Final = 5  # of what computes where a large frame ends
_MOST_CHECK: Final = 10  # of Go's check of the stack
_OF_C: Final = frozenset((*range(8), 29, arm64.LINK, arm64.STACK))  # arguments, and what stacks are walked by
_OF_GO: Final = _OF_C | frozenset((*range(16), 26, 28))  # and the closure's context, and g
_REGISTER: Final = 27  # what Go's assembler uses for itself
_WITH_NUMBER: Final = 4  # a class of instructions: adrp, mov and so on, not loads
_TEMPORARY: Final = frozenset(
    (arm64.NOTHING, 16, 17, _REGISTER)
)  # what Go's assembler may write in a check of the stack
_COMPUTED: Final = frozenset((20, 27))  # and before a large frame is made: its new end, and what that takes
_MAKES_FRAME: Final = 0xA93FFA9D  # stp x29, x30, [x20, -8]
_LOWER, _LOWER_OR_SAME = 3, 9  # conditions
_BRANCH: Final = re.compile(rb"[\x14-\x17\x34-\x37\xb4-\xb7\x54\x74\x75\xf4\xf5]")  # last bytes of jumps with a target
_CALL: Final = re.compile(rb"[\x94-\x97]")
_INDIRECT: Final = re.compile(rb"[\xd6\xd7]")
_REFUSED: Final = "the kernel can't probe its first instruction: "


class Arm64:
    """A function's code; places are distances from its first byte, in bytes."""

    def __init__(self, code: bytes, address: int, *, go: bool) -> None:
        """`go`: it is in a file of Go's."""
        self._code, self._address, self._go = code, address, go
        self._words = arm64.words(code)
        self._protected = _OF_GO if go else _OF_C

    def simple(self) -> bool:
        """Whether it begins with an emulated instruction to which nothing jumps back."""
        return self.emulated(0) and not self.repeated(0) and not self.leads_back(0)

    @property
    def start(self) -> int:
        """Where it begins but for Go's check of the stack, and for computing where a large frame ends."""
        first = self._check[0] // SIZE
        for at, word in enumerate(self._words[first : first + _MOST_COMPUTED], first):
            if word == _MAKES_FRAME and self._go:
                return SIZE * at
            if arm64.written(word) not in _COMPUTED:
                break
        return self._check[0]

    def candidates(self) -> Iterator[int]:
        """The instructions up to the first that may change an argument, the stack pointer, or the way."""
        first = self.start // SIZE
        for at, word in enumerate(self._words[first : first + _MOST], first):
            if not self.repeated(SIZE * at):
                yield SIZE * at
            written = arm64.written(word)
            if written is None or written in self._protected or arm64.way(word) is not Way.ON:
                return

    def emulated(self, at: int) -> bool:
        """Whether the kernel needs no copy of the instruction there."""
        word = self._word(at)
        return word is not None and arm64.is_emulated(word)

    def refused(self, at: int) -> str:
        """Why the kernel doesn't probe the instruction there, or why it mustn't."""
        word = self._word(at)
        if self._address % SIZE:
            return "no instruction begins there"
        if word is None:
            return "its first instruction lies outside the file"
        reason = arm64.refused(word)
        return _REFUSED + reason if reason else ""

    def leads_back(self, last: int) -> bool:
        """Whether a jump leads to an instruction from the first through `last`, but for that of a grown stack."""
        grown = self._check[1]
        return any(
            at != grown and (to := arm64.target(self._words[at // SIZE], at)) is not None and 0 <= to <= last
            for at in self._having(_BRANCH)
        )

    def repeated(self, at: int) -> str:
        """Why the instruction there may be executed twice in a call though nothing jumps back: Go's scheduler."""
        word = self._word(at)
        again = self._go and word is not None and word >> 26 & 7 == _WITH_NUMBER and arm64.written(word) == _REGISTER
        return "it may count twice where the scheduler interrupts it" if again else ""

    def jumps_indirectly(self) -> bool:
        """Whether it has a jump whose targets aren't known, as a switch has."""
        return any(arm64.way(self._words[at // SIZE]) is Way.INDIRECT for at in self._having(_INDIRECT))

    def calls_itself(self) -> bool:
        """Whether it calls itself by its own address."""
        return any(arm64.target(self._words[at // SIZE], at) == 0 for at in self._having(_CALL))

    def returns(self, file: File) -> tuple[list[int], str]:
        """Where it returns, as `Flow` finds it."""
        return Flow(self._words, self._address, file, go=self._go).returns()

    def _word(self, at: int) -> int | None:
        return self._words[at // SIZE] if at // SIZE < len(self._words) else None

    def _having(self, pattern: re.Pattern[bytes]) -> Iterator[int]:
        """The instructions whose last byte is one of these."""
        last = self._code[SIZE - 1 :: SIZE]
        return (SIZE * found.start() for found in pattern.finditer(last, 0, len(self._words)))

    @cached_property
    def _check(self) -> tuple[int, int]:
        """How long Go's check of the stack is, and where the jump back to it is that grown stacks take; or 0 and -1."""
        end = _after_check(self._words[:_MOST_CHECK])
        if not end:
            return 0, -1
        grow = arm64.target(self._words[end - 1], SIZE * (end - 1)) or 0
        back = (
            at
            for at in self._having(_BRANCH)
            if at >= grow
            and arm64.way(self._words[at // SIZE]) is Way.JUMP
            and arm64.target(self._words[at // SIZE], at) == 0
        )
        return SIZE * end, next(back, -1)


def _after_check(words: tuple[int, ...]) -> int:
    """How many instructions Go's check of the stack has.

    ldr x16, [x28, 16]; then the stack pointer, less what the frame takes, is compared with it, after a first
    comparison (b.lo) if that is much; b.ls to where the stack is grown.
    """
    if not words or words[0] & 0xFFFFFBE0 != 0xF9400B80 or words[0] & 31 not in _TEMPORARY:
        return 0
    for number, word in enumerate(words[1:], 1):
        if word >> 24 == 0x54 and word & 15 == _LOWER_OR_SAME:
            return number + 1
        lower = word >> 24 == 0x54 and word & 15 == _LOWER
        if not lower and arm64.written(word) not in _TEMPORARY:
            return 0
    return 0
