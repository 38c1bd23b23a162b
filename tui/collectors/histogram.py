"""Histograms of durations: percentiles from log-linear buckets, and the classic view by powers of two. Pure.

Eight buckets to each power of two: what is said of a percentile is the middle of its bucket, at most 1/16 off.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

BUCKETS: Final = 312  # as programs/latency.c has them
ERROR: Final = 1 / 16


def bucket_bounds(index: int) -> tuple[int, int]:
    """The nanoseconds of a bucket: from, and up to but without; the last has everything above, too."""
    if index < 8:
        return index, index + 1
    power, part = index // 8 + 2, index % 8
    low = (8 + part) << (power - 3)
    return low, low + (1 << (power - 3))


BOUNDS: Final = tuple(map(bucket_bounds, range(BUCKETS)))


def percentiles(buckets: Sequence[int], shares: Sequence[float], least: int, most: int) -> list[int]:
    """The durations (ns) below which these shares of the calls lie; 0 where there are none.

    `least` and `most` are the exact extremes, which no percentile exceeds.
    """
    sums = list(accumulate(buckets))
    total = sums[-1] if sums else 0
    if not total:
        return [0] * len(shares)
    found = [BOUNDS[bisect_left(sums, max(1, share * total))] for share in shares]
    return [min(most, max(least, (low + high) // 2)) for low, high in found]


def filled(buckets: Sequence[int]) -> list[tuple[int, int, int]]:
    """The buckets that have something: from, up to but without (ns), calls."""
    return [(*bounds, count) for bounds, count in zip(BOUNDS, buckets, strict=True) if count]


def by_power(buckets: Sequence[int], most: int = BOUNDS[-1][1]) -> tuple[int, ...]:
    """Calls by the number of bits of their nanoseconds: [3] has those of 4 to 7 ns.

    `most`: no call took longer (ns), so that longer ones needn't be looked for.
    """
    there = list(buckets[: 8 * max(1, most.bit_length() - 2)])
    sums = [there[0], there[1], there[2] + there[3], sum(there[4:8])]
    sums += [sum(there[at : at + 8]) for at in range(8, len(there), 8)]
    return (*sums, *(0,) * (4 + (len(buckets) - 8) // 8 - len(sums)))


def powers(buckets: Sequence[int]) -> list[tuple[int, int, int]]:
    """The same by powers of two, as bpftrace's hist() has them, from the first that has something to the last."""
    sums = by_power(buckets) if buckets else ()
    there = [bits for bits, count in enumerate(sums) if count]
    return [(1 << bits >> 1, 1 << bits, sums[bits]) for bits in range(there[0], there[-1] + 1)] if there else []
