"""How high the stack of a function of x86-64 stands: bytes pushed since its entry, told by its instructions.

A RET returns only where that is nothing. Bytes that are taken for code by mistake seldom agree.
"""

import re
from functools import lru_cache
from typing import Final

from tui.elf.disassembly import Instruction

Height = tuple[int | None, int | None]  # the stack pointer's and the frame pointer's; None: not known
ENTRY: Final[Height] = (0, None)
UNKNOWN: Final[Height] = (None, None)
_PLACE: Final = re.compile(r"\[(r[sb]p)(?: ([+-]) (\d\w*))?\]$")
_STACK: Final = frozenset(("rsp", "esp", "sp", "spl"))
_FRAME: Final = frozenset(("rbp", "ebp", "bp", "bpl"))
_IMPLICIT: Final = frozenset(("push", "pop", "pushfq", "popfq", "leave", "enter"))
_READS: Final = frozenset(("cmp", "test", "call", "jmp", "push", "nop"))  # what doesn't write its first operand


def after(each: Instruction, height: Height) -> Height:
    """The height after an instruction that goes on to the next one; calls give back what they take."""
    operands = each.operands
    if "sp" not in operands and "bp" not in operands and each.mnemonic not in _IMPLICIT:
        return height
    return _after(each.mnemonic, operands, height)


@lru_cache(1 << 14)
def _after(name: str, operands: str, height: Height) -> Height:
    stack, frame = height
    first, _, second = operands.partition(", ")
    if name in ("push", "pushfq"):
        return _plus(stack, None if first.startswith("word ") else 8), frame
    if name in ("pop", "popfq"):
        return None if first in _STACK else _plus(stack, -8), None if first in _FRAME else frame
    if name == "leave":
        return _plus(frame, -8), None
    if name == "enter" or (name == "xchg" and second in _STACK | _FRAME):
        return UNKNOWN
    if name in _READS or first not in _STACK | _FRAME:
        return height
    value = _value(name, first, second, height)
    return (value, frame) if first in _STACK else (stack, value)


def _value(name: str, first: str, second: str, height: Height) -> int | None:
    """What the stack pointer or the frame pointer has after an instruction that writes it."""
    of = {"rsp": height[0], "rbp": height[1]}
    if name == "mov":
        return of.get(second) if first in of else None
    if name == "lea" and first in of:
        return place(second, height)
    if name in ("add", "sub") and first in of and second.lstrip("-")[:1].isdecimal():
        return _plus(of[first], int(second, 0) * (1 if name == "sub" else -1))
    return None


def place(operand: str, height: Height) -> int | None:
    """How high a place in memory lies that is told by the stack or frame pointer; None for any other."""
    found = _PLACE.search(operand)
    if found is None:
        return None
    base = height[0] if found[1] == "rsp" else height[1]
    return _plus(base, int(found[3] or "0", 0) * (-1 if found[2] == "+" else 1))


def takes_return_address(each: Instruction, name: str, height: Height) -> bool:
    """Whether it takes off, or writes over, what its function was called with to return to."""
    if name == "pop" and height[0] is not None and height[0] <= 0:
        return True
    if name in _READS or "[" not in each.operands:
        return False
    first, _, second = each.operands.partition(", ")
    written = place(first, height) == 0 or (name == "xchg" and place(second, height) == 0)
    stack = after(each, height)[0]
    return written or (stack is not None and stack < 0)


def _plus(height: int | None, pushed: int | None) -> int | None:
    return None if height is None or pushed is None else height + pushed
