"""Numbers on the command line, with sentences for those that make no sense."""

import argparse
import math
import re
from typing import Final

_DECIMAL: Final = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)", re.ASCII)
_NANOSECONDS: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


def percent(word: str) -> float | None:
    """A share of the target's time, or None for "off"."""
    value = _decimal(word.removesuffix("%"))
    if word == "off":
        return None
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{word!r} is neither a percentage between 0 and 100 nor 'off'")
    return value


def seconds(word: str) -> float:
    """A positive number of seconds, of at most eleven days: what poll(2) can wait."""
    value = _decimal(word)
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds: more than 0, at most 1,000,000")
    return value


def _decimal(word: str) -> float:
    """A number as people write it; not a number for all else that Python takes for one."""
    return float(word) if _DECIMAL.fullmatch(word) else math.nan


def nanoseconds(word: str) -> int:
    """A duration such as 5ms, 100us, 1.5s or 800ns, of at most eleven days."""
    found = _DURATION.fullmatch(word)
    value = round(float(found[1]) * _NANOSECONDS[found[2]]) if found else 0
    if not 0 < value <= 1e15:
        raise argparse.ArgumentTypeError(f"{word!r} is not a duration such as 5ms, 100us, 1.5s or 800ns")
    return value
