"""What a kernel test needs; where it isn't there, the test is skipped and says what was missing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.hooking import Counter
from tests.kernel.network import Pair
from tests.targets.fixtures import Start, start, targets
from tui.bpf.features import Method, attach_method

__all__ = ["Start", "start", "targets"]


def _preempt_full() -> bool:
    return "preempt=full" in Path("/proc/cmdline").read_text().split()


def _uprobe_multi() -> bool:
    return attach_method() is not Method.PERF_EVENT


def _pidfd_exit_status() -> bool:
    return _release() >= (6, 15)


def _x86() -> bool:
    return os.uname().machine == "x86_64"


def _compiling() -> bool:
    return "BPFSCOPE_GUEST" not in os.environ


def _release() -> tuple[int, ...]:
    return tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))


REQUIREMENTS: dict[str, tuple[Callable[[], bool], str]] = {
    "uprobe_multi": (_uprobe_multi, "uprobe_multi links (Linux 6.6)"),
    "pidfd exit status": (_pidfd_exit_status, "exit codes of reaped processes from their pidfd (Linux 6.15)"),
    "process filter": (lambda: _release() >= (6, 10), "the process filter of uprobe_multi links (Linux 6.10)"),
    "tcx": (lambda: _release() >= (6, 6), "tcx links (Linux 6.6)"),
    "netfilter links": (lambda: _release() >= (6, 4), "links to netfilter (Linux 6.4)"),
    "tun": (lambda: os.path.exists("/dev/net/tun"), "tun and tap interfaces (CONFIG_TUN)"),
    "x86-64": (_x86, "a target with instructions of x86-64"),
    "compiling": (_compiling, "a compiler that takes seconds: not in an emulated guest"),
    "speed": (_compiling, "the machine's own speed: not that of an emulated guest"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.geteuid() != 0:
        pytest.skip("root")
    if item.get_closest_marker("preempt_full") and not _preempt_full():
        pytest.skip("a kernel booted with preempt=full: scripts/kernels 6.12")
    for mark in item.iter_markers("requires"):
        for name in mark.args:
            there, words = REQUIREMENTS[name]
            if not there():
                pytest.skip(words)


@pytest.fixture(params=Method, ids=lambda method: method.name)
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Method:
    """Every way of attaching that this kernel has, for what opens a probe meanwhile."""
    chosen: Method = request.param
    if chosen is not Method.PERF_EVENT and not _uprobe_multi():
        pytest.skip("uprobe_multi links (Linux 6.6)")
    if chosen is Method.MULTI and _release() < (6, 10):
        pytest.skip("the process filter of uprobe_multi links (Linux 6.10)")
    for module in ("probe", "latency", "stacks", "calls"):
        monkeypatch.setattr(f"tui.collectors.{module}.attach_method", lambda: chosen)
    return chosen


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two network namespaces joined by a veth pair, in which nothing passes but what the test sends."""
    with Pair() as pair:
        yield pair


@pytest.fixture
def counter() -> Iterator[Counter]:
    """Counts packets, by the programs that it gives."""
    with Counter() as counter:
        yield counter
