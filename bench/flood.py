"""A flood over a veth pair, as fast as one sender can: what each hook counts of it, and what tcpdump prints of it."""

import re
import subprocess
from pathlib import Path
from typing import Final

from bench import programs
from bench.measure import Bench, say
from bench.table import Row
from tests.kernel.network import Pair
from tui.bpf.expressions import Compiler, for_hook
from tui.bpf.hooks import Hook
from tui.bpf.packets.groups import By
from tui.collectors.interfaces import Interfaces
from tui.collectors.packets import PacketsProbe, Wish

_HOOKS: Final = (Hook.SOCKET, Hook.SOCKET_EBPF, Hook.TCX_INGRESS, Hook.XDP)
EXPRESSION: Final = "udp and port 2"


def rows(bench: Bench) -> list[Row]:
    """One for each hook, and one for tcpdump beside the same flood."""
    say("a flood over veth")
    number = bench.runs(2_000_003, 500_009)
    programs.sender(bench.folder)
    with Pair() as pair:
        found = [_hook(pair, hook, number, bench.folder) for hook in _HOOKS]
        return [*found, _tcpdump(pair, number, bench.folder)]


def _hook(pair: Pair, hook: Hook, number: int, folder: Path) -> Row:
    by = By.NOTHING if hook is Hook.SOCKET else By.FLOW
    with pair.right.entered(), Compiler() as compiler:
        with Interfaces() as reader:
            interface = next(each for each in reader.read().interfaces if each.ifindex == pair.right.number)
        program = compiler.compile(EXPRESSION, **for_hook(hook.value, interface.name)).program
        with PacketsProbe([Wish(interface, hook, EXPRESSION, program)], by) as probe:
            told = pair.left.flood(folder, number)
            (figures,) = probe.read().filters
    rate = f"{1e6 * number / told['ns']:,.0f} k/s"
    what = f"{number:,} packets at full rate, {hook.value}{' by flow' if by.value else ''}: matched"
    exact = figures.seen == figures.matched == number
    return Row(what, f"{figures.matched:,}", {}, None, "all", rate, exact)


def _tcpdump(pair: Pair, number: int, folder: Path) -> Row:
    """Its own words: what was captured, and what the kernel had no room for."""
    command = pair.right.command("tcpdump", "-n", "-l", "-i", pair.right.interface, "udp", "and", "port", "2")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None  # noqa: S101 - it is a pipe
        for line in running.stderr:
            if "listening on" in line:
                break
        pair.left.flood(folder, number)
        running.terminate()
        said = running.stderr.read()
    printed, dropped = (
        int(match[1]) if (match := re.search(rf"(\d+) packets? {word}", said)) else 0
        for word in ("captured", "dropped by kernel")
    )
    return Row(f"the same, tcpdump printing text: {printed:,} printed", f"{dropped:,} dropped", {}, None, "", "1")
