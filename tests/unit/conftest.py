"""Nothing here touches the caches of whoever runs the tests."""

from pathlib import Path

import pytest

from tests.targets.fixtures import targets

__all__ = ["own_cache", "targets"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that nobody else uses."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder
