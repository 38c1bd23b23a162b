"""Paths are completed where a file is named to be loaded."""

from pathlib import Path

from tui.screens.load import completions


def test_folders_and_c_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("one.c", "other.c", "other.h", "o\x1b[31m.c", ".hidden.c", "two words.c"):
        (tmp_path / name).touch()
    line = f"{tmp_path}/"
    assert completions(line, len(line)) == [f"{tmp_path}/{name}" for name in ("deep/", "one.c", "other.c")]
    assert completions(f"{line}ot", len(line) + 2) == [f"{tmp_path}/other.c"]
    assert completions(f"{line}nothing/", len(line) + 8) == []
