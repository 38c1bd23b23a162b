"""Pictures live in the top-level snapshots/ folder; every test has the fake world of fakes.py."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_textual_snapshot
from syrupy.location import PyTestLocation

from tests.screens.fakes import FakeSources

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"


class Picture(pytest_textual_snapshot.SVGImageExtension):  # type: ignore[misc]
    """The plugin's pictures, in another folder, with blanks that every viewer keeps, and without fonts from afar."""

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        return str(SNAPSHOTS / test_location.basename)

    def serialize(self, data: object, **options: object) -> str:
        drawn = re.sub(r"\s*@font-face \{.*?\}", "", str(data), flags=re.DOTALL)
        text: str = super().serialize(drawn.replace("<text ", '<text xml:space="preserve" '), **options)
        return text


@pytest.fixture
def picture(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[..., bool]:
    """The plugin's snap_compare with our pictures."""
    for name in ("NO_COLOR", "COLORTERM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pytest_textual_snapshot, "SVGImageExtension", Picture)
    compare: Callable[..., bool] = request.getfixturevalue("snap_compare")
    return compare


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of a console that is made to crash don't end in the cache of whoever runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def sources() -> FakeSources:
    return FakeSources()
