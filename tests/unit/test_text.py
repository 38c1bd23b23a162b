import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("main.run", "main.run"),
        ("日本語 é €", "日本語 é €"),
        ("\x1b[31mred\x07\x7f", "␛[31mred␇␡"),
        ("two\nlines\ttab\r\0", "two␊lines␉tab␍␀"),
        ("\x9b2J\x85", "\ufffd2J\ufffd"),  # C1
        ("gpj\u202eexe\u2066x\u200f", "gpj\ufffdexe\ufffdx\ufffd"),  # direction
        ("a\u200bb\ufeff\u2028c\u061c", "a\ufffdb\ufffd\ufffdc\ufffd"),  # zero width, separators
        (b"raw \xff\x9b".decode("utf-8", "surrogateescape"), "raw \ufffd\ufffd"),
        ("\U000e0041tag\U000e0101", "\ufffdtag\ufffd"),
        ("soft\u00adhyphen \u115f\u3164\ufe0f", "soft\ufffdhyphen \ufffd\ufffd\ufffd"),  # nobody sees them
    ],
)
def test_what_a_terminal_would_act_on_becomes_visible(raw: str, shown: str) -> None:
    assert text.sanitise(raw) == shown


@given(st.text(st.characters(codec=None)))
def test_sanitised_text_has_no_controls_and_is_stable(raw: str) -> None:
    clean = text.sanitise(raw)
    assert len(clean) == len(raw)
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in clean)
    assert not any(
        unicodedata.bidirectional(char) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        for char in clean
    )
    assert text.sanitise(clean) == clean
    clean.encode()


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [(0, "0"), (0.04, "0"), (0.4, "0.4"), (9.94, "9.9"), (9.96, "10"), (97.2, "97"), (9731, "9,731"),
     (97_310, "97.3 k"), (1_234_567, "1.2 M"), (3.4e9, "3.4 G"), (2e12, "2.0 T")],
)  # fmt: skip
def test_rates(per_second: float, shown: str) -> None:
    assert text.rate(per_second) == shown


@given(st.floats(0, 9e14))
def test_rates_fit_their_column(per_second: float) -> None:
    assert len(text.rate(per_second)) <= 7


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (12 << 10, "12 KiB"), (int(3.1 * (1 << 30)), "3.1 GiB"),
     ((1 << 20) - 1, "1.0 MiB"), (5 << 40, "5.0 TiB"), (5 << 50, "5120 TiB")],
)  # fmt: skip
def test_sizes(number: int, shown: str) -> None:
    assert text.size(number) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "00:00"), (83.9, "01:23"), (3599.99, "59:59"), (3723, "1:02:03")])
def test_clock(seconds: float, shown: str) -> None:
    assert text.clock(seconds) == shown


def test_counts_are_exact_with_separators() -> None:
    assert text.count(2**63 + 1) == "9,223,372,036,854,775,809"


@pytest.mark.parametrize(
    ("number", "noun", "shown"),
    [(1, "function", "1 function"), (2412, "function", "2,412 functions"), (2, "process", "2 processes")],
)
def test_plural(number: int, noun: str, shown: str) -> None:
    assert text.plural(number, noun) == shown


def test_sparkline_is_scaled_to_the_largest_value_shown() -> None:
    assert text.sparkline([100.0, 0.0, 4.0, 8.0], 3) == "▁▅█"
    assert text.sparkline([4.0], 3) == "  █"
    assert text.sparkline([4.0], 3, least=8.0) == "  ▅"
    assert text.sparkline([0.0, 0.0], 3) == " ▁▁"
    assert text.sparkline([], 3) == "   "


@given(st.lists(st.floats(0, 1e300), max_size=50), st.integers(1, 40), st.floats(0, 1e6))
def test_sparkline_is_as_wide_as_asked(values: list[float], width: int, least: float) -> None:
    assert len(text.sparkline(values, width, least)) == width


def test_bar_is_in_eighths_and_shows_anything_above_nought() -> None:
    assert text.bar(0, 4) == ""
    assert text.bar(1e-9, 4) == "▏"
    assert text.bar(0.5, 4) == "██"
    assert text.bar(0.53125, 4) == "██▏"
    assert text.bar(7, 4) == "████"


@given(st.floats(-1, 2), st.integers(1, 40))
def test_bar_fits(share: float, width: int) -> None:
    assert len(text.bar(share, width)) <= width


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0, 1, "0"), (1, 2, "1"), (2, 4, "2 – 3"), (1024, 2048, "1,024 – 2,047"), (-1, 0, "below 0"), (-1, 2, "below 2")],
)
def test_spans_name_the_first_and_the_last(low: int, high: int, shown: str) -> None:
    assert text.span(low, high) == shown
