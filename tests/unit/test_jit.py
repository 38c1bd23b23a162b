"""What is said where a JIT compiler's code has no names."""

import pytest

from tui.collectors import jit
from tui.elf.languages import Languages


@pytest.mark.parametrize(
    ("language", "has_map", "said"),
    [
        ("java 17", False, "jcmd 7 Compiler.perfmap writes them down (Java 17 or newer)"),
        ("java 17", True, "jcmd 7 Compiler.perfmap, once more, for what was compiled since its map was written"),
        ("node 18", False, "start it as node --perf-basic-prof"),
        ("c++", False, "its compiler must write them to /tmp/perf-7.map"),
        ("", True, "its compiler must write them to /tmp/perf-7.map"),
    ],
)
def test_by_language(monkeypatch: pytest.MonkeyPatch, language: str, has_map: bool, said: str) -> None:
    monkeypatch.setattr(Languages, "of_process", lambda *_: language)
    assert jit.advice(7, has_map=has_map) == said
