"""Attachments for the screens: those of a small server."""

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable
from typing import Any

from tui.collectors.attachment_samples import AttachmentsSample, Owner, Placed, kind_of

CILIUM = Owner(1811, "cilium-agent", "docker 3f2a9c1b4d5e")
TCPDUMP, SYSTEMD = Owner(3190, "tcpdump"), Owner(1, "systemd")
TCP_PORT_22 = b"".join(
    struct.pack("HBBI", *fields)
    for fields in (
        *((0x28, 0, 0, 12), (0x15, 0, 9, 0x800), (0x30, 0, 0, 23), (0x15, 0, 7, 6), (0x28, 0, 0, 20)),
        *((0x45, 5, 0, 0x1FFF), (0xB1, 0, 0, 14), (0x48, 0, 0, 14), (0x15, 0, 2, 22), (0x06, 0, 0, 262144)),
        *((0x06, 0, 0, 262144), (0x06, 0, 0, 0)),
    )
)

UPTIME = 20 * 86_400 * 10**9


def placed(hook: str, where: str, program: int = 0, name: str = "", **changes: object) -> Placed:
    """An attachment that nobody holds; `changes` replace its fields."""
    plain = Placed(hook, "", where, program, "", name, (), (), False, "")._replace(**changes)  # type: ignore[arg-type]
    loaded = UPTIME - (program * program % 991) ** 2 * 10**9 if program else 0
    return plain._replace(kind=kind_of(hook, plain.ifindex), loaded=plain.loaded or loaded)


ATTACHED = (
    placed("tc-ingress", "cilium_host", 131, "cil_to_host", type="sched_cls", detail="filter cil_to_host-cilium_host"
        ", priority 1, direct action", ifindex=4),
    placed("socket", "eth0", type="classic", owners=(TCPDUMP,), detail="packet socket", ifindex=2, inode=771,
        instructions=TCP_PORT_22, header="ethernet"),
    placed("tcx-ingress", "eth0", 128, "cil_from_netdev", type="sched_cls", owners=(CILIUM,), links=(41,), ifindex=2,
        detail="1 of 2"),
    placed("tcx-ingress", "eth0", 140, "bpfscope_filter", type="sched_cls", owners=(Owner(4410, "bpfscope"),),
        links=(57,), ifindex=2, detail="2 of 2", ours=True),
    placed("xdp", "interface 7 of another network namespace", 122, "", type="xdp", links=(39,), ifindex=7,
        pins=("/sys/fs/bpf/xdp/main",)),
    placed("cgroup-inet-egress", "/system.slice/nginx.service", 88, "sd_fw_egress", type="cgroup_skb", cgroup=2204,
        owners=(SYSTEMD,)),
    placed("cgroup-inet-ingress", "/system.slice/nginx.service", 89, "sd_fw_ingress", type="cgroup_skb", cgroup=2204,
        owners=(SYSTEMD,)),
    placed("cgroup-device", "/system.slice/postgresql@16-main.service", 91, "sd_devices", type="cgroup_device",
        cgroup=2971, detail="may be overridden below"),
    placed("uprobe", "/usr/bin/bash:readline+4", 160, "printret", type="kprobe", links=(61,), offset=0x31F44,
        file="/usr/bin/bash", owners=(Owner(2910, "bpftrace"),)),
    placed("uretprobe", "/usr/lib/x86_64-linux-gnu/libssl.so.3:SSL_read", 161, "ssl_read_exit", type="kprobe",
        links=(62,), offset=0x35A10, pid=1733, owners=(Owner(2912, "python3"), Owner(2913, "python3")),
        detail="cookie 9"),
    placed("raw-tracepoint", "sched_switch", 163, "runq", type="raw_tracepoint", links=(64,),
        owners=(Owner(2911, "runqlat"),)),
    placed("perf-event", "software:cpu-clock", 170, "sample", type="perf_event", links=tuple(range(70, 86)),
        owners=(Owner(4410, "bpfscope"),), ours=True),
    placed("tracepoint", "syscalls:sys_enter_openat", 162, "opens", type="tracepoint", links=(63,),
        owners=(Owner(2911, "opensnoop"),)),
    placed("socket", "UDP socket 0.0.0.0:67", owners=(Owner(700, "dhcpd"),), inode=90, pid=700,
        detail="eBPF, which program the kernel doesn't tell"),
    placed("netfilter", "ip input", 180, "nf_drop", type="netfilter", links=(66,), detail="priority -7"),
    placed("sk-lookup", "network namespace shop", 181, "steer", type="sk_lookup", links=(67,)),
)  # fmt: skip


class FakeAttachments:
    """The part of the sources that tells what is attached: what the test puts into `placed`."""

    def __init__(self) -> None:
        self.placed: tuple[Placed, ...] = ATTACHED
        self.unread: tuple[str, ...] = ()
        self.attachment_readings: asyncio.Queue[AttachmentsSample] | None = None
        super().__init__()

    def attach(self, time: float, rows: Iterable[Placed]) -> None:
        """Yield a reading; the clock starts at 1,000."""
        assert self.attachment_readings is not None
        self.placed = tuple(rows)
        self.attachment_readings.put_nowait(AttachmentsSample(1000 + time, self.placed, self.unread, UPTIME))

    async def attachments(self, interval: float) -> AsyncIterator[AttachmentsSample]:
        """One reading at once, then what `attach` was given."""
        fakes: Any = self
        fakes.intervals.append(interval)
        await fakes._answer("attachments")
        self.attachment_readings = asyncio.Queue()
        yield AttachmentsSample(1000.0, self.placed, self.unread, UPTIME)
        while True:
            yield await self.attachment_readings.get()
