"""What this kernel can do, found by trying, agrees with what its version says; doctor prints it."""

import errno
import json
import os

import pytest

from tests.kernel.probing import BPFSCOPE, run, run_as_nobody
from tui.bpf import features
from tui.bpf.features import Method
from tui.errors import NotPermitted, NotSupported


@pytest.mark.guest
def test_method_is_the_one_of_this_kernels_version() -> None:
    release = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))
    expected = Method.MULTI if release >= (6, 10) else Method.MULTI_FILTERED if release >= (6, 6) else Method.PERF_EVENT
    assert features.attach_method() is expected


@pytest.mark.guest
def test_everything_needed_works() -> None:
    found = features.probe()
    assert [feature.name for feature in found if feature.needed and not feature.works] == []
    assert all(feature.remedy for feature in found if not feature.works)


def test_doctor_prints_each_feature() -> None:
    done = run("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["name"] for row in rows] == [feature.name for feature in features.probe()]
    assert run("doctor").stdout.count("\n") >= len(rows)


def test_doctor_without_root_names_the_remedy() -> None:
    done = run_as_nobody(BPFSCOPE, "doctor")
    assert (done.returncode, done.stderr) == (3, "")
    assert "CAP_BPF" in done.stdout


def test_kernel_without_uprobes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("tui.bpf.kernel.program_load", refuse)
    monkeypatch.setattr("os.path.exists", lambda _path: False)
    with pytest.raises(NotSupported, match="CONFIG_UPROBE_EVENTS"):
        features.attach_method()


def test_user_who_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("tui.bpf.kernel.program_load", refuse)
    with pytest.raises(NotPermitted, match="CAP_BPF"):
        features.attach_method()
