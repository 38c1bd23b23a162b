"""The state of a machine that runs one packet through one program."""

from collections.abc import Callable
from typing import Final

from tui.bpf.classic.instructions import MEMORY_WORDS
from tui.bpf.classic.packet import Packet

END: Final = -1  # what a step returns when the program has ended


class Registers:
    """A, X and M[], all from 0 to 2**32 - 1; then the result, and why it ended."""

    __slots__ = ("a", "data", "jumps_back", "memory", "packet", "result", "why", "x")

    def __init__(self, packet: Packet) -> None:
        self.packet = packet
        self.data = packet.data
        self.a = 0
        self.x = 0
        self.memory = [0] * MEMORY_WORDS
        self.jumps_back = 0
        self.result = 0
        self.why = ""

    def end(self, result: int, why: str) -> int:
        """Ends the program."""
        self.result, self.why = result, why
        return END


Step = Callable[[Registers], int]
"""Does what one instruction does, and returns the number of the next one, or END."""
