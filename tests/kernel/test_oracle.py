"""Another tool, on the same calls at the same time, sees the same numbers.

Not in Go: it counts a function that grows its stack twice.
"""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kernel.probing import Command, counted
from tests.kernel.test_counts import PLAIN
from tests.targets.running import SECONDS

FUNCTIONS = ["alpha", "beta"]


@pytest.mark.skipif(not shutil.which("bpftrace"), reason="bpftrace is not installed")
@pytest.mark.parametrize("program", ["plain-pie", "plain-fixed", "plain-static"])
def test_bpftrace_counts_the_same(targets: Path, program: str) -> None:
    path = targets / program
    script = "".join(f'uprobe:{path}:"{name}" {{ @["{name}"] = count(); }} ' for name in FUNCTIONS)
    with Command(path, *FUNCTIONS) as command:
        bpftrace = ["bpftrace", "-c", str(path), "-e", script]
        done = subprocess.run(bpftrace, input="go\n", capture_output=True, text=True, timeout=SECONDS, check=False)
        ours = counted(command.finish(signal.SIGTERM))
    theirs = {name: int(number) for name, number in re.findall(r"^@\[(.+)\]: (\d+)$", done.stdout, re.MULTILINE)}
    assert ours == theirs == {name: number for name, number in PLAIN.items() if name in FUNCTIONS}
