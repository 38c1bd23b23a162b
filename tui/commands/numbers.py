"""Numbers on the command line, with sentences for those that make no sense."""

import argparse
import math


def seconds(word: str) -> float:
    """A positive, finite number of seconds."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds greater than 0")
    return value
