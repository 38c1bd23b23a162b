"""`bpfscope doctor`: what this kernel and this user can do, and the remedy for what not."""

import argparse
import sys

from tui.bpf import features
from tui.export import rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`doctor` has no options of its own."""


def run(arguments: argparse.Namespace) -> int:
    """Prints a row per feature; status 3 where something is missing without which nothing can be probed."""
    found = features.probe()
    for feature in found:
        if arguments.json:
            rows.write(feature._asdict(), sys.stdout)
        else:
            state = "ok" if feature.works else "no" if feature.needed else "less"
            print(f"{state:<4} {feature.name:<12} {feature.detail}")
            if feature.remedy:
                print(f"{'':17} → {feature.remedy}")
    return 0 if all(feature.works for feature in found if feature.needed) else 3
