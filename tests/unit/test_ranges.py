from hypothesis import given
from hypothesis import strategies as st

from tui.elf.ranges import Ranges

ROWS = [(100, 10, "first"), (110, 10, "second"), (200, 0, "sizeless"), (300, 100, "outer"), (310, 5, "inner")]


def test_a_place_belongs_to_what_covers_it() -> None:
    ranges = Ranges(ROWS)
    assert [ranges.at(place) for place in (99, 100, 109, 110, 119, 120)] == [
        "",
        "first",
        "first",
        "second",
        "second",
        "",
    ]
    assert ranges.at(200) == ""
    assert [ranges.at(place) for place in (309, 310, 314, 315, 399, 400)] == [
        "outer", "inner", "inner", "outer", "outer", "",
    ]  # fmt: skip


def test_where_a_range_begins() -> None:
    ranges = Ranges(ROWS)
    assert [ranges.start(place) for place in (99, 100, 109, 200, 314, 315)] == [-1, 100, 100, -1, 310, 300]


def test_nothing_is_nowhere() -> None:
    assert Ranges([]).at(0) == ""


def test_the_last_word_counts() -> None:
    assert Ranges([(0, 10, "old"), (0, 20, "new"), (5, 2, "newest")]).at(5) == "newest"
    assert Ranges([(5, 2, "old"), (0, 10, "new")]).at(5) == "new"


def test_far_back_is_not_looked_for() -> None:
    rows = [(0, 1 << 40, "hostile"), *((start, 1, "other") for start in range(1, 100_000))]
    ranges = Ranges(rows)
    assert ranges.at(99_999 + 64) in ("", "hostile")
    assert ranges.at(10) == "other"


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=30), st.integers(0, 60))
def test_as_a_search_through_all(ranges: list[tuple[int, int]], place: int) -> None:
    rows = [(start, size, str(number)) for number, (start, size) in enumerate(ranges)]
    covering = [name for start, size, name in rows if start <= place < start + size]
    assert Ranges(rows).at(place) == (covering[-1] if covering else "")
