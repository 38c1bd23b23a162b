"""`bpfscope packets` in a namespace where every packet is the test's own; and what else it says."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.kernel.network import Pair
from tests.kernel.probing import BPFSCOPE, Row, run, run_as_nobody
from tests.targets.running import SECONDS


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Pair() as made:
        yield made


class Packets:
    """The command, in the right namespace, attached; a context manager that ends it."""

    def __init__(self, pair: Pair, *words: str | Path) -> None:
        command = pair.right.command(BPFSCOPE, "packets", "right", *words)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def row(self) -> Row:
        assert self.process.stdout
        row: Row = json.loads(self.process.stdout.readline())
        return row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def test_intervals_and_the_summary(pair: Pair) -> None:
    hooks = ["--hook", "socket-ebpf", "--hook", "tcx-ingress", "--hook", "xdp", "--hook", "socket"]
    with Packets(pair, "udp", "port", "2", "--json", "-i", "0.05", *hooks) as packets:
        attached = packets.row()
        assert (attached["kind"], attached["attached"], attached["skipped"]) == ("attached", 4, [])
        pair.left.send(499, pair.left.frame(100))
        while {each["seen"] for each in packets.row()["filters"]} != {499}:
            pass
        packets.process.send_signal(signal.SIGTERM)
        rows = [json.loads(line) for line in packets.process.communicate(timeout=SECONDS)[0].splitlines()]
        assert packets.process.returncode == 0
    summary = rows[-1]
    assert (summary["kind"], summary["ended"]) == ("summary", None)
    assert [each["hook"] for each in summary["filters"]] == hooks[1::2]
    for each in summary["filters"]:
        assert (each["seen"], each["matched"], each["lost"], each["segments"]) == (499, 499, 0, 499)
        assert (each["bytes_seen"], each["bytes_matched"], each["filter"]) == (49_900, 49_900, "udp port 2")


def test_groups_hits_and_a_file(pair: Pair, tmp_path: Path) -> None:
    file = tmp_path / "some.pcap"
    with Packets(
        pair, "--by", "flow", "--hits", "--filter", "udp", "--filter", "tcp", "--json", "--pcap", file
    ) as packets:
        packets.row()
        pair.left.send(211)
        packets.process.send_signal(signal.SIGINT)
        *_, last = packets.process.communicate(timeout=SECONDS)[0].splitlines()
    udp, tcp = json.loads(last)["filters"]
    assert udp["groups"] == [{"key": "udp 10.0.0.1:1 → 10.0.0.2:2", "packets": 211, "bytes": 211 * 60}]
    assert (udp["others"], udp["by"]) == ({"packets": 0, "bytes": 0}, "flow")
    assert udp["hits"][0] == tcp["hits"][0] == 211
    assert tcp["matched"] == tcp["hits"][-2] == 0
    read = subprocess.run(["tcpdump", "-nr", str(file)], capture_output=True, text=True, check=True, timeout=SECONDS)
    assert read.stdout.count("IP 10.0.0.1.1 > 10.0.0.2.2: UDP") == 211


def test_the_table(pair: Pair) -> None:
    with Packets(pair, "--by", "dport", "-d", "0.4", "-i", "0.2") as packets:
        assert packets.process.stdout
        packets.process.stdout.readline()  # attached: the first interval is over
        pair.left.send(7)
        lines = packets.process.communicate(timeout=SECONDS)[0].splitlines()
    assert "right  socket-ebpf  everything             7             7" in "\n".join(lines)
    assert "              7     420 B  2" in lines


def test_the_interface_disappears() -> None:
    with Pair() as pair, Packets(pair, "--json") as packets:
        packets.row()
        pair.left.run("ip", "link", "delete", "left")
        *_, last = packets.process.communicate(timeout=SECONDS)[0].splitlines()
    assert json.loads(last)["ended"] == "right disappeared"


def test_nothing_stays_after_kill_9(pair: Pair) -> None:
    with Packets(pair, "--json", "--hook", "tcx-ingress", "--hook", "xdp", "--promisc") as packets:
        packets.row()
        assert "prog/xdp" in pair.right.run("ip", "link", "show", "dev", "right")
        packets.process.kill()
        packets.process.wait()
        pair.left.send(3)
    assert "xdp" not in pair.right.run("ip", "link", "show", "dev", "right")
    assert pair.right.link()["promiscuity"] == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nowhere"], 1, "there is no interface nowhere; there are lo"),
        (["lo", "tcp", "prot", "22"], 2, "^"),
        (["lo", "--hook", "socket", "--by", "src"], 2, "socket-ebpf"),
        (["lo", "--hook", "somewhere"], 2, "invalid choice"),
        (["lo", "--by", "colour"], 2, "invalid"),
        (["lo\x1b[31m"], 1, "lo␛[31m"),
    ],
)
def test_what_is_refused(words: list[str], status: int, said: str) -> None:
    done = run("packets", *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


def test_without_permission() -> None:
    done = run_as_nobody(BPFSCOPE, "packets", "lo")
    assert done.returncode == 3
    assert "CAP_" in done.stderr
