from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf import timing
from tui.collectors import histogram
from tui.collectors.histogram import BUCKETS, bucket_bounds
from tui.collectors.samples import Latency

DURATIONS = st.integers(0, (1 << 41) - 1)


def bucket(ns: int) -> int:
    return next(at for at in range(BUCKETS) if ns < bucket_bounds(at)[1])


def test_buckets_lie_side_by_side() -> None:
    assert BUCKETS == timing.BUCKETS
    assert bucket_bounds(0) == (0, 1)
    for at in range(1, BUCKETS):
        assert bucket_bounds(at)[0] == bucket_bounds(at - 1)[1]
    assert bucket_bounds(BUCKETS - 1)[1] == 1 << 41


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.floats(0.01, 1))
def test_percentiles_are_within_the_stated_error(durations: list[int], share: float) -> None:
    buckets = [0] * BUCKETS
    for ns in durations:
        buckets[bucket(ns)] += 1
    durations.sort()
    (got,) = histogram.percentiles(buckets, (share,), durations[0], durations[-1])
    exact = next(ns for rank, ns in enumerate(durations, 1) if rank >= max(1, share * len(durations)))
    assert abs(got - exact) <= exact * histogram.ERROR + 1
    assert sum(count for *_, count in histogram.filled(buckets)) == len(durations)


@given(st.lists(DURATIONS, max_size=200))
def test_powers_of_two(durations: list[int]) -> None:
    buckets = [0] * BUCKETS
    for ns in durations:
        buckets[bucket(ns)] += 1
    bars = histogram.powers(buckets)
    assert sum(count for *_, count in bars) == len(durations)
    for low, high, count in bars:
        assert count == sum(low <= ns < high for ns in durations)


@given(st.dictionaries(st.integers(-(1 << 63), (1 << 64) - 1), st.integers(1, 1000), max_size=20))
def test_numbers_by_powers_of_two(counts: dict[int, int]) -> None:
    bars = histogram.values_by_power(counts)
    for low, high, count in bars:
        assert low <= high
        assert count == sum(number for value, number in counts.items() if low <= value <= high)
    assert sum(count for *_, count in bars) == sum(counts.values())
    assert all(before + 1 == low for (_, before, _), (low, *_) in pairwise(bars))
    assert not bars or (bars[0][2] and bars[-1][2])


def test_bounds_of_numbers() -> None:
    bars = histogram.values_by_power({-5: 1, 0: 2, 3: 4})
    assert bars == [(-7, -4, 1), (-3, -2, 0), (-1, -1, 0), (0, 0, 2), (1, 1, 0), (2, 3, 4)]


@pytest.mark.parametrize("buckets", [[], [0] * BUCKETS])
def test_nothing(buckets: list[int]) -> None:
    assert histogram.percentiles(buckets, (0.5, 0.99), 0, 0) == [0, 0]
    assert histogram.powers(buckets) == []


def test_what_probes_took_of_a_time() -> None:
    plain = Latency(3, 3, 0, 0, 0, 10, 900, 1_000, 900, 0, ())
    assert (plain.net_ns, plain.doubtful) == (900, False)
    quarter = plain._replace(probe_ns=225, total_probe_ns=250)
    assert (quarter.net_ns, quarter.doubtful, quarter.swollen) == (675, False, False)
    more = plain._replace(probe_ns=226, total_probe_ns=251)
    assert (more.net_ns, more.doubtful, more.swollen) == (674, True, True)
    assert more.each_probe_ns == 83
    assert plain._replace(probe_ns=1_000).net_ns == 0
