"""How often is read what takes long to read: so that it never takes more than a share of a CPU."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

SHARE: Final = 0.03  # of a CPU, at most: painting comes on top
Reading = TypeVar("Reading")


class Taken(NamedTuple):
    """What a reading took, in seconds."""

    cpu: float
    wall: float


def timed(read: Callable[..., Reading], *arguments: object) -> tuple[Reading, Taken]:
    """What it gives, and what that took; others that run beside it don't count. Raises what `read` does."""
    cpu, wall = time.thread_time(), time.monotonic()
    found = read(*arguments)
    return found, Taken(time.thread_time() - cpu, time.monotonic() - wall)


def every(interval: float, taken: Taken, share: float = SHARE) -> float:
    """Seconds from one reading to the next: as asked for, or more where reading takes long."""
    return max(interval, taken.cpu / share, taken.wall)
