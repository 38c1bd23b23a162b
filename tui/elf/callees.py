"""How what a function of x86-64 calls comes back: whether what follows a call is executed next.

Code that somebody wrote by hand may take its own return address, and go on elsewhere: behind data, say.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from tui.elf.heights import ENTRY, takes_return_address
from tui.elf.memory import LENGTH
from tui.elf.walk import THUNKS, Decode, TooLarge, Walk, is_thunk, target, word

_WINDOW: Final = 1 << 14  # bytes of code that are looked through
_AT_ONCE: Final = 1 << 10  # of them decoded one after the other
_STEPS: Final = 4_000
_SHORT: Final = 1 << 8, 1 << 8, 64  # the same three, for code that a compiler made
_STEPS_IN_ALL: Final = 400_000  # of a file


class Callee(Enum):
    """How it comes back."""

    PLAIN = auto()
    NEVER = auto()
    ODD = auto()  # not plainly, or it can't be told


class Callees:
    """What the functions of a file call; each is looked at once."""

    def __init__(self, read: Callable[[int, int], bytes], vouched: Callable[[int], bool], decode: Decode) -> None:
        """`vouched`: whether the unwinder's records cover the code at an address."""
        self._read, self._vouched, self._decode = read, vouched, decode
        self._left = _STEPS_IN_ALL
        self._known: dict[int, Callee] = {}

    def of(self, address: int) -> Callee:
        """That of the code at an address."""
        if address not in self._known:
            self._known[address] = self._examine(address)
        return self._known[address]

    def _examine(self, address: int) -> Callee:
        vouched = self._vouched(address)
        if self._left <= 0:
            return Callee.PLAIN if vouched else Callee.ODD
        window, at_once, steps = _SHORT if vouched else (_WINDOW, _AT_ONCE, _STEPS)
        code = self._read(address, window)
        decoded = self._decode(code[:at_once], 0, 0)
        body = {each.address: each for each in decoded if each.address < at_once - LENGTH}  # whole ones
        walk = Walk(code, self._decode, body, lambda _: True, steps)
        whole = True
        try:
            walk.follow([(0, ENTRY)])
        except TooLarge:
            whole = False  # so much of it is as good as all
        self._left -= len(walk.reached)
        verdict = _verdict(walk, code)
        return Callee.PLAIN if verdict is Callee.NEVER and not whole else verdict


def _verdict(walk: Walk, code: bytes) -> Callee:
    """By what was reached; a way out of the window counts as one back."""
    size = len(code)
    back = not walk.reached
    for at, each in walk.reached.items():
        name = word(each)
        if not each.known and at < size - LENGTH:
            return Callee.ODD
        if any(takes_return_address(each, name, height) for height in walk.heights[at]):
            return Callee.ODD
        if name.startswith("j"):
            to = target(each)
            back |= to is None or not 0 <= to < size - LENGTH
        back |= name == "ret" or each.end >= size - LENGTH or (name == "call" and is_thunk(code[at : at + max(THUNKS)]))
    return Callee.PLAIN if back else Callee.NEVER
