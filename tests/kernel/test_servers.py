"""Processes as they are on servers: preloaded libraries, files mapped twice, other mount namespaces, hostile ones."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, counted, pick, resolve, run
from tests.targets.running import Running
from tui.bpf.features import Method
from tui.collectors.code import Codes
from tui.collectors.latency import LatencyProbe
from tui.collectors.probe import CountingProbe
from tui.elf import functions, lines, modules
from tui.errors import BinaryError

OWN = "mount --make-rprivate / && mount -t tmpfs own /mnt && "  # in a mount namespace of its own


def test_a_preloaded_library_is_the_one_that_is_called(start: Start, targets: Path, tmp_path: Path) -> None:
    preloaded = tmp_path / "libpreloaded.so"
    preloaded.write_bytes((targets / "libunequal.so").read_bytes())
    process = start("/usr/bin/env", f"LD_PRELOAD={preloaded}", targets / "uses-library")
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        for module in ("libpreloaded.so", "libunequal.so"):
            probe.add(pick(target, "outer", module=module))
        truth = process.work()
        sample = probe.read()
    found = {function.module: calls for function, calls in zip(sample.functions, sample.calls, strict=True)}
    assert found == {"libpreloaded.so": truth["outer"], "libunequal.so": 0}


def test_both_mappings_of_a_file_are_probed(start: Start, targets: Path, method: Method) -> None:
    process = start("twice", targets / "libunequal.so")
    target = resolve(process.pid)
    assert [module.name for module in target.modules].count("libunequal.so") == 1
    library = pick(target, "outer", "inner", module="libunequal.so")
    with CountingProbe(target) as counting, LatencyProbe(target) as timing:
        counting.add(library)
        timing.add(library)
        truth = process.work()
        assert counting.read().calls == (truth["outer"], truth["outer"])
        assert [one.returns for one in timing.read().latencies] == [truth["outer"]] * 2


def contained(start: Start, targets: Path, program: str, then: str = "") -> Running:
    """A target that runs from a file that only its own mount namespace has, at a path that leads elsewhere outside."""
    inside = f"{OWN} cp {targets / program} /mnt/{program} && {then} exec /mnt/{program}"
    return start("/usr/bin/unshare", "--mount", "sh", "-c", inside)


@pytest.mark.parametrize(
    ("program", "split"), [("plain-pie", ""), ("plain-static-pie", ""), ("plain-split", "plain-split.debug")]
)
def test_a_process_in_another_mount_namespace(start: Start, targets: Path, program: str, split: str) -> None:
    process = contained(start, targets, program, split and f"cp {targets / split} /mnt &&")
    assert not os.path.exists(f"/mnt/{program}")
    target = resolve(process.pid)
    assert target.modules[0].path == f"/mnt/{program}"
    alpha = pick(target, "alpha")
    assert [one.origin for one in alpha] == ["debug file" if split else "symtab"]
    (line,) = lines.of_functions(target.modules[0], alpha).values()
    assert line.file.endswith("plain.c")
    with Codes() as codes:
        assert codes.listing(target, alpha[0], functions.read(target.modules[0])).rows[0].source == line
    with Command(process.pid, "alpha") as command:
        truth = process.work()
        assert counted(command.finish(signal.SIGINT)) == {"alpha": truth["alpha"]}


def test_a_process_below_another_root(start: Start, targets: Path, tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes((targets / "plain-static").read_bytes())
    (tmp_path / "program").chmod(0o755)
    process = start("/usr/sbin/chroot", tmp_path, "/program")
    with Command(process.pid, "alpha") as command:
        truth = process.work()
        assert counted(command.finish(signal.SIGINT)) == {"alpha": truth["alpha"]}


def test_another_file_at_the_path_is_not_read(start: Start, targets: Path) -> None:
    """Its path was made a FIFO, which nobody would ever answer; and what lies there outside is another program."""
    process = contained(start, targets, "plain-pie")
    subprocess.run(
        ["nsenter", f"--mount=/proc/{process.pid}/ns/mnt", "sh", "-c", "rm /mnt/plain-pie; mkfifo /mnt/plain-pie"],
        check=True,
    )
    done = run("symbols", process.pid, "alpha", "--json")
    assert json.loads(done.stdout)["function"] == "alpha"
    row = next(json.loads(line) for line in run("ps", "--json").stdout.splitlines() if f'"pid": {process.pid},' in line)
    assert (row["deleted"], row["language"]) == (True, "c")
    with pytest.raises(OSError, match="No such device"):  # nobody has the FIFO open
        os.open(f"/proc/{process.pid}/root/mnt/plain-pie", os.O_WRONLY | os.O_NONBLOCK)
    with Command(process.pid, "alpha") as command:
        truth = process.work()
        assert counted(command.finish(signal.SIGINT)) == {"alpha": truth["alpha"]}


MAPS_A_DEVICE = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
mapped = mmap.mmap(fd, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_device_that_is_mapped_is_not_opened(start: Start, tmp_path: Path) -> None:
    device = tmp_path / "device"
    os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
    process = start(sys.executable, "-c", MAPS_A_DEVICE, device)
    found = next(module for module in modules.of_process(process.pid) if module.path == str(device))
    with pytest.raises(BinaryError, match="is not a regular file"):
        functions.read(found)
    done = run("symbols", process.pid, "PyObject_Call", "--module", "*")
    assert (done.returncode, "PyObject_Call" in done.stdout) == (0, True)
