"""What C of one's own keeps and sends, by its types, where these are hard to tell."""

import ctypes
import threading
from pathlib import Path

import pytest

from tests.kernel.loading import from_text

pytestmark = pytest.mark.requires("compiling")

OURS = "if ((u32)bpf_get_current_pid_tgid() != THREAD) return 0;"
FLOATS = """
struct key { u32 pid; char comm[4]; };
struct measured { u64 number; double real; float less; };
BPF_HASH(named, struct key, u64);
BPF_HASH(kept, u32, struct measured);
TRACEPOINT_PROBE(syscalls, sys_enter_getppid) {
	OURS
	struct key key = {};
	struct measured one = {};
	u32 zero = 0;
	u64 bits = 0x3ff8000000000000;
	one.number = 7;
	bpf_probe_read_kernel(&one.real, sizeof one.real, &bits);
	CALCULATES
	key.comm[0] = 'x';
	named.increment(key);
	kept.update(&zero, &one);
	return 0;
}
"""
TWO = """
struct first { u64 one, two; };
struct second { u32 three, four; u64 five; };
BPF_PERF_OUTPUT(sent);
TRACEPOINT_PROBE(syscalls, sys_enter_getppid) {
	OURS
	struct first event = {};
	struct second other = {};
	event.one = 5;
	other.three = 7;
	sent.perf_submit(args, &event, sizeof event);
	sent.perf_submit(args, &other, sizeof other);
	return 0;
}
"""


def ours(source: str) -> str:
    return source.replace("OURS", OURS).replace("THREAD", str(threading.get_native_id()))


def test_floats_do_not_hide_the_types_of_the_others(tmp_path: Path) -> None:
    with from_text(tmp_path, ours(FLOATS.replace("CALCULATES", ""))) as loaded:
        ctypes.CDLL(None).getppid()
        sample = loaded.read()
        named, kept = (sample.maps[sample.names.index(name)] for name in ("named", "kept"))
        assert named.entries[0].key == {"pid": 0, "comm": "x"}
        assert kept.entries[0].value == {"number": 7, "real": 1.5, "less": 0.0}
        assert loaded.notes == []


def test_calculating_with_floats_is_said(tmp_path: Path) -> None:
    with from_text(tmp_path, ours(FLOATS.replace("CALCULATES", "one.less = 2.5f;"))) as loaded:
        assert "no map and no event can be shown by its types" in " ".join(loaded.notes)


def test_of_two_types_of_one_size_none_is_taken_for_the_other(tmp_path: Path) -> None:
    with from_text(tmp_path, ours(TWO)) as loaded:
        ctypes.CDLL(None).getppid()
        first, second = [event.value for event in loaded.events()]
        assert isinstance(first, dict)
        assert isinstance(second, dict)
        assert list(first) == list(second) == ["struct first?", "struct second?"]
        assert first["struct first?"] == {"one": 5, "two": 0}
        assert second["struct second?"] == {"three": 7, "four": 0, "five": 0}
