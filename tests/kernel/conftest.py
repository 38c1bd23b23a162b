"""What a kernel test needs; where it isn't there, the test is skipped and says what was missing."""

import os
from pathlib import Path

import pytest


def preempt_full() -> bool:
    """Whether this kernel was booted with preempt=full."""
    return "preempt=full" in Path("/proc/cmdline").read_text().split()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.geteuid() != 0:
        pytest.skip("root")
    if item.get_closest_marker("preempt_full") and not preempt_full():
        pytest.skip("a kernel booted with preempt=full: scripts/kernels 6.12")
