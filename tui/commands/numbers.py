"""Numbers on the command line, with sentences for those that make no sense."""

import argparse
import math


def percent(word: str) -> float | None:
    """A share of the target's time, or None for "off"."""
    try:
        value = float(word.removesuffix("%"))
    except ValueError:
        value = math.nan
    if word == "off":
        return None
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{word!r} is neither a percentage between 0 and 100 nor 'off'")
    return value


def seconds(word: str) -> float:
    """A positive number of seconds, of at most eleven days: what poll(2) can wait."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds between 0 and 1,000,000")
    return value
