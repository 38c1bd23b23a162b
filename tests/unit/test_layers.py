"""What a part imports, looked up in a fresh interpreter: the layers hold, and starting stays quick."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tui

LIST = "import json, sys; {}; print(json.dumps(sorted(sys.modules)))"


def imported_by(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LIST.format(code)], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def modules_of(part: str) -> list[str]:
    folder = Path(tui.__file__).parent
    files = sorted((folder / part).rglob("*.py"))
    names = [".".join(("tui", *file.relative_to(folder).with_suffix("").parts)) for file in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("_child")]


@pytest.mark.parametrize("part", ["bpf", "elf", "collectors", "export", "commands"])
def test_no_terminal_toolkit_and_no_compiler_below_the_screens(part: str) -> None:
    modules = modules_of(part)
    assert len(modules) > 1
    found = imported_by(f"import {', '.join(modules)}")
    assert set(modules) <= found
    assert not {"textual", "rich", "bcc", "cypcap"} & found


def test_the_console_never_imports_the_compiler() -> None:
    found = imported_by("import tui.app, tui.collectors.console")
    assert "textual" in found
    assert "bcc" not in found


def test_counting_imports_nothing_slow() -> None:
    found = imported_by("import tui.cli, tui.commands.count")
    slow = {"asyncio", "psutil", "elftools", "dataclasses", "inspect", "subprocess", "difflib", "hashlib", "concurrent"}
    assert not slow & found


def test_listing_symbols_imports_no_kernel_part_that_is_slow() -> None:
    found = imported_by("import tui.cli, tui.commands.symbols")
    assert not {"asyncio", "psutil", "elftools", "dataclasses", "inspect"} & found


def test_signatures_leave_debug_information_to_their_child() -> None:
    assert not {"elftools", "subprocess"} & imported_by("import tui.elf.signatures")


def test_expressions_leave_libpcap_to_its_child() -> None:
    assert not {"cypcap", "subprocess", "socket", "difflib"} & imported_by("import tui.bpf.expressions")


def test_hooks_import_netlink_only_where_it_is_needed() -> None:
    found = imported_by("import tui.bpf.hooks, tui.bpf.hooks.clsact, tui.bpf.hooks.support")
    assert not {"pyroute2", "asyncio", "subprocess", "concurrent"} & found


def test_listing_a_filter_imports_nothing_slow() -> None:
    found = imported_by("import tui.cli, tui.commands.filter")
    slow = {"asyncio", "psutil", "socket", "subprocess", "difflib", "dataclasses", "inspect", "cypcap", "hashlib"}
    ours = {"tui.bpf.hooks", "tui.bpf.extended", "tui.commands.running", "tui.collectors.samples"}
    assert not (slow | ours) & found
