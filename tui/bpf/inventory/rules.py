"""What programs at control groups allow and deny, from their maps and instructions: systemd's, and device programs.

systemd's are known by their names, its firewall before version 250 by its form. As its sources have it (bpf-firewall.c,
socket-bind.bpf.c, restrict-ifaces.bpf.c, systemd 254):

- sd_fw_ingress, sd_fw_egress: tries of prefixes (the prefix's length and 4 or 16 bytes), one for each verdict. Which
  verdict stands behind the lookup, where the program adds 1 (allowed) or 2 (denied) to R8; without a lookup it is for
  any address. What is both allowed and denied passes. An array of two numbers has the packets and bytes that passed.
- sd_bind4, sd_bind6: arrays of families, protocols and ports; what is allowed is looked at first.
- sd_restrictif_i, sd_restrictif_e: a hash of interfaces' numbers; a constant says whether the others are denied.

The values in a trie repeat its verdict, and serve where this user may not see instructions.
"""

import contextlib
import os
import socket
import struct
from typing import Final

from tui.bpf import kernel
from tui.bpf.extended import instructions as ops
from tui.bpf.extended.instructions import R1, R6, R8, Instruction, unpack
from tui.bpf.inventory import devices, info
from tui.bpf.inventory.cgroup_types import ALLOW, ANY, DENY, Rule, Rules
from tui.errors import TargetError
from tui.text import sanitise

MOST: Final = 1_000  # rules of a map that are read
_VERDICTS: Final = {1: ALLOW, 2: DENY}  # ACCESS_ALLOWED, ACCESS_DENIED
_LISTED: Final = (kernel.MAP_TYPE_HASH, 4, 1)  # type, sizes of keys and values
_BIND: Final = struct.Struct("=2I2H")  # struct socket_bind_rule: family, protocol, how many ports, the first one
_NOTHING: Final = 0xFFFFFFFF  # a family that no address has: there is no rule
_FAMILIES: Final = {0: "", 2: "IPv4", 10: "IPv6"}


def of_program(program: info.Program) -> Rules:
    """The rules of a program at a cgroup; of one that ends meanwhile none. Raises NotPermitted."""
    try:
        with info.program(program.id) as fd:
            code = unpack(info.instructions_of(fd))
            maps = [_about(number) for number in info.maps_of(fd)]
        return _rules(program, code, maps)
    except (OSError, TargetError):
        return Rules()


def _rules(program: info.Program, code: tuple[Instruction, ...], maps: list[info.Map]) -> Rules:
    if program.type == kernel.PROG_TYPE_CGROUP_DEVICE:
        return _devices(code)
    if program.type == kernel.PROG_TYPE_CGROUP_SKB and _is_firewall(program.name, code, maps):
        return _firewall(code, maps)
    if program.name in ("sd_bind4", "sd_bind6"):
        return _binding(maps, program.name[-1])
    if program.name in ("sd_restrictif_i", "sd_restrictif_e"):
        return _interfaces(maps)
    return Rules()


def _about(number: int) -> info.Map:
    with info.map_of(number) as fd:
        return info.Map.of(fd)


def _entries(number: int, about: info.Map) -> tuple[tuple[bytes, bytes], ...]:
    """At most MOST + 1 entries of a hash, a trie or an array, but none with values per CPU, which are longer."""
    found: dict[bytes, bytes] = {}
    with info.map_of(number) as fd:
        for key in kernel.map_keys(fd, about.key_size, min(about.entries, MOST + 1)):
            value = kernel.map_lookup(fd, key, about.value_size)
            if value is not None:
                found[key] = value
    return tuple(found.items())


def _is_trie(about: info.Map) -> bool:
    return about.type == kernel.MAP_TYPE_LPM_TRIE and about.key_size in (8, 20) and about.value_size == 8


def _is_counter(about: info.Map) -> bool:
    return about[1:5] == (kernel.MAP_TYPE_ARRAY, 4, 8, 2)


def _is_constants(about: info.Map) -> bool:
    return about[1:3] == (kernel.MAP_TYPE_ARRAY, 4) and about.entries == 1 and about.value_size <= 64


def _is_firewall(name: str, code: tuple[Instruction, ...], maps: list[info.Map]) -> bool:
    """By its name; before 250 there is none, but no other program begins like that and has such maps only."""
    if name:
        return name in ("sd_fw_ingress", "sd_fw_egress")
    begins = (Instruction(ops.ALU64 | ops.MOV | ops.X, R6, R1), Instruction(ops.ALU | ops.MOV | ops.K, R8))
    return code[:3:2] == begins and all(_is_trie(each) or _is_counter(each) for each in maps)


def _firewall(code: tuple[Instruction, ...], maps: list[info.Map]) -> Rules:
    verdicts, always = _verdicts(code)
    found = [Rule(verdict, ANY) for verdict in always]
    cut = False
    for about in filter(_is_trie, maps):
        entries = sorted(_entries(about.id, about))
        cut = cut or len(entries) > MOST
        for key, value in entries[:MOST]:
            verdict = verdicts.get(about.id) or _VERDICTS.get(int.from_bytes(value, "little"), "")
            found.append(Rule(verdict, _prefix(key)))
    counters = next((about.id for about in maps if _is_counter(about)), 0)
    return Rules(tuple(sorted(found, key=lambda rule: rule.verdict)), ALLOW, counters, cut)


def _verdicts(code: tuple[Instruction, ...]) -> tuple[dict[int, str], list[str]]:
    """What a match in each map means, by the map's number; and what holds for any address."""
    of_map: dict[int, str] = {}
    always: list[str] = []
    map_before = 0
    for one in code:
        if one.code == ops.LD_IMM64 and one.src == ops.MAP_FD:
            map_before = one.imm & 0xFFFFFFFF
        elif one.code == ops.ALU | ops.OR | ops.K and one.dst == R8 and one.imm in _VERDICTS:
            if map_before:
                of_map[map_before] = _VERDICTS[one.imm]
            else:
                always.append(_VERDICTS[one.imm])
            map_before = 0
    return of_map, always


def _prefix(key: bytes) -> str:
    """Of struct bpf_lpm_trie_key: the length in this machine's byte order, the address in the network's."""
    length, address = int.from_bytes(key[:4], "little"), key[4:]
    return f"{socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)}/{length}"


def _devices(code: tuple[Instruction, ...]) -> Rules:
    try:
        found, rest = devices.rules(code)
    except devices.Unreadable:
        return Rules(unknown="its instructions are of an unknown form" if code else "this user may not read it")
    verdict = {True: ALLOW, False: DENY}
    rules = tuple(Rule(verdict[allowed], device.text, device.name) for device, allowed in found)
    return Rules(rules, verdict[rest])


def _binding(maps: list[info.Map], version: str) -> Rules:
    """Of the rules those that this program can meet."""
    found: list[Rule] = []
    for verdict in (ALLOW, DENY):
        for about in maps:
            if about.name == f"sd_bind_{verdict}" and about[1:4] == (kernel.MAP_TYPE_ARRAY, 4, _BIND.size):
                for _, value in sorted(_entries(about.id, about), key=lambda one: int.from_bytes(one[0], "little")):
                    family, protocol, ports, first = _BIND.unpack(value)
                    if family in (0, {"4": 2, "6": 10}[version]):
                        found.append(Rule(verdict, _ports(family, protocol, ports, first)))
    return Rules(tuple(found), ALLOW)


def _ports(family: int, protocol: int, ports: int, first: int) -> str:
    """As in "IPv4 tcp 8000-8010", "udp 53", "any"."""
    name = {0: "", 6: "tcp", 17: "udp"}.get(protocol, f"protocol {protocol}")
    numbers = "" if not ports else str(first) if ports == 1 else f"{first}-{first + ports - 1}"
    return " ".join(filter(None, (_FAMILIES.get(family, ""), name, numbers))) or ANY


def _interfaces(maps: list[info.Map]) -> Rules:
    listed = next((each for each in maps if each.name == "sd_restrictif" and each[1:4] == _LISTED), None)
    constants = next((each for each in maps if each.name.endswith(".rodata") and _is_constants(each)), None)
    if listed is None or constants is None:
        return Rules(unknown="its maps aren't systemd's")
    values = _entries(constants.id, constants)
    allowing = bool(values and values[0][1][0])
    verdict, rest = (ALLOW, DENY) if allowing else (DENY, ALLOW)
    entries = sorted(_entries(listed.id, listed), key=lambda one: int.from_bytes(one[0], "little"))
    numbers = (int.from_bytes(key, "little") for key, _ in entries[:MOST])
    return Rules(tuple(Rule(verdict, _interface(number)) for number in numbers), rest, cut=len(entries) > MOST)


def _interface(number: int) -> str:
    """By its name only where systemd's interfaces are ours."""
    with contextlib.suppress(OSError):  # it is gone
        if _in_systemds_namespace():
            return sanitise(socket.if_indextoname(number))
    return f"interface {number}"


def _in_systemds_namespace() -> bool:
    """Whether this process is in the network namespace of process 1."""
    try:
        return os.stat("/proc/self/ns/net").st_ino == os.stat("/proc/1/ns/net").st_ino
    except OSError:  # this user may not look
        return False
