"""What is attached to interfaces, sockets, routes and network namespaces; those of other namespaces are never ours."""

import ctypes
import os
import socket
import struct
import subprocess
from functools import partial
from typing import Any

import pytest
from pyroute2 import IPRoute

from tests.kernel.attaching import NEXT, RETURN_1, Attaching
from tests.kernel.attachments import bpftool_net, index, inside, made, mine, places
from tests.kernel.namespaces import Namespace, namespace
from tui.bpf import hooks, kernel
from tui.bpf.classic import listing, unpack
from tui.bpf.hooks import Hook
from tui.bpf.inventory.attachments import read

__all__ = ["inside", "made"]
PASS = bytes.fromhex("b700000002000000" + "9500000000000000")  # XDP_PASS


@pytest.mark.requires("tcx")
def test_tcx(made: Attaching, inside: Namespace) -> None:
    number = index(inside)
    linked, legacy = made.program("sched_cls", code=NEXT), made.program("sched_cls", code=NEXT)
    inside.run(made.link, linked, number, "tcx_egress")
    inside.run(made.link, linked, number, "tcx_ingress")
    inside.run(made.attach, legacy, number, "tcx_ingress")
    found = inside.run(mine, linked, legacy)
    assert {(each.hook, each.where, each.program, each.link != 0, each.detail) for each in found} == {
        ("tcx-egress", "here", kernel.program_id(linked), True, ""),
        ("tcx-ingress", "here", kernel.program_id(linked), True, "1 of 2"),
        ("tcx-ingress", "here", kernel.program_id(legacy), False, "2 of 2"),
    }
    # From here they are somewhere else, whatever our interface of that number is; without a link nothing tells of them.
    assert {(each.hook, each.where) for each in mine(linked, legacy)} == {
        (hook, f"interface {number} of another network namespace") for hook in ("tcx-egress", "tcx-ingress")
    }
    inside.run(made.detach, legacy, number, "tcx_ingress")


def test_clsact_and_xdp(made: Attaching, inside: Namespace) -> None:
    number = index(inside)
    tc, xdp = made.program("sched_cls", code=NEXT), made.program("xdp", "xdp", PASS)
    inside.run(made.link, xdp, number, "xdp", kernel.XDP_GENERIC)
    with inside.run(partial(hooks.attach, Hook.TCX_EGRESS, number, tc, clsact=True)):
        found = inside.run(mine, tc, xdp)
        detail = next(each.detail for each in found if each.hook == "tc-egress")
        assert detail.startswith(f"filter bpfscope:{os.getpid()}:")
        assert places(found) == {("xdp", "here", "generic"), ("tc-egress", "here", detail)}
        told = bpftool_net(inside)
        assert {(each["devname"], each["id"]) for each in told["xdp"]} == {("here", kernel.program_id(xdp))}
        assert {each["id"] for each in told["tc"]} == {kernel.program_id(tc)}
        elsewhere = f"interface {number} of another network namespace"
        assert {(each.hook, each.where) for each in mine(tc, xdp)} == {("xdp", elsewhere)}


@pytest.mark.requires("tcx")
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
    sockets = made.own(kernel.map_create(15, 4, 4, 4, 0, "sockets"))
    verdict = made.program("sk_skb", "sk_skb_verdict")
    made.attach(verdict, sockets, "sk_skb_verdict")
    found = mine(lookup, dissector, verdict)
    where = {each.hook: each.where for each in found}
    assert where["sk-lookup"] == where["flow-dissector"] == f"network namespace {inside.name}"
    assert where["sk-skb-verdict"].startswith("sockets (map ")
    assert inside.run(mine, lookup)[0].where == "this network namespace"


@pytest.mark.requires("netfilter links")
def test_netfilter(made: Attaching, inside: Namespace) -> None:
    program = made.program("netfilter", "netfilter", RETURN_1)
    inside.run(made.link_with, program, "netfilter", 2, 1, -7 & 0xFFFFFFFF, 0)
    assert places(mine(program)) == {("netfilter", "ip input", "priority -7")}


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


def test_what_cannot_be_read_is_named_and_the_rest_is_listed(
    made: Attaching, inside: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.raw_tracepoint(made.program("raw_tracepoint", name="still_there"), "sched_process_exit")

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("tui.bpf.inventory.attachments.Conversation", refused)
    monkeypatch.setattr("tui.bpf.inventory.at_sockets.Conversation", refused)
    found = inside.run(read)
    assert [each.partition(":")[0] for each in found.missing][:2] == ["interfaces", "filters of interfaces"]
    assert "sockets: Operation not permitted" in found.missing
    assert "still_there"[:15] in {each.name for each in found.attachments}
