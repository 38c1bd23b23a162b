"""C of one's own at each kind of place, counted exactly; and nothing left of it, whichever way it ends."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.kernel.conftest import Start
from tests.kernel.loading import collected, from_text, table, written
from tests.kernel.network import Pair
from tests.kernel.probing import Command, gone, link_ids, program_ids, wait_until
from tui.bpf.hooks.cgroup import root
from tui.collectors.loaded import Loaded

pytestmark = pytest.mark.requires("compiling")

COUNT = """
BPF_HASH(calls, u32, u64);
int count(void *ctx)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	calls.atomic_increment(pid);
	return 0;
}
"""
PACKETS = """
BPF_ARRAY(packets, u64, 1);
int seen(struct CONTEXT *ctx) { packets.atomic_increment(0); return RETURN; }
"""


@pytest.mark.requires("process filter")
def test_uprobe_of_a_process(start: Start, tmp_path: Path) -> None:
    process, other = start("plain-pie"), start("plain-pie")
    with from_text(tmp_path, COUNT, f"uprobe:{process.pid}:alpha") as loaded:
        process.work()
        other.work()
        assert table(loaded, "calls") == {process.pid: 997}
        (program,) = loaded.read().programs
        assert (program.runs, program.place) == (997, f"uprobe:{process.pid}:alpha")
        assert program.run_time_ns > 0
        process.end()
        wait_until(lambda: loaded.read().ended, "the end of the process is told")


def test_uprobe_of_a_file_sees_all_processes(start: Start, targets: Path, tmp_path: Path) -> None:
    with from_text(tmp_path, COUNT, f"uprobe:{targets / 'plain-pie'}:beta") as loaded:
        processes = [start("plain-pie") for _ in range(2)]
        for process in processes:
            process.work()
        assert table(loaded, "calls") == {process.pid: 7919 for process in processes}


def test_uprobe_reads_arguments_and_uretprobe_results(start: Start, targets: Path, tmp_path: Path) -> None:
    source = """
#include <uapi/linux/ptrace.h>
BPF_HASH(given, u64, u64);
BPF_HASH(gave, u64, u64);
int entry(struct pt_regs *ctx) { u64 n = (u32)PT_REGS_PARM1(ctx); given.atomic_increment(n); return 0; }
int result(struct pt_regs *ctx) { u64 n = (u32)PT_REGS_RC(ctx); gave.atomic_increment(n); return 0; }
"""
    file = targets / "plain-pie"
    with from_text(tmp_path, source, f"entry=uprobe:{file}:alpha", f"result=uretprobe:{file}:alpha") as loaded:
        start("plain-pie").work()
        assert table(loaded, "given") == {1: 997}
        assert table(loaded, "gave") == {2: 997}


@pytest.mark.requires("process filter")
def test_usdt(start: Start, tmp_path: Path) -> None:
    process = start("usdt")
    with from_text(tmp_path, COUNT, f"usdt:{process.pid}:shop:asked") as loaded:
        assert process.work()["usdt:shop:asked"] == 29
        assert table(loaded, "calls") == {process.pid: 29}


@pytest.mark.requires("process filter")
def test_usdt_arguments(start: Start, tmp_path: Path) -> None:
    process = start("usdt")
    source = """
#include <uapi/linux/ptrace.h>
BPF_HASH(given, int, u64);
int count(struct pt_regs *ctx)
{
	int number = 0;
	bpf_usdt_readarg(1, ctx, &number);
	given.atomic_increment(number);
	return 0;
}
"""
    with from_text(tmp_path, source, f"usdt:{process.pid}:shop:asked") as loaded:
        process.work()
        assert table(loaded, "given") == {42: 29}


def test_tracepoint_and_raw_tracepoint(tmp_path: Path) -> None:
    source = COUNT + "RAW_TRACEPOINT_PROBE(sys_enter) { return 0; }\n"
    with from_text(tmp_path, source, "tracepoint:syscalls:sys_enter_getppid") as loaded:
        for _ in range(499):
            os.getppid()
        assert table(loaded, "calls")[os.getpid()] == 499
        count, raw = loaded.read().programs
        assert (count.place, raw.place) == ("tracepoint:syscalls:sys_enter_getppid", "raw:sys_enter")
        assert raw.runs >= 499


def test_perf_events(tmp_path: Path) -> None:
    with from_text(tmp_path, COUNT, "perf:cpu-clock:499hz") as loaded:
        busy = threading.Event()
        thread = threading.Thread(target=lambda: [None for _ in iter(busy.is_set, True)])
        thread.start()
        wait_until(lambda: table(loaded, "calls").get(os.getpid(), 0) > 41, "samples of this process")
        busy.set()
        thread.join()


@pytest.mark.requires("tcx")
@pytest.mark.parametrize(
    ("hook", "context", "value"),
    [("socket", "__sk_buff", 0), ("tcx-ingress", "__sk_buff", -1), ("xdp", "xdp_md", 2)],
)
def test_packets_of_an_interface(hook: str, context: str, value: int, tmp_path: Path) -> None:
    source = PACKETS.replace("CONTEXT", context).replace("RETURN", str(value))
    with Pair() as pair:
        with pair.right.entered():
            loaded = from_text(tmp_path, source, hook, target="right")
        with loaded:
            pair.left.send(997)
            assert table(loaded, "packets") == {0: 997}
            with pair.right.entered():
                assert loaded.read().ended == ""
                pair.right.run("ip", "link", "delete", "right")
                wait_until(lambda: loaded.read().ended == f"{hook}:right has gone", "that the interface has gone")


def test_packets_of_a_cgroup(tmp_path: Path) -> None:
    group = Path(root()) / f"bpfscope-test-{os.getpid()}"
    group.mkdir()
    sends = (  # the socket is of the cgroup that the process is in when it is made
        "import socket; input(); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "[s.sendto(b'x', ('127.0.0.1', 9)) for _ in range(499)]"
    )
    try:
        source = PACKETS.replace("CONTEXT", "__sk_buff").replace("RETURN", "1")
        with from_text(tmp_path, source, "cgroup", target=str(group)) as loaded:
            with subprocess.Popen(["python3", "-c", sends], stdin=subprocess.PIPE) as sender:
                (group / "cgroup.procs").write_text(str(sender.pid))
                sender.communicate(b"\n")
            assert table(loaded, "packets")[0] >= 499
        for target in (f"/{group.name}", group.name):  # as `bpfscope cgroups` takes them
            with from_text(tmp_path, source, "cgroup", target=target) as loaded:
                assert loaded.read().ended == ""
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the cgroup is empty")
        group.rmdir()


def test_events_of_all_kinds_with_their_types(tmp_path: Path) -> None:
    source = """
#include <linux/sched.h>
enum what { ASKED, ANSWERED };
struct inner { u8 low : 4, high : 4; s64 number; };
struct event { u32 pid; enum what what; struct inner inner[2]; char comm[TASK_COMM_LEN]; };
struct other { u64 pid; u64 nothing; };
BPF_PERF_OUTPUT(first);
BPF_RINGBUF_OUTPUT(second, 8);
TRACEPOINT_PROBE(syscalls, sys_enter_getppid)
{
	struct event event = {.pid = bpf_get_current_pid_tgid() >> 32, .what = ANSWERED};
	event.inner[1].high = 7;
	event.inner[1].number = -3;
	bpf_get_current_comm(&event.comm, sizeof(event.comm));
	first.perf_submit(args, &event, sizeof(event));
	struct other *sent = second.ringbuf_reserve(sizeof(struct other));
	if (!sent)
		return 0;
	sent->pid = event.pid;
	sent->nothing = 0;
	second.ringbuf_submit(sent, 0);
	bpf_trace_printk("pid %d says %s\\n", event.pid, event.comm);
	return 0;
}
"""
    with from_text(tmp_path, source) as loaded:
        for _ in range(101):
            os.getppid()
        events = [each for each in loaded.events() if str(os.getpid()) in str(each.value)]
        comm = Path("/proc/thread-self/comm").read_text().strip()
    by = {name: [each for each in events if each.table == name] for name in ("first", "second", "bpf_trace_printk")}
    assert {name: len(found) for name, found in by.items()} == dict.fromkeys(by, 101)
    nothing = {"low": 0, "high": 0, "number": 0}
    assert by["first"][0].value == {
        "pid": os.getpid(),
        "what": "ANSWERED",
        "inner": [nothing, {"low": 0, "high": 7, "number": -3}],
        "comm": comm,
    }
    assert by["first"][0].pid == os.getpid()
    assert by["second"][0].value == {"pid": os.getpid(), "nothing": 0}
    assert by["bpf_trace_printk"][0].value == f"pid {os.getpid()} says {comm}"
    times = [each.time_ns for each in by["first"]]
    assert times == sorted(times)


def test_kernel_types_have_their_members_where_the_kernel_has_them(tmp_path: Path) -> None:
    source = """
#include <linux/sched.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
struct said { u32 parent; u32 tgid; u32 namespace; u64 start; char comm[TASK_COMM_LEN]; };
BPF_RINGBUF_OUTPUT(out, 8);
TRACEPOINT_PROBE(syscalls, sys_enter_getppid)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct said *said = out.ringbuf_reserve(sizeof(struct said));
	if (!said)
		return 0;
	said->parent = task->real_parent->tgid;
	said->tgid = task->tgid;
	said->namespace = task->nsproxy->pid_ns_for_children->ns.inum;
	said->start = task->start_boottime;
	bpf_probe_read_kernel_str(&said->comm, sizeof(said->comm), task->group_leader->comm);
	out.ringbuf_submit(said, 0);
	return 0;
}
"""
    with from_text(tmp_path, source) as loaded:
        os.getppid()
        (event,) = collected(loaded, lambda event: event["tgid"] == os.getpid(), 1)
    ticks = int(Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19])
    assert event["parent"] == os.getppid()
    assert event["namespace"] == os.stat("/proc/self/ns/pid").st_ino
    assert event["start"] // 10_000_000 == ticks
    assert event["comm"] == Path("/proc/self/comm").read_text().strip()


def test_histograms_are_told(tmp_path: Path) -> None:
    source = """
// show sizes: bytes
BPF_HISTOGRAM(sizes);
TRACEPOINT_PROBE(syscalls, sys_enter_write)
{
	if (args->fd == 77) sizes.atomic_increment(bpf_log2l(args->count));
	return 0;
}
"""
    path = written(tmp_path, source)
    pipe = os.pipe()
    os.dup2(pipe[1], 77)
    with Command(path, name="load") as command:
        for size in [1] * 5 + [2] * 7 + [3] * 11 + [1000] * 13:
            os.write(77, bytes(size))
            os.read(pipe[0], 4096)
        summary = command.finish(signal.SIGINT)
    for fd in (77, *pipe):
        os.close(fd)
    ((sizes,),) = [each["histograms"] for each in summary["maps"]]
    full = [bucket for bucket in sizes["buckets"] if bucket[2]]
    assert full == [[0, 2, 5], [2, 4, 18], [512, 1024, 13]]


@pytest.mark.requires("process filter")
def test_json_of_the_command(start: Start, tmp_path: Path) -> None:
    process = start("plain-pie")
    path = written(tmp_path, COUNT)
    with Command(path, "--hook", f"uprobe:{process.pid}:alpha", name="load") as command:
        assert command.attached["attached"] == 1
        assert command.attached["programs"][0]["hook"] == f"uprobe:{process.pid}:alpha"
        process.work()
        process.end()
        summary = command.finish()
    assert summary["ended"]
    assert summary["programs"][0]["runs"] == 997
    (calls,) = summary["maps"]
    assert (calls["name"], calls["entries"]) == ("calls", [{"key": process.pid, "value": 997}])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left(number: signal.Signals, tmp_path: Path) -> None:
    source = COUNT + 'TRACEPOINT_PROBE(sched, sched_switch) { bpf_trace_printk("x"); return 0; }\n'
    path = written(tmp_path, source)
    with Command(path, "--hook", "perf:page-faults", name="load") as command:
        programs, links = program_ids(command.process.pid), link_ids(command.process.pid)
        assert len(programs) >= 2
        assert links
        assert not gone(programs, links)
        command.process.send_signal(number)
        command.process.communicate(timeout=60)
    wait_until(lambda: gone(programs, links), "programs and links gone")


def test_what_is_closed_leaves_no_descriptor(tmp_path: Path) -> None:
    files = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with from_text(tmp_path, COUNT, "perf:page-faults") as loaded:
            assert isinstance(loaded, Loaded)
    assert len(os.listdir("/proc/self/fd")) == files
