"""Marks by folder. Tests in unit/ and screens/ need neither root nor BPF."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in {"kernel", "e2e"}:
            item.add_marker(folder)
