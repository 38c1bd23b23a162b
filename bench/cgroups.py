"""The console while it shows 1,000 cgroups, 300 of them services that systemd counts; what our own counter takes."""

import os
import time

from bench import peers
from bench.console import Terminal, watch
from bench.measure import Bench, say
from bench.table import Row, megabytes, nanoseconds
from tests.kernel.control_groups import Groups
from tui.bpf import kernel
from tui.bpf.inventory import info
from tui.bpf.packets.by_cgroup import CgroupCounter

_CGROUPS, _SERVICES = 1_000, 300
_MEMORY, _CPU = 100e6, 5.0  # bytes, percent of a core
_PACKETS = 20_000
_LIMIT = 300.0  # ns a packet


def rows(bench: Bench) -> list[Row]:
    """Memory and CPU at 1 Hz; what a packet takes."""
    return [*_console(bench), *_counter()]


def _console(bench: Bench) -> list[Row]:
    say(f"the console with {_CGROUPS:,} cgroups")
    with Groups() as groups:
        for number in range(_SERVICES):
            service = groups.make(f"system.slice/unit{number}.service")
            groups.firewall(service, ["10.0.0.0/8", "127.0.0.0/8"], ["any"], accounting=True)
        for number in range(_CGROUPS - _SERVICES):
            groups.make(f"kubepods.slice/pod{number}")
        seconds = bench.runs(30, 10)
        with Terminal(bench, [peers.BPFSCOPE]) as terminal:
            terminal.wait("processes")
            terminal.keys("4")
            terminal.wait(f"{_SERVICES} with programs")
            time.sleep(bench.runs(5, 2))  # what starting left to do
            memory, cpu = watch(terminal.pid, seconds)
    what = f"console, {_CGROUPS:,} cgroups, {_SERVICES} services that systemd counts, 160×50, 1 Hz: resident"
    limit, runs = f"< {_MEMORY / 1e6:.0f} MB", f"{seconds} s"
    return [
        Row(what, megabytes(memory), limit=limit, runs=runs, kept=memory < _MEMORY),
        Row("console, cgroups: CPU, of one core", f"{cpu:.2f} %", limit=f"< {_CPU:g} %", runs=runs, kept=cpu < _CPU),
    ]


def _counter() -> list[Row]:
    """By the kernel's statistics of the programs, while they are on."""
    say("packets of a cgroup, counted")
    statistics = kernel.enable_statistics()
    try:
        with Groups() as groups:
            place = groups.make("a.service")
            with CgroupCounter(str(place)) as counter:
                groups.send(place, _PACKETS)
                ((_, seen),) = counter.read().items()
                ours = [each for each in info.programs() if each.id in counter.programs]
    finally:
        os.close(statistics)
    taken = sum(each.run_time_ns for each in ours) / sum(each.runs for each in ours)
    figures = f"{seen.rx_packets:,}, {seen.tx_packets:,}"
    exact = seen.rx_packets == seen.tx_packets == _PACKETS
    limit = f"< {_LIMIT:g} ns"
    return [
        Row(f"{_PACKETS:,} packets of a cgroup: counted in, out", figures, limit="all", kept=exact),
        Row("our counter: a packet, with statistics on", nanoseconds(taken), limit=limit, kept=taken < _LIMIT),
    ]
