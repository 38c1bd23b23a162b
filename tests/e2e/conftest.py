"""What an end-to-end test needs; where it isn't there, the test is skipped and says what was missing."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.targets.fixtures import Start, start, targets

__all__ = ["Open", "Start", "start", "targets"]

BPFSCOPE = Path(sys.executable).with_name("bpfscope")
Open = Callable[..., Terminal]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.geteuid() != 0:
        pytest.skip("root")
    if not shutil.which("tmux"):
        pytest.skip("tmux")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Open]:
    """Opens `bpfscope WORDS…` in a terminal; all are closed with the test."""
    opened: list[Terminal] = []
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def opener(*words: str | Path | int, prefix: list[str | Path] | None = None, **options: object) -> Terminal:
        environment = home | dict(options.pop("environment", None) or {})  # type: ignore[call-overload]
        command = [*(prefix or []), BPFSCOPE, *map(str, words)]
        opened.append(Terminal(command, tmp_path, environment=environment, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield opener
    for each in opened:
        each.close()
