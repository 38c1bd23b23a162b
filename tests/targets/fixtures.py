"""The targets as fixtures; a folder of tests that wants them imports these in its conftest.py."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.targets.build import build
from tests.targets.running import Running

Start = Callable[..., Running]


@pytest.fixture(scope="session")
def targets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built targets: $BPFSCOPE_TARGETS, else one in pytest's cache."""
    given, cache = os.environ.get("BPFSCOPE_TARGETS"), getattr(request.config, "cache", None)
    folder = Path(given) if given else cache.mkdir("targets") if cache else tmp_path_factory.mktemp("targets")
    build(folder)
    return folder


@pytest.fixture
def start(targets: Path) -> Iterator[Start]:
    """Starts a target by its name, or another program by its path; all are ended with the test."""
    running: list[Running] = []

    def starter(program: str | Path, *arguments: str | Path) -> Running:
        running.append(Running(targets / program, *arguments))
        return running[-1]

    yield starter
    for each in running:
        each.close()
