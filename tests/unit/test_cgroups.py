"""Cgroups without a kernel: rules in words, the tree and its folds, rates, what is inherited, rows of the command."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kernel.control_groups import ALLOWED, DENIED, firewall_code
from tests.screens.fake_cgroups import BLOCKED, CGROUPS, FIREWALL, cgroup, passed, program
from tui.bpf.extended.assembler import assemble
from tui.bpf.extended.instructions import unpack
from tui.bpf.hooks import cgroup as hook
from tui.bpf.inventory import rules
from tui.bpf.inventory.cgroups import Tree
from tui.collectors.cgroup_samples import (
    ALLOW,
    DENY,
    Cgroup,
    CgroupsSample,
    Counted,
    Passed,
    Rule,
    Rules,
    denied_in_words,
    effective,
)
from tui.commands import cgroups as command
from tui.errors import NotSupported, TargetError
from tui.export.cgroups import cgroup as exported
from tui.screens.cgroup_columns import COLUMNS, hooks
from tui.screens.cgroup_rows import CgroupRow, Rates, Traffic, short, tree, visible
from tui.widgets.columns import Sort


def sample(cgroups: Sequence[Cgroup] = CGROUPS, time: float = 0.0) -> CgroupsSample:
    return CgroupsSample(time, "/sys/fs/cgroup", tuple(cgroups))


def rows(cgroups: Sequence[Cgroup] = CGROUPS) -> list[CgroupRow]:
    return Traffic().rows(cgroups)


# What programs say


@pytest.mark.parametrize("incoming", [True, False])
def test_which_map_of_systemds_firewall_allows_and_which_denies(incoming: bool) -> None:
    code = assemble(firewall_code(["24", "26", "14", "16"], [DENIED], incoming=incoming, accounting=True))
    fds = {"24": 7, "26": 8, "14": 9, "16": 10, "accounting": 11}
    found, always = rules._verdicts(unpack(code.bytecode(fds)))
    assert found == {7: DENY, 8: DENY, 9: ALLOW, 10: ALLOW}
    assert always == [DENY]
    code = assemble(firewall_code([], [ALLOWED, DENIED], incoming=incoming, accounting=False))
    assert rules._verdicts(unpack(code.bytecode({}))) == ({}, [ALLOW, DENY])


def test_prefixes_and_ports_in_words() -> None:
    assert rules._prefix(struct.pack("=I", 8) + bytes((10, 0, 0, 0))) == "10.0.0.0/8"
    assert rules._prefix(struct.pack("=I", 0) + bytes(4)) == "0.0.0.0/0"
    assert (
        rules._prefix(struct.pack("=I", 64) + bytes.fromhex("20010db8000000170000000000000000")) == "2001:db8:0:17::/64"
    )
    assert rules._ports(0, 0, 0, 0) == "any"
    assert rules._ports(2, 6, 1, 22) == "IPv4 tcp 22"
    assert rules._ports(10, 17, 1024, 1) == "IPv6 udp 1-1024"
    assert rules._ports(7, 200, 0, 0) == "protocol 200"


def test_hooks_in_short() -> None:
    names = {
        "inet-ingress": "in",
        "inet4-bind": "bind4",
        "udp6-sendmsg": "sendmsg6",
        "inet-sock-create": "inet-sock-create",
    }
    assert {name: short(f"cgroup-{name}") for name in names} == names
    assert short("type 99") == "type 99"
    twice = cgroup(
        1, 0, "/", programs=(*(program(number, "inet-egress", "") for number in (1, 2)), program(3, "device", ""))
    )
    assert hooks(twice) == "out×2 dev"


# Where they are


def test_the_tree_is_read_anew_where_something_changed(tmp_path: Path) -> None:
    for path in ("b/c", "a", "b/d"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "cgroup.procs").touch()
    tree = Tree(str(tmp_path))

    def paths() -> list[str]:
        return [group.path for group in tree.read()]

    assert paths() == ["/", "/a", "/b", "/b/c", "/b/d"]
    groups = {group.path: group for group in tree.read()}
    assert groups["/b/c"].parent == groups["/b"].id == (tmp_path / "b").stat().st_ino
    assert [groups[path].level for path in ("/", "/b", "/b/c")] == [0, 1, 2]
    (tmp_path / "b/c").rmdir()
    (tmp_path / "b/e").mkdir()  # as many as before
    assert set(paths()) == {"/", "/a", "/b", "/b/d"}
    assert paths() == ["/", "/a", "/b", "/b/d", "/b/e"]
    (tmp_path / "a/\x1b[1mx").mkdir()
    assert "/a/␛[1mx" in paths()
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert "/link" not in paths()


def test_too_many_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        (tmp_path / str(number)).mkdir()
    monkeypatch.setattr("tui.bpf.inventory.cgroups.MOST", 5)
    tree = Tree(str(tmp_path))
    assert len(tree.read()) == 5
    assert tree.hidden
    with pytest.raises(NotSupported, match="no longer mounted"):
        Tree(str(tmp_path / "gone")).read()


def test_a_part_of_cgroups_is_better_than_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    monkeypatch.setattr("builtins.open", lambda *_, **__: file.open())
    part = "26 20 0:23 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    file.write_text(part)
    assert hook.mounted() == "/sys/fs/cgroup"
    file.write_text(part + "27 20 0:23 / /mnt rw - cgroup2 cgroup2 rw\n")
    assert hook.mounted() == "/mnt"
    file.write_text("25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n")
    with pytest.raises(NotSupported, match="mount -t cgroup2"):
        hook.mounted()


def test_what_is_inherited_and_what_gives_way() -> None:
    top = cgroup(1, 0, "/", programs=(program(1, "inet-egress", "over", flags="override"), program(2, "device", "dev")))
    middle = cgroup(2, 1, "/a", programs=(program(3, "inet-ingress", "in"),))
    bottom = cgroup(3, 2, "/a/b", programs=(program(4, "inet-egress", "own"),))
    everything = sample((top, middle, bottom))
    assert [each.name for _, each in effective(everything, 3)] == ["own", "in", "dev"]
    assert [each.name for _, each in effective(everything, 2)] == ["in", "over", "dev"]
    assert list(effective(everything, 99)) == []


# Rows


def test_folding_and_filtering_keep_what_leads_there() -> None:
    shown = visible(rows(), "", frozenset({40, 41}), tree=True)
    assert [(row.cgroup.id, row.folded) for row in shown if row.folded] == [(40, 2)]
    assert 41 not in {row.cgroup.id for row in shown}
    shown = visible(rows(), "session*", frozenset({40}), tree=True)
    assert [(row.cgroup.id, row.matches) for row in shown] == [(1, False), (40, False), (41, False), (42, True)]
    shown = visible(rows(), "192.168.*", frozenset({1}), tree=False)
    assert [row.cgroup.id for row in shown] == [33]


def test_the_tree_draws_branches_and_survives_a_parent_that_is_not_there() -> None:
    orphan = cgroup(77, 1_000, "/gone/x")
    arranged = tree(rows((*CGROUPS, orphan)), COLUMNS, Sort("path", False))
    assert {row.branch + row.cgroup.name for row in arranged} >= {
        "├─ system.slice", "│  └─ ssh.service", "└─ user.slice", "   └─ user-1000.slice", "x",
    }  # fmt: skip
    assert [row.cgroup.id for row in tree(rows(), COLUMNS, Sort("rx-bytes", True))][:4] == [1, 30, 32, 33]


def test_rates_begin_anew_where_totals_or_counters_do() -> None:
    traffic = Traffic()
    traffic.add(sample(passed(0), 1_000.0))
    assert all(row.rates is None for row in traffic.rows(CGROUPS))
    traffic.add(sample(passed(2), 1_002.0))
    by_id = {row.cgroup.id: row.rates for row in traffic.rows(CGROUPS)}
    assert by_id[32] == Rates(4.1, 9_300_000.0, 412_000.0)
    assert by_id[31] == Rates(11.9)
    smaller = tuple(one._replace(systemd=Passed(0, 1_000, 0, 0)) if one.id == 32 else one for one in passed(2))
    traffic.add(sample(smaller, 1_003.0))
    assert {row.cgroup.id: row.rates for row in traffic.rows(CGROUPS)}[32] == Rates(0.0, 1_000.0, 0.0)
    counted = tuple(one._replace(counted=Counted(Passed(), 0.0, here=True)) for one in passed(4))
    traffic.add(sample(counted, 1_004.0))
    assert {row.cgroup.id: row.rates for row in traffic.rows(CGROUPS)}[33] == Rates(0.06)


def test_denied_in_words() -> None:
    assert denied_in_words(None) == denied_in_words(Passed()) == ""
    assert denied_in_words(Passed(7, 700, 1, 60)) == "at least 7 in and 1 out denied by systemd"
    assert denied_in_words(Passed(0, 0, 1_204, 60)) == "at least 1,204 out denied by systemd"


# The command


def test_which_cgroups_are_asked_for() -> None:
    def chosen(path: str | None) -> list[int]:
        return [one.id for one in command._chosen(sample(), path)]

    assert chosen(None) == [one.id for one in CGROUPS]
    assert (
        chosen("/system.slice") == chosen("system.slice") == chosen("/sys/fs/cgroup/system.slice/") == [30, 31, 32, 33]
    )
    assert chosen("ssh.service") == [33]
    assert chosen("docker 3f2a9c1b4d5e") == [31]
    assert chosen("user-*.slice") == [41, 42]
    assert chosen("/") == chosen("/sys/fs/cgroup") == chosen(None)
    with pytest.raises(TargetError, match="no cgroup of the path or name nothing"):
        chosen("nothing")
    assert [one.id for one in command._roots(command._chosen(sample(), "*.slice"))] == [30, 40]


def test_a_line_per_cgroup_and_one_per_program() -> None:
    exclusive = program(98, "inet-ingress", "", flags="exclusive")
    unknown = program(99, "device", "odd", Rules(unknown="its instructions are of an unknown form"))
    ours = program(200, "inet-egress", "bpfscope_cgroup", ours=True)
    one = CGROUPS[4]._replace(
        programs=(*CGROUPS[4].programs, exclusive, unknown, ours),
        counted=Counted(Passed(7, 700, 3, 300), 2.0, here=True, denied=Passed(1, 60, 0, 0)),
    )
    lines = "".join(
        command._text((one, CGROUPS[5], CGROUPS[6]), sample(), {one.id: one._replace(cpu_us=-20_000)}, 1.0)
    ).splitlines()
    assert lines[1].split() == ["9", "2.0", "7", "700", "B", "3", "300", "B", "ours", one.path]
    assert lines[2:10] == [
        "      at least 1 in denied by systemd",
        "      cgroup-inet-ingress 97 sd_fw_ingress: allow 10.0.0.0/8, 127.0.0.0/8, 2001:db8:17::/64; deny any",
        "      cgroup-inet-egress 98 sd_fw_egress: allow 10.0.0.0/8, 127.0.0.0/8, 2001:db8:17::/64; deny any",
        "      cgroup-device 99 sd_devices: allow char 1:3 rw, char 136:* rwm, block *:* m; deny everything else",
        "      cgroup-inet4-bind 100 sd_bind4: allow tcp 8000-8010; deny any",
        "      cgroup-inet-ingress 98 (unnamed) (exclusive)",
        "      cgroup-device 99 odd: rules unknown: its instructions are of an unknown form",
        "      from /system.slice: cgroup-inet-ingress 90 cil_cgroup",
    ]
    assert lines[-1].split() == ["0", "/user.slice"]
    assert "from " not in "".join(command._text(CGROUPS, sample(), {}, 0.0))


def test_rows_in_json() -> None:
    row = json.loads("".join(command._json((CGROUPS[5],), sample(), {}, 0.0)))
    assert row["cgroup"] == "/system.slice/ssh.service"
    assert (row["rx_packets"], row["tx_bytes"], row["counted_by"], row["cpu_percent"]) == (
        1_204,
        120_000,
        "systemd",
        None,
    )
    assert row["systemd"]["rx_bytes"] == 97_000
    assert (row["allow"], row["deny"]) == ([], ["192.168.0.0/16"])
    assert row["programs"][0]["rules"] == [{"verdict": "deny", "what": "192.168.0.0/16", "name": None}]
    assert row["programs"][0]["otherwise"] == "allow"
    assert row["inherited"] == [
        {"cgroup": "/system.slice", "hook": "cgroup-inet-ingress", "id": 90, "name": "cil_cgroup"}
    ]
    nobody = exported(CGROUPS[6])
    assert (nobody["rx_packets"], nobody["counted_by"], nobody["systemd"], nobody["programs"]) == (None, None, None, [])
    grown = exported(passed(2)[5], passed(0)[5], 2.0)
    assert grown["systemd_grew"] == {"rx_packets": 18, "rx_bytes": 2_400, "tx_packets": 18, "tx_bytes": 10_200}
    cut = exported(
        cgroup(1, 0, "/", programs=(program(1, "inet-ingress", "sd_fw_ingress", FIREWALL._replace(cut=True)),))
    )
    assert cut["programs"][0]["rules_missing"] == "there are more than are read"


def test_rules_of_both_ways_are_one() -> None:
    ways = (("inet-ingress", FIREWALL), ("inet-egress", BLOCKED), ("device", BLOCKED))
    programs = tuple(program(number, hook, "x", rules) for number, (hook, rules) in enumerate(ways))
    assert cgroup(1, 0, "/", programs=programs).rules == (*FIREWALL.rules, Rule(DENY, "192.168.0.0/16"))
