"""Events of C of one's own in a flood: what is shown and what is said to be lost make up all that there were."""

import ctypes
import threading
from pathlib import Path

import pytest

from tests.kernel.loading import from_text
from tui.bpf.loading.source import PRINTED

pytestmark = pytest.mark.requires("compiling")

FLOOD = 50_021  # a prime number
TRUTH = """
BPF_ARRAY(truth, u64, 1);
static inline int ours(void) { return (u32)bpf_get_current_pid_tgid() == THREAD; }
struct event { u64 number; char text[80]; };
TRACEPOINT_PROBE(syscalls, sys_enter_getppid) {
	if (!ours()) return 0;
	truth.atomic_increment(0);
	SEND
	return 0;
}
"""
SENDS = {
    "output": ("BPF_RINGBUF_OUTPUT(sent, 1);", "struct event e = {}; sent.ringbuf_output(&e, sizeof e, 0);"),
    "reserve": (
        "BPF_RINGBUF_OUTPUT(sent, 1);",
        "struct event *e = sent.ringbuf_reserve(sizeof *e); if (!e) return 0; sent.ringbuf_submit(e, 0);",
    ),
    "perf": ("BPF_PERF_OUTPUT(sent);", "struct event e = {}; sent.perf_submit(args, &e, sizeof e);"),
    "large": ("BPF_RINGBUF_OUTPUT(sent, 2048);", "struct event e = {}; sent.ringbuf_output(&e, sizeof e, 0);"),
}


def source(name: str) -> str:
    declared, sends = SENDS[name]
    return declared + TRUTH.replace("THREAD", str(threading.get_native_id())).replace("SEND", sends)


def flood() -> None:
    getppid = ctypes.CDLL(None).getppid
    for _ in range(FLOOD):
        getppid()


@pytest.mark.parametrize("name", ["output", "reserve", "perf", "large"])
def test_shown_and_lost_are_all(name: str, tmp_path: Path) -> None:
    with from_text(tmp_path, source(name)) as loaded:
        flood()
        loaded.detach()
        shown = sum(map(len, loaded.rest()))
        sample = loaded.read()
        (truth,) = [entry.value for entry in sample.maps[0].entries]
        assert truth == FLOOD
        assert sample.seen == shown > 0
        assert shown + sample.lost == FLOOD
        if name == "large":
            assert shown == FLOOD


def test_lines_that_are_printed(tmp_path: Path) -> None:
    text = TRUTH.replace("THREAD", str(threading.get_native_id())).replace("SEND", 'bpf_trace_printk("flood\\\\n");')
    assert PRINTED not in text
    with from_text(tmp_path, text) as loaded:
        flood()
        loaded.detach()
        shown = sum(map(len, loaded.rest()))
        lost = loaded.read().lost
        assert shown + lost >= FLOOD  # others may print as well
