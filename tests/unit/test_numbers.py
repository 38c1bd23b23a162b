import argparse

import pytest

from tui.commands import numbers


@pytest.mark.parametrize(
    ("word", "ns"),
    [
        ("5ms", 5_000_000),
        ("100us", 100_000),
        ("1.5s", 1_500_000_000),
        ("800ns", 800),
        ("0.25µs", 250),
        ("0.0000005s", 500),
    ],
)
def test_durations(word: str, ns: int) -> None:
    assert numbers.nanoseconds(word) == ns


@pytest.mark.parametrize(
    "word", ["", "5", "ms", "-5ms", "5 ms", "1e3s", "0ns", "0.1ns", "2000000s", "5m", "٣ms", "1.s"]
)
def test_what_is_no_duration(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a duration such as 5ms"):
        numbers.nanoseconds(word)


@pytest.mark.parametrize(("word", "value"), [("1", 1.0), ("0.5", 0.5), (".5", 0.5), ("2.", 2.0), ("007", 7.0)])
def test_seconds(word: str, value: float) -> None:
    assert numbers.seconds(word) == numbers.percent(word) == value


@pytest.mark.parametrize("word", ["", "1_0", "١", "1e3", "+1", " 1", "0x1", "inf", "nan", "-1", "0", "."])
def test_what_is_no_number(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number of seconds"):
        numbers.seconds(word)
    with pytest.raises(argparse.ArgumentTypeError, match="is neither a percentage"):
        numbers.percent(word)
