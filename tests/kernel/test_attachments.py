"""What is attached to functions, tracepoints, cgroups and the kernel itself is listed, and said to be there."""

import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.attaching import RETURN_1, Attaching
from tests.kernel.attachments import bpftool, made, mine, places
from tests.kernel.probing import BPFSCOPE, Row, run, wait_until
from tests.targets.running import SECONDS
from tui.bpf import kernel
from tui.bpf.hooks.cgroup import root as cgroup_root
from tui.bpf.inventory import info
from tui.bpf.inventory.attachments import by_program, read
from tui.collectors.attachments import Attachments

__all__ = ["made"]
RELEASE = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))

LOADS = (
    "import sys, struct; from tui.bpf import kernel;"
    "code = struct.pack('=BBhi', 0xB7, 0, 0, 0) + struct.pack('=BBhi', 0x95, 0, 0, 0);"
    "fd = kernel.program_load(kernel.PROG_TYPE_PERF_EVENT, 0, code, 'other'); print(fd, flush=True); sys.stdin.read()"
)


@pytest.fixture
def cgroup() -> Iterator[Path]:
    path = Path(cgroup_root()) / f"bpfscope-\033[31m-{os.getpid()}"
    path.mkdir()
    yield path
    path.rmdir()


def test_tracing_of_the_kernel(made: Attaching) -> None:
    linked = [
        made.link(made.traced("trace_iter", "bpf_iter_task"), 0, "trace_iter"),
        made.raw_tracepoint(made.program("raw_tracepoint"), "sched_switch"),
        made.own(kernel.link_perf_event(made.program("tracepoint"), made.tracepoint_event("sched", "sched_wakeup"), 7)),
        made.own(kernel.link_perf_event(made.program("perf_event"), made.own(kernel.clock_event(0, 10**9)), 5)),
    ]
    made.set_bpf(made.tracepoint_event("sched", "sched_process_exit"), made.program("tracepoint", name="by_ioctl"))
    made.set_bpf(made.own(kernel.clock_event(0, 10**9)), made.program("perf_event"))
    found = mine()
    clock = "software:cpu-clock" if RELEASE >= (6, 6) else ""
    assert {(each.hook, each.where) for each in found} == {
        ("iter", "task"),
        ("raw-tracepoint", "sched_switch"),
        ("tracepoint", "sched:sched_wakeup"),
        ("tracepoint", "sched:sched_process_exit"),
        ("perf-event", clock),
        ("perf-event", ""),
    }
    assert "1 event, of which the kernel doesn't tell more" in {each.detail for each in found}
    assert RELEASE < (6, 9) or {"cookie 5", "cookie 7"} < {each.detail for each in found}
    theirs = {each["id"]: each.get("prog_id") for each in bpftool("link")}
    assert {each.link: each.program for each in found if each.link}.items() <= theirs.items()
    assert sum(each.link != 0 for each in found) == len(linked)
    told = {(each["fd_type"], each["tracepoint"]) for each in bpftool("perf") if each["pid"] == os.getpid()}
    assert told == {
        ("tracepoint", "sched_wakeup"),
        ("tracepoint", "sched_process_exit"),
        ("raw_tracepoint", "sched_switch"),
    }


def test_functions_of_the_kernel(made: Attaching) -> None:
    try:
        programs = [made.traced(attach, "do_nanosleep") for attach in ("trace_fentry", "trace_fexit")]
    except AssertionError:
        pytest.skip("this kernel attaches nothing to functions")
    for program in programs:
        made.raw_tracepoint(program)
    assert places(mine()) == {("fentry", "do_nanosleep", ""), ("fexit", "do_nanosleep", "")}


@pytest.mark.skipif(not Path("/sys/bus/event_source/devices/kprobe").exists(), reason="kprobes (CONFIG_KPROBES)")
def test_kprobes(made: Attaching) -> None:
    event = made.kprobe_event("do_nanosleep")
    made.own(kernel.link_perf_event(made.program("kprobe"), event, 0))
    made.set_bpf(made.kprobe_event("vfs_read"), made.program("kprobe"))
    expected = {("kprobe", "do_nanosleep"), ("kprobe", "vfs_read")}
    with contextlib.suppress(OSError):  # without fprobe
        made.kprobe_multi(made.program("kprobe", "trace_kprobe_multi"), "vfs_open", "vfs_write")
        if RELEASE >= (6, 6):
            expected |= {("kprobe", "vfs_open"), ("kprobe", "vfs_write")}
        else:
            expected.add(("kprobe", ""))
    assert {(each.hook, each.where) for each in mine()} == expected


def test_security_hooks(made: Attaching) -> None:
    try:
        program = made.traced("lsm_mac", "bpf_lsm_file_open", kind="lsm")
        made.raw_tracepoint(program)
    except (AssertionError, OSError):
        pytest.skip("this kernel attaches nothing to security hooks")
    assert places(mine()) == {("lsm", "file_open", "")}


@pytest.mark.parametrize("linked", [False, True])
def test_struct_ops(made: Attaching, *, linked: bool) -> None:
    try:
        registered = made.struct_ops("bpfscope", linked=linked)
    except OSError:
        pytest.skip("this kernel takes no struct_ops of that kind")
    try:
        number = info.Map.of(registered).id
        found = [each for each in read().attachments if each.hook == "struct-ops" and each.map == number]
        start = f"tcp_congestion_ops bpfscope (map {number}): "
        assert {each.where for each in found} == {start + name for name in ("ssthresh", "undo_cwnd", "cong_avoid")}
        assert {each.where.removeprefix(start): each.name for each in found}["ssthresh"] == "ssthresh"
        assert {each.link != 0 for each in found} == {linked}
        assert {each.detail for each in found} == {""}
    finally:
        if not linked:
            kernel.map_delete(registered, bytes(4))


@pytest.fixture
def program_file(tmp_path: Path) -> str:
    """A program that nobody runs, so that any place of it will do."""
    return str(shutil.copy("/bin/true", tmp_path / "nobody\033runs"))


def test_uprobes_by_perf_events(made: Attaching, program_file: str) -> None:
    place, shown = 0x2000, program_file.replace("\033", "␛")
    event, returns = (
        kernel.uprobe_event(program_file, place, -1),
        kernel.uprobe_event(program_file, place, -1, returns=True),
    )
    made.own(kernel.link_perf_event(made.program("kprobe"), made.own(event), 9))
    made.set_bpf(made.own(returns), made.program("kprobe"))
    found = mine()
    assert {(each.hook, each.where, each.link != 0) for each in found} == {
        ("uprobe", f"{shown}+{place:#x}", True),
        ("uretprobe", f"{shown}+{place:#x}", False),
    }
    assert {each.detail for each in found} <= {"cookie 9", ""}  # told since 6.9
    assert {(each.file, each.offset) for each in found} == {(program_file, place)}
    told = {(each["fd_type"], each["offset"]) for each in bpftool("perf") if each["pid"] == os.getpid()}
    assert told == {("uprobe", place), ("uretprobe", place)}


@pytest.mark.requires("uprobe_multi")
def test_uprobes_at_many_places(made: Attaching, program_file: str) -> None:
    place, shown = 0x2000, program_file.replace("\033", "␛")
    program = made.program("kprobe", "trace_uprobe_multi")
    for flags in (0, kernel.UPROBE_MULTI_RETURN):
        made.own(kernel.link_uprobe_multi(program, program_file, [place, place + 16], [3, 0], os.getpid(), flags))
    found = mine()
    assert places(found) == {
        (hook, f"{shown}+{place + behind:#x}", detail)
        for hook in ("uprobe", "uretprobe")
        for behind, detail in ((0, "cookie 3"), (16, ""))
    }
    assert {(each.pid, each.file) for each in found} == {(os.getpid(), program_file)}


def test_cgroups(made: Attaching, cgroup: Path) -> None:
    target = made.own(os.open(cgroup, os.O_RDONLY))
    where = "/" + cgroup.name.replace("\033", "␛")
    linked, legacy = made.program("cgroup_skb", code=RETURN_1), made.program("cgroup_device", code=RETURN_1)
    addresses = made.program("cgroup_sock_addr", "cgroup_inet4_connect", RETURN_1)
    made.link(linked, target, "cgroup_inet_egress")
    made.attach(legacy, target, "cgroup_device")
    made.attach(addresses, target, "cgroup_inet4_connect", 2)
    made.attach(linked, target, "cgroup_inet_ingress", 2)
    found = mine(linked, legacy, addresses)
    assert places(found) == {
        ("cgroup-inet-egress", where, ""),
        ("cgroup-inet-ingress", where, ""),
        ("cgroup-device", where, "exclusive"),
        ("cgroup-inet4-connect", where, ""),
    }
    assert {each.cgroup for each in found} == {cgroup.stat().st_ino}
    tree = bpftool("cgroup", "tree", str(cgroup))[0]["programs"]
    theirs = {(each["id"], each["attach_type"]) for each in tree}
    assert {(each.program, each.hook.replace("-", "_")) for each in found} == theirs
    made.detach(legacy, target, "cgroup_device")
    assert {each.hook for each in mine(legacy)} == set()


def test_a_cgroup_that_was_removed(made: Attaching) -> None:
    path = Path(cgroup_root()) / f"bpfscope-removed-{os.getpid()}"
    path.mkdir()
    program = made.program("cgroup_skb", code=RETURN_1)
    target = os.open(path, os.O_RDONLY)
    made.link(program, target, "cgroup_inet_egress")
    os.close(target)
    path.rmdir()
    wait_until(lambda: mine(program)[0].where == "a cgroup that was removed", "the kernel takes it off")


def test_a_pinned_link_is_held_by_its_name(made: Attaching, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "bpf", "bpf", tmp_path], check=True)
    try:
        with Attaching() as gone:
            link = gone.raw_tracepoint(gone.program("raw_tracepoint", name="pinned"), "sched_process_exit")
            number, name = struct.unpack_from("4xI", kernel.info(link, 8))[0], str(tmp_path / "kept")
            made.pin(link, name)
        row = next(each for each in Attachments().read().placed if number in each.links)
        assert (row.name, row.owners, row.pins) == ("pinned", (), (name,))
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def pids(row: Row) -> list[int]:
    return [each["pid"] for each in row["owner"]]


def test_the_command_lists_and_follows(made: Attaching) -> None:
    loaded = made.program("raw_tracepoint", name="listed")
    program = kernel.program_id(loaded)
    made.raw_tracepoint(loaded, "sched_process_exit")
    listed = [json.loads(line) for line in run("attached", "--program", program, "--json").stdout.splitlines()]
    assert [(each["hook"], each["where"], each["program"], each["name"]) for each in listed] == [
        ("raw-tracepoint", "sched_process_exit", program, "listed")
    ]
    assert pids(listed[0]) == [os.getpid()]
    command = [str(BPFSCOPE), "attached", "--where", "lo", "-i", "0.05", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stderr
        assert following.stdout
        try:
            for line in following.stderr:
                if "goes (-)" in line:
                    break
            tcpdump = subprocess.Popen(["tcpdump", "-i", "lo", "-w", "/dev/null", "udp"], stderr=subprocess.DEVNULL)
            rows = (row for row in map(json.loads, following.stdout) if tcpdump.pid in pids(row))
            came = next(rows)
            tcpdump.terminate()
            tcpdump.wait()
            went = next(rows)
            following.send_signal(signal.SIGINT)
            assert following.wait(SECONDS) == 0
        finally:
            following.kill()
    assert [each["change"] for each in (came, went)] == ["attached", "detached"]
    assert came["owner"] == went["owner"]
    assert [each["name"] for each in came["owner"]] == ["tcpdump"]
    assert came["instructions"] == went["instructions"]


def test_by_program(made: Attaching) -> None:
    program = made.program("raw_tracepoint")
    for name in ("sched_switch", "sched_wakeup"):
        made.raw_tracepoint(program, name)
    found = by_program(read().attachments)[kernel.program_id(program)]
    assert [each.where for each in found] == ["sched_switch", "sched_wakeup"]
    assert {each.name for each in found} == {"raw_tracepoint"}


def test_which_program_a_clock_has_of_which_the_kernel_tells_nothing(made: Attaching) -> None:
    """One that an ioctl set. Those that only other processes hold it isn't."""
    with subprocess.Popen([sys.executable, "-c", LOADS], stdin=-1, stdout=-1) as other:
        assert other.stdout
        other.stdout.readline()
        program = made.program("perf_event")
        made.set_bpf(made.own(kernel.clock_event(0, 10**9)), program)
        assert [(each.hook, each.program) for each in mine(program)] == [("perf-event", kernel.program_id(program))]
        other.kill()
