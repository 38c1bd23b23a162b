"""The list of what is attached: everything that the test attaches is in it, and said to be where it is."""

import ctypes
import json
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute

from tests.kernel.attaching import NEXT, RETURN_1, Attaching
from tests.kernel.namespaces import Namespace, namespace
from tests.kernel.probing import wait_until
from tui.bpf import hooks, kernel
from tui.bpf.classic import listing, unpack
from tui.bpf.hooks import Hook
from tui.bpf.hooks.cgroup import root as cgroup_root
from tui.bpf.inventory import info
from tui.bpf.inventory.attachments import Attachment, by_program, read

CGROUP2 = Path(cgroup_root())
PASS = bytes.fromhex("b700000002000000" + "9500000000000000")  # XDP_PASS


@pytest.fixture
def made() -> Iterator[Attaching]:
    with Attaching() as attaching:
        yield attaching


@pytest.fixture
def inside() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture
def cgroup() -> Iterator[Path]:
    path = CGROUP2 / f"bpfscope-\033[31m-{os.getpid()}"
    path.mkdir()
    yield path
    path.rmdir()


def mine(*programs: int) -> list[Attachment]:
    """What this process holds of these programs; of all, where none is given."""
    found = read()
    assert not found.missing
    numbers = {kernel.program_id(each) for each in programs}
    return [each for each in found.attachments if each.ours and (not numbers or each.program in numbers)]


def places(found: list[Attachment]) -> set[tuple[str, str, str]]:
    return {(each.hook, each.where, each.detail) for each in found}


def bpftool(*words: str) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(["bpftool", "-j", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout, strict=False)  # it writes names as they are


def bpftool_net(inside: Namespace) -> Any:  # noqa: ANN401 - JSON
    command = ["nsenter", f"--net=/run/netns/{inside.name}", "bpftool", "-j", "net"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]


def index(inside: Namespace) -> int:
    return inside.run(socket.if_nametoindex, "here")


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
    assert places(found) == {
        ("iter", "task", ""),
        ("raw-tracepoint", "sched_switch", ""),
        ("tracepoint", "sched:sched_wakeup", "cookie 7"),
        ("tracepoint", "sched:sched_process_exit", ""),
        ("perf-event", "software:cpu-clock", "cookie 5"),
        ("perf-event", "", "1 event, of which the kernel doesn't tell more"),
    }
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


def test_uprobes(made: Attaching, tmp_path: Path) -> None:
    file, place = str(shutil.copy("/bin/true", tmp_path / "nobody\033runs")), 0x2000  # so any place will do
    shown = file.replace("\033", "␛")
    event, returns = kernel.uprobe_event(file, place + 64, -1), kernel.uprobe_event(file, place + 128, -1, returns=True)
    made.own(kernel.link_perf_event(made.program("kprobe"), made.own(event), 9))
    made.set_bpf(made.own(returns), made.program("kprobe"))
    multi = made.program("kprobe", "trace_uprobe_multi")
    for flags in (0, kernel.UPROBE_MULTI_RETURN):
        made.own(kernel.link_uprobe_multi(multi, file, [place, place + 16], [3, 0], os.getpid(), flags))
    found = mine()
    assert places(found) == {
        ("uprobe", f"{shown}+{place + 64:#x}", "cookie 9"),
        ("uretprobe", f"{shown}+{place + 128:#x}", ""),
        ("uprobe", f"{shown}+{place:#x}", "cookie 3"),
        ("uprobe", f"{shown}+{place + 16:#x}", ""),
        ("uretprobe", f"{shown}+{place:#x}", "cookie 3"),
        ("uretprobe", f"{shown}+{place + 16:#x}", ""),
    }
    assert {each.pid for each in found if each.program == kernel.program_id(multi)} == {os.getpid()}
    assert {each.file for each in found} == {file}
    told = {(each["fd_type"], each["offset"]) for each in bpftool("perf") if each["pid"] == os.getpid()}
    assert told == {("uprobe", place + 64), ("uretprobe", place + 128)}


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
        ("cgroup-device", where, "alone"),
        ("cgroup-inet4-connect", where, ""),
    }
    assert {each.cgroup for each in found} == {cgroup.stat().st_ino}
    tree = bpftool("cgroup", "tree", str(cgroup))[0]["programs"]
    theirs = {(each["id"], each["attach_type"]) for each in tree}
    assert {(each.program, each.hook.replace("-", "_")) for each in found} == theirs
    made.detach(legacy, target, "cgroup_device")
    assert {each.hook for each in mine(legacy)} == set()


def test_a_cgroup_that_was_removed(made: Attaching) -> None:
    path = CGROUP2 / f"bpfscope-removed-{os.getpid()}"
    path.mkdir()
    program = made.program("cgroup_skb", code=RETURN_1)
    target = os.open(path, os.O_RDONLY)
    made.link(program, target, "cgroup_inet_egress")
    os.close(target)
    path.rmdir()
    wait_until(lambda: mine(program)[0].where == "a cgroup that was removed", "the kernel takes it off")


def test_interfaces(made: Attaching, inside: Namespace) -> None:
    number = index(inside)
    tc, xdp = (
        made.program("sched_cls", code=NEXT),
        made.program("xdp", "xdp", PASS),
    )
    inside.run(made.link, tc, number, "tcx_egress")
    inside.run(made.link, tc, number, "tcx_ingress")
    legacy = made.program("sched_cls", code=NEXT)
    inside.run(made.attach, legacy, number, "tcx_ingress")
    inside.run(made.link, xdp, number, "xdp", kernel.XDP_GENERIC)
    with inside.run(partial(hooks.attach, Hook.TCX_EGRESS, number, tc, clsact=True)):
        found = inside.run(mine, tc, legacy, xdp)
        name = next(each.detail for each in found if each.hook == "tc-egress")
        assert name.startswith(f"filter bpfscope:{os.getpid()}:")
        assert places(found) == {
            ("tcx-egress", "here", ""),
            ("tcx-ingress", "here", "1 of 2"),
            ("tcx-ingress", "here", "2 of 2"),
            ("xdp", "here", "generic"),
            ("tc-egress", "here", name),
        }
        assert {each.program: each.link != 0 for each in found if each.hook == "tcx-ingress"} == {
            kernel.program_id(tc): True,
            kernel.program_id(legacy): False,
        }
        told = bpftool_net(inside)
        assert {(each["devname"], each["id"]) for each in told["xdp"]} == {("here", kernel.program_id(xdp))}
        assert {each["id"] for each in told["tc"]} <= {kernel.program_id(tc), kernel.program_id(legacy)}
        # From here they are somewhere else, whatever our interface of that number is.
        outside = mine(tc, xdp)
        elsewhere = f"interface {number} of another network namespace"
        assert {(each.hook, each.where) for each in outside} == {
            (hook, elsewhere) for hook in ("tcx-egress", "tcx-ingress", "xdp")
        }
    inside.run(made.detach, legacy, number, "tcx_ingress")


def test_the_same_number_and_program_in_two_namespaces(made: Attaching, inside: Namespace) -> None:
    program = made.program("sched_cls", code=NEXT)
    xdp = made.program("xdp", "xdp", PASS)
    with namespace() as other:
        number = index(inside)
        assert index(other) == number
        links = {each: each.run(made.link, program, number, "tcx_ingress") for each in (inside, other)}
        for each in (inside, other):
            each.run(made.link, xdp, number, "xdp", kernel.XDP_GENERIC)
        for each, link in links.items():
            found = {one.link: one.where for one in each.run(mine, program)}
            own = struct.unpack_from("4xI", kernel.info(link, 16))[0]
            assert found.pop(own) == "here"
            assert list(found.values()) == [f"interface {number} of another network namespace"]
            assert {one.where for one in each.run(mine, xdp)} == {
                f"here, or interface {number} of another network namespace"
            }


def test_classic_filters_of_traffic_control(inside: Namespace) -> None:
    run = ["nsenter", f"--net=/run/netns/{inside.name}", "tc"]
    subprocess.run([*run, "qdisc", "add", "dev", "here", "clsact"], check=True)
    words = ["filter", "add", "dev", "here", "ingress", "prio", "7", "bpf", "bytecode", "1,6 0 0 0,", "da"]
    subprocess.run([*run, *words], check=True)
    found = [each for each in inside.run(read).attachments if each.where == "here"]
    assert [(each.hook, each.program, each.instructions.hex()) for each in found] == [
        ("tc-ingress", 0, "0600000000000000")
    ]
    assert "priority 7" in found[0].detail


def test_the_filter_of_tcpdump(inside: Namespace) -> None:
    command = ["nsenter", f"--net=/run/netns/{inside.name}", "tcpdump", "-i", "here", "tcp and port 22"]
    listed = subprocess.run([*command, "-d"], capture_output=True, text=True, check=True).stdout
    with subprocess.Popen([*command, "-w", "/dev/null"], stderr=subprocess.PIPE) as tcpdump:
        assert tcpdump.stderr
        try:
            assert b"listening on here" in tcpdump.stderr.readline()
            found = [each for each in inside.run(read).attachments if tcpdump.pid in each.pids]
        finally:
            tcpdump.terminate()
    assert [(each.hook, each.where, each.program) for each in found] == [("socket", "here", 0)]
    assert listing(unpack(found[0].instructions)) == listed.splitlines()


def test_sockets_with_ebpf(made: Attaching) -> None:
    program = made.program("socket_filter", code=RETURN_1, name="sockets")
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 65535))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as classic,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets,
    ):
        classic.bind(("127.0.0.1", 0))
        classic.setsockopt(socket.SOL_SOCKET, kernel.SO_ATTACH_FILTER, struct.pack("H6xQ", 1, ctypes.addressof(code)))
        packets.setsockopt(socket.SOL_SOCKET, kernel.SO_ATTACH_BPF, program)
        found = [each for each in mine() if each.hook == "socket"]
        assert {each.where: each.instructions for each in found} == {
            "all interfaces": b"",
            f"UDP socket 127.0.0.1:{classic.getsockname()[1]}": code.raw[:8],
        }
        extended = next(each for each in found if not each.instructions)
        assert "eBPF" in extended.detail
        assert extended.program in {0, kernel.program_id(program)}


def test_network_namespaces_and_sockmaps(made: Attaching, inside: Namespace) -> None:
    with open(f"/run/netns/{inside.name}", "rb") as opened:
        lookup, dissector = (
            made.program("sk_lookup", "sk_lookup", RETURN_1),
            made.program("flow_dissector", "flow_dissector"),
        )
        inside.run(made.link, lookup, opened.fileno(), "sk_lookup")
        inside.run(made.link, dissector, opened.fileno(), "flow_dissector")
    netfilter = made.program("netfilter", "netfilter", RETURN_1)
    inside.run(made.link_with, netfilter, "netfilter", 2, 1, -7 & 0xFFFFFFFF, 0)
    sockets = made.own(kernel.map_create(15, 4, 4, 4, 0, "sockets"))
    verdict = made.program("sk_skb", "sk_skb_verdict")
    made.attach(verdict, sockets, "sk_skb_verdict")
    found = mine(lookup, dissector, netfilter, verdict)
    assert {(each.hook, each.detail) for each in found} == {
        ("sk-lookup", ""), ("flow-dissector", ""), ("netfilter", "priority -7"), ("sk-skb-verdict", ""),
    }  # fmt: skip
    where = {each.hook: each.where for each in found}
    assert where["netfilter"] == "ip input"
    assert where["sk-lookup"] == where["flow-dissector"] == f"network namespace {inside.name}"
    assert where["sk-skb-verdict"].startswith("sockets (map ")
    assert inside.run(mine, lookup)[0].where == "this network namespace"


def test_routes(made: Attaching, inside: Namespace) -> None:
    program = made.program("lwt_xmit", name="lwt_xmit")
    encapsulated = {"type": "bpf", "xmit": {"fd": program, "name": "by_hand"}}
    inside.run(_add_route, "198.51.100.0/24", encapsulated, index(inside))
    found = [each for each in inside.run(read).attachments if each.hook == "lwt-xmit"]
    assert [(each.where, each.ifindex) for each in found] == [("route to 198.51.100.0/24 by here", index(inside))]
    assert (found[0].program, found[0].name) in {(kernel.program_id(program), "lwt_xmit"), (0, "by_hand")}


def _add_route(destination: str, encapsulated: dict[str, Any], ifindex: int) -> None:
    with IPRoute() as route:
        route.route("add", dst=destination, encap=encapsulated, oif=ifindex)


def test_xdp_without_a_link(made: Attaching, inside: Namespace) -> None:
    program = made.program("xdp", "xdp", PASS)
    inside.run(_set_xdp, index(inside), program)
    found = inside.run(mine, program)
    told = bpftool_net(inside)["xdp"]
    modes = {"driver": "native", "generic": "generic"}
    assert places(found) == {("xdp", each["devname"], modes[each["mode"]]) for each in told}
    assert [(each.program, each.link) for each in found] == [(kernel.program_id(program), 0)]
    inside.run(_set_xdp, index(inside), -1)
    assert inside.run(mine, program) == []


def _set_xdp(ifindex: int, program: int) -> None:
    with IPRoute() as route:
        route.link("set", index=ifindex, xdp_fd=program, xdp_flags=kernel.XDP_GENERIC)


def test_by_program(made: Attaching) -> None:
    program = made.program("raw_tracepoint")
    for name in ("sched_switch", "sched_wakeup"):
        made.raw_tracepoint(program, name)
    found = by_program(read().attachments)[kernel.program_id(program)]
    assert [each.where for each in found] == ["sched_switch", "sched_wakeup"]
    assert {each.name for each in found} == {"raw_tracepoint"}
