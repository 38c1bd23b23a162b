"""Cgroups: what is attached to them, what it allows and denies, and what has passed, against what is known."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kernel.control_groups import EGRESS, INGRESS, PASS, Groups, looked_up, rule
from tests.kernel.hooking import Counter
from tests.kernel.probing import wait_until
from tests.targets.running import SECONDS
from tui.bpf import kernel
from tui.bpf.hooks import Hook
from tui.bpf.inventory import at_cgroups, info, rules
from tui.bpf.packets.by_cgroup import CgroupCounter
from tui.collectors.cgroup_samples import Cgroup, Passed, Rule, effective
from tui.collectors.cgroups import Cgroups
from tui.errors import BpfscopeError, TargetError

HEADERS = 28  # bytes of IPv4 and UDP
COMMAND = Path(sys.executable).with_name("bpfscope")


@pytest.fixture
def groups() -> Iterator[Groups]:
    """A folder of cgroups of our own."""
    with Groups() as groups:
        yield groups


@pytest.fixture
def reader() -> Iterator[Cgroups]:
    with Cgroups(patience=0) as reader:
        yield reader


def number(place: Path) -> int:
    """A cgroup's number."""
    return place.stat().st_ino


def seen(reader: Cgroups, place: Path) -> Cgroup:
    """What is read of it now."""
    return next(one for one in reader.read().cgroups if one.id == number(place))


def read_anew(reader: Cgroups) -> None:
    """As after the time in which the rules of all programs are read again."""
    reader._due = 0.0
    reader._rules.clear()


def both(packets: int, size: int = 100) -> Passed:
    """So many packets over the loopback: they go out and come in."""
    return Passed(*(packets, packets * (size + HEADERS)) * 2)


def said(rules: tuple[Rule, ...]) -> list[str]:
    return [f"{one.verdict} {one.what}" for one in rules]


def command(*words: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [COMMAND, "cgroups", *words, "--json"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_service_of_systemd(groups: Groups, reader: Cgroups) -> None:
    service = groups.make("system.slice/web.service")
    allow = ["127.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "::1/128"]
    firewall = groups.firewall(service, allow, ["any"], accounting=True)
    groups.devices(service, ["c 1:3 rw", "c 136:* rwm", "b *:* m", "c 5:1 r"])
    assert groups.send(service, 997) == (997, 997)
    one = seen(reader, service)
    assert one.unit == "web.service"
    assert one.path == f"/{groups.name}/system.slice/web.service"
    assert one.systemd == one.passed == both(997)
    assert one.counted is None
    assert sorted(said(one.rules)) == sorted([*(f"allow {each}" for each in allow), "deny any"])
    assert [(each.hook, each.name, each.flags, each.link) for each in one.programs] == [
        ("cgroup-inet-ingress", "sd_fw_ingress", "multi", 0),
        ("cgroup-inet-egress", "sd_fw_egress", "multi", 0),
        ("cgroup-device", "sd_devices", "multi", 0),
    ]
    assert one.programs[0].id == kernel.program_id(firewall.ingress)
    devices = one.programs[2].rules
    assert said(devices.rules) == ["allow char 1:3 rw", "allow char 136:* rwm", "allow block *:* m", "allow char 5:1 r"]
    assert devices.otherwise == "deny"
    groups.send(service, 31, 7)
    assert seen(reader, service).systemd == both(997).plus(both(31, 7))


def test_what_is_denied_does_not_pass_and_is_not_counted(groups: Groups, reader: Cgroups) -> None:
    service = groups.make("a.service")
    groups.firewall(service, [], ["127.0.0.0/8"], accounting=True)
    assert groups.send(service, 13, lossy=True) == (0, 0)
    one = seen(reader, service)
    assert one.systemd == Passed()
    assert said(one.rules) == ["deny 127.0.0.0/8"]
    assert one.programs[0].rules.otherwise == "allow"


@pytest.mark.parametrize(
    ("allow", "deny", "rules", "passes"),
    [
        ([], ["any"], ["deny any"], False),
        (["any"], ["127.0.0.0/8"], ["allow any", "deny 127.0.0.0/8"], True),
        (["127.0.0.1/32"], ["127.0.0.0/8"], ["allow 127.0.0.1/32", "deny 127.0.0.0/8"], True),
        (["::/0"], ["0.0.0.0/0"], ["allow ::/0", "deny 0.0.0.0/0"], False),
        ([], [], [], True),
    ],
)
@pytest.mark.parametrize("names", [("sd_fw_ingress", "sd_fw_egress"), ("", "")], ids=["named", "before 250"])
def test_rules(
    groups: Groups, reader: Cgroups, allow: list[str], deny: list[str], rules: list[str], passes: bool,
    names: tuple[str, str],
) -> None:  # fmt: skip
    service = groups.make("a.service")
    groups.firewall(service, allow, deny, accounting=True, names=names)
    sent, came = groups.send(service, 7, lossy=True)
    assert (sent, came) == ((7, 7) if passes else (0, 0))
    one = seen(reader, service)
    assert said(one.rules) == rules
    assert one.systemd == (both(7) if passes else Passed())


def test_a_firewall_that_counts_nothing_and_one_of_somebody_else(groups: Groups, reader: Cgroups) -> None:
    service = groups.make("a.service")
    groups.firewall(service, ["10.0.0.0/8"], ["any"])
    other = groups.make("b")
    groups.attach(other, groups.passing(""), INGRESS)
    assert seen(reader, service).systemd is None
    assert said(seen(reader, service).rules) == ["allow 10.0.0.0/8", "deny any"]
    assert seen(reader, other).rules == ()
    assert seen(reader, other).programs[0].name == ""


def test_ports_and_interfaces(groups: Groups, reader: Cgroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_in_systemds_namespace", lambda: True)
    service = groups.make("a.service")
    allow = [rule(family=2, protocol=6, ports=11, first=8000), rule(family=10, ports=1, first=9), rule(protocol=17)]
    groups.binding(service, allow, [rule()])
    groups.interfaces(service, [1, 4_000_000], allowing=True)
    other = groups.make("b.service")
    groups.binding(other, [], [rule(protocol=132, ports=1, first=53)])
    groups.interfaces(other, [4_000_000], allowing=False)
    programs = {each.name: each.rules for each in seen(reader, service).programs}
    assert said(programs["sd_bind4"].rules) == ["allow IPv4 tcp 8000-8010", "allow udp", "deny any"]
    assert said(programs["sd_restrictif_i"].rules) == ["allow lo", "allow interface 4000000"]
    assert programs["sd_restrictif_i"].otherwise == "deny"
    programs = {each.name: each.rules for each in seen(reader, other).programs}
    assert said(programs["sd_bind4"].rules) == ["deny protocol 132 53"]
    assert programs["sd_bind4"].otherwise == "allow"
    assert said(programs["sd_restrictif_i"].rules) == ["deny interface 4000000"]
    assert programs["sd_restrictif_i"].otherwise == "allow"
    monkeypatch.setattr(rules, "_in_systemds_namespace", lambda: False)
    read_anew(reader)
    programs = {each.name: each.rules for each in seen(reader, service).programs}
    assert said(programs["sd_restrictif_i"].rules) == ["allow interface 1", "allow interface 4000000"]


def test_maps_of_another_form_than_their_names_say_are_left_alone(groups: Groups, reader: Cgroups) -> None:
    """Values per CPU are longer than one value: reading them as one would write beyond the buffer."""
    place = groups.make("a")
    maps = {"per cpu": kernel.map_create(kernel.MAP_TYPE_PERCPU_ARRAY, 4, 12, 4, 0, "sd_bind_allow")}
    try:
        program = groups.load(kernel.PROG_TYPE_CGROUP_SOCK_ADDR, [*looked_up("per cpu"), *PASS], "sd_bind4", maps, 8)
        groups.attach(place, program, 8)
    finally:
        os.close(maps["per cpu"])
    assert seen(reader, place).programs[0].rules.rules == ()


def test_ours_counts_to_the_packet_as_two_others_do(groups: Groups, reader: Cgroups, counter: Counter) -> None:
    service = groups.make("a.slice/b.service")
    sibling = groups.make("a.slice/c.service")
    outside = groups.make("d.service")
    groups.firewall(service, ["any"], [], accounting=True)
    for hook in (INGRESS, EGRESS):
        groups.link(groups.folder / "a.slice", counter.program(Hook.CGROUP), hook)
    reader.read()
    reader.count(number(groups.folder / "a.slice"))
    assert groups.send(service, 997) == (997, 997)
    groups.send(sibling, 101, 33)
    groups.send(outside, 11)
    above, below = seen(reader, groups.folder / "a.slice"), seen(reader, service)
    assert below.counted
    assert below.counted.passed == below.systemd == both(997)
    assert not below.counted.here
    assert above.counted
    assert above.counted.here
    assert above.counted.passed == both(997).plus(both(101, 33))
    assert counter.count() == 2 * (997 + 101)
    assert seen(reader, sibling).passed == both(101, 33)
    assert seen(reader, outside).counted is None
    reader.stop(number(groups.folder / "a.slice"))
    assert seen(reader, service).counted is None
    assert "bpfscope_cgroup" not in {each.name for each in seen(reader, groups.folder / "a.slice").programs}


def test_connections_are_counted_as_systemd_does(groups: Groups, reader: Cgroups) -> None:
    """Packets of sockets that are not yet, or no longer, whole: SYNs and their answers, those in TIME_WAIT, resets."""
    service = groups.make("a.slice/b.service")
    groups.firewall(service, [], [], accounting=True)
    reader.read()
    reader.count(number(groups.folder / "a.slice"))
    groups.talk(service, 1_000_003)
    one, above = seen(reader, service), seen(reader, groups.folder / "a.slice")
    assert one.counted
    assert above.counted
    assert one.counted.passed == above.counted.passed == one.systemd
    assert one.systemd.rx_bytes > 3_000_009


def test_many_at_once_are_counted_to_the_packet(groups: Groups, reader: Cgroups) -> None:
    places = [groups.make(f"a.slice/{name}.service") for name in "bcde"]
    for place in places:
        groups.firewall(place, [], [], accounting=True)
    reader.read()
    reader.count(number(groups.folder / "a.slice"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda place: groups.send(place, 4_999, 33), places * 2))
    sample = reader.read()
    found = {one.id: one for one in sample.cgroups}
    for place in places:
        one = found[number(place)]
        assert one.counted
        assert one.counted.passed == one.systemd == both(2 * 4_999, 33)
    above = found[number(groups.folder / "a.slice")].counted
    assert above
    assert above.passed == both(8 * 4_999, 33)
    assert sample.lost == 0


def test_a_nearer_counter_and_a_cgroup_that_ends_meanwhile(groups: Groups, reader: Cgroups) -> None:
    above, below = groups.make("a"), groups.make("a/b")
    reader.read()
    reader.count(number(above))
    groups.send(below, 5)
    reader.read()
    reader.count(number(below))
    groups.send(below, 7)
    assert [each.counted.passed for each in (seen(reader, above), seen(reader, below)) if each.counted] == [
        both(12),
        both(7),
    ]
    groups.remove(below)
    after = seen(reader, above)
    assert after.counted
    assert after.counted.passed == both(12)
    with pytest.raises(TargetError, match="has ended"):
        reader.count(1 << 60)


def test_what_the_firewall_denied_while_ours_counted(groups: Groups, reader: Cgroups) -> None:
    service = groups.make("a.slice/b.service")
    groups.firewall(service, [], ["127.0.0.0/8"], accounting=True)
    free = groups.make("a.slice/c.service")
    groups.firewall(free, ["127.0.0.0/8"], ["any"], accounting=True)
    groups.send(free, 5)
    reader.read()
    reader.count(number(groups.folder / "a.slice"))
    assert groups.send(service, 13, lossy=True) == (0, 0)
    assert groups.send(free, 7) == (7, 7)
    one, other = seen(reader, service), seen(reader, free)
    assert one.counted
    assert one.counted.denied == one.counted.passed == Passed(0, 0, 13, 13 * 128)
    assert other.counted
    assert (other.counted.denied, other.counted.passed, other.systemd) == (Passed(), both(7), both(12))


def test_nobody_is_displaced(groups: Groups, reader: Cgroups) -> None:
    alone, above = groups.make("alone"), groups.make("above")
    below, beside = groups.make("above/below"), groups.make("beside")
    groups.attach(alone, groups.passing(), INGRESS, 0)
    groups.attach(above, groups.passing(), EGRESS, kernel.F_ALLOW_OVERRIDE)
    programs = {each.id for each in info.programs()}
    for place, why in (
        (alone, "tolerates no other there"),
        (above, "tolerates no other there"),
        (below, "gives way to whatever is attached below"),
    ):
        with pytest.raises(BpfscopeError, match=why):
            CgroupCounter(str(place))
    assert {each.id for each in info.programs() if each.name == "bpfscope_cgroup"} <= programs
    flags = {place.name: [each.flags for each in seen(reader, place).programs] for place in (alone, above, below)}
    assert flags == {"alone": ["exclusive"], "above": ["override"], "below": []}
    with CgroupCounter(str(beside)) as ours, CgroupCounter(str(beside)) as again:
        groups.send(beside, 3)
        assert ours.read() == again.read() == {number(beside): both(3)}
        assert ours.lost == 0
    groups.attach(below, groups.passing(), EGRESS)
    with CgroupCounter(str(below)) as ours:
        groups.send(below, 3)
        assert ours.read() == {number(below): both(3)}


def test_what_a_cgroup_inherits(groups: Groups, reader: Cgroups) -> None:
    above, below = groups.make("above"), groups.make("above/below")
    groups.attach(above, groups.passing("over"), EGRESS, kernel.F_ALLOW_OVERRIDE)
    groups.attach(above, groups.passing("multi"), INGRESS)
    groups.attach(below, groups.passing("own"), INGRESS)
    sample = reader.read()
    met = [(at.path.rpartition("/")[2], each.name) for at, each in effective(sample, number(below))]
    assert met[:3] == [("below", "own"), ("above", "multi"), ("above", "over")]
    groups.attach(below, groups.passing("instead"), EGRESS)
    sample = reader.read()
    met = [(at.path.rpartition("/")[2], each.name) for at, each in effective(sample, number(below))]
    assert ("above", "over") not in met
    assert {("below", "own"), ("below", "instead"), ("above", "multi")} <= set(met)


def test_attachments_are_those_of_bpftool(groups: Groups, reader: Cgroups) -> None:
    service = groups.make("a.slice/b.service")
    groups.firewall(service, ["10.0.0.0/8"], ["any"], accounting=True)
    groups.devices(service, [])
    groups.link(groups.folder / "a.slice", groups.passing("linked"), EGRESS)
    listed = json.loads(
        subprocess.run(
            ["bpftool", "-j", "cgroup", "tree", str(groups.folder)],
            capture_output=True, text=True, timeout=SECONDS, check=True,
        ).stdout
    )  # fmt: skip
    theirs = {
        (Path(each["cgroup"]).name, program["id"], program["attach_type"], program["attach_flags"])
        for each in listed
        for program in each["programs"]
    }
    ours = {
        (each.name, program.id, program.hook.replace("-", "_"), program.flags)
        for each in reader.read().cgroups
        if groups.name in each.path
        for program in each.programs
    }
    assert theirs == ours
    assert len(ours) == 4


def test_programs_without_a_link_are_seen_in_time_and_links_at_once(groups: Groups, reader: Cgroups) -> None:
    place = groups.make("a")
    assert seen(reader, place).programs == ()
    groups.link(place, groups.passing("linked"), EGRESS)
    (program,) = seen(reader, place).programs
    assert program.name == "linked"
    assert program.link
    reader._due = 0.0  # ten seconds later
    groups.attach(place, groups.passing("unlinked"), EGRESS)
    assert [each.name for each in seen(reader, place).programs] == ["linked", "unlinked"]


def test_rules_that_somebody_changes(groups: Groups, reader: Cgroups) -> None:
    name = f"4_{os.getpid()}.slice"
    service = groups.make(name.removeprefix("4_"))
    groups.firewall(service, ["10.0.0.0/8"], ["any"], accounting=True)
    (trie,) = (each for each in info.maps() if each.name == name)
    seen(reader, service)
    with info.map_of(trie.id) as fd:
        kernel.map_delete(fd, bytes((8, 0, 0, 0, 10, 0, 0, 0)))
    read_anew(reader)
    assert said(seen(reader, service).rules) == ["deny any"]


def test_names_that_a_terminal_would_act_on(groups: Groups, reader: Cgroups) -> None:
    place = groups.make("\x1b[31m red\u202e")
    assert seen(reader, place).path == f"/{groups.name}/␛[31m red\ufffd"
    with CgroupCounter(str(place)) as ours:
        groups.send(place, 3)
        assert ours.read() == {number(place): both(3)}


def test_the_command_lists_and_measures(groups: Groups) -> None:
    service = groups.make("a.slice/b.service")
    groups.firewall(service, ["10.0.0.0/8"], ["192.168.0.0/16"], accounting=True)
    groups.send(service, 13)
    (row,) = command(f"/{groups.name}/a.slice/b.service")
    assert row["cgroup"] == f"/{groups.name}/a.slice/b.service"
    assert (row["rx_packets"], row["tx_bytes"], row["counted_by"]) == (13, 13 * 128, "systemd")
    assert (row["allow"], row["deny"]) == (["10.0.0.0/8"], ["192.168.0.0/16"])
    assert row["cpu_percent"] is None
    rows = command(str(groups.folder), "-d", "0.1")
    assert [one["cgroup"] for one in rows] == [
        f"/{groups.name}{below}" for below in ("", "/a.slice", "/a.slice/b.service")
    ]
    assert rows[2]["systemd_grew"] == Passed()._asdict()
    assert rows[0]["cpu_percent"] is not None
    refused = subprocess.run([COMMAND, "cgroups", "no such"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "no cgroup of the path or name no such" in refused.stderr


def test_the_command_counts_until_it_is_stopped(groups: Groups) -> None:
    place = groups.make("a.slice/b.service")
    words = [str(COMMAND), "cgroups", groups.name, "--count", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as counting:
        assert counting.stderr
        assert groups.name in counting.stderr.readline()
        groups.send(place, 997)
        counting.send_signal(signal.SIGINT)
        out, _ = counting.communicate(timeout=SECONDS)
    rows = {row["cgroup"]: row for row in map(json.loads, out.splitlines())}
    for path in (f"/{groups.name}", f"/{groups.name}/a.slice", f"/{groups.name}/a.slice/b.service"):
        assert tuple(rows[path][name] for name in Passed._fields) == both(997)
        assert rows[path]["counted_by"] == "bpfscope"
        assert rows[path]["programs"] == []


def test_nothing_stays_after_kill_9(groups: Groups, reader: Cgroups) -> None:
    place = groups.make("a")
    words = [str(COMMAND), "cgroups", str(place), "--count"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as counting:
        assert counting.stderr
        counting.stderr.readline()
        assert [each.name for each in seen(reader, place).programs] == ["bpfscope_cgroup"] * 2
        os.kill(counting.pid, signal.SIGKILL)
    wait_until(lambda: not seen(reader, place).programs, "the kernel has detached our programs")


def test_cgroups_and_programs_that_come_and_go_while_they_are_read(groups: Groups, reader: Cgroups) -> None:
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.is_set():
            number += 1
            with Groups() as others:
                place = others.make(f"a/b{number}.service")
                others.firewall(place, ["10.0.0.0/8"], ["any"], accounting=True)
                others.link(place, others.passing(), EGRESS)

    reader.read()
    reader.count(number(groups.folder))
    met: set[int] = set()

    def read() -> bool:
        cgroups = reader.read().cgroups
        assert cgroups[0].path == "/"
        met.update(one.id for one in cgroups)
        return len(met) > 50

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        try:
            wait_until(read, "many cgroups have come and gone")
        finally:
            done.set()
        changing.result(timeout=SECONDS)


def test_the_last_figures_of_a_cgroup_that_is_removed_meanwhile(groups: Groups) -> None:
    place = groups.make("goes")
    words = [str(COMMAND), "cgroups", f"/{groups.name}/goes", "--count", "-d", str(SECONDS), "--json"]
    with subprocess.Popen(words, stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr
        assert process.stdout
        assert process.stderr.readline().startswith("counting the packets of")
        assert groups.send(place, 31) == (31, 31)
        groups.remove(place)
        (row,) = map(json.loads, process.stdout)
        said = process.stderr.read()
    assert process.returncode == 0
    assert (row["cgroup"], row["rx_packets"], row["tx_packets"]) == (f"/{groups.name}/goes", 31, 31)
    assert said == f"/{groups.name}/goes was removed meanwhile: its figures are the last ones\n"


def test_an_empty_path_is_refused() -> None:
    done = subprocess.run([COMMAND, "cgroups", ""], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "PATH is empty" in done.stderr


def test_paths_that_are_too_long_for_the_system_are_said_to_be_missing(groups: Groups) -> None:
    name, folders = "x" * 200, [os.open(groups.folder, os.O_RDONLY)]
    try:
        for _ in range(22):
            os.mkdir(name, dir_fd=folders[-1])
            folders.append(os.open(name, os.O_RDONLY, dir_fd=folders[-1]))
        with Cgroups() as reader:
            assert reader.read().hidden
        assert at_cgroups.tree().missing == "cgroups: File name too long"
    finally:
        for folder in reversed(folders[:-1]):
            os.rmdir(name, dir_fd=folder)
        for folder in folders:
            os.close(folder)
