"""Control groups for tests: folders of their own below the cgroup2 mount, with programs as systemd attaches them.

    with Groups() as groups:
        service = groups.make("a.slice/b.service")
        groups.firewall(service, allow=["10.0.0.0/8"], deny=["any"], accounting=True)
        groups.send(service, 997)      # UDP over the loopback of a network namespace of its own, in and out

Programs, maps, names and layouts are those of systemd 254 (bpf-firewall.c, bpf-devices.c, socket-bind.bpf.c,
restrict-ifaces.bpf.c), attached without links and with BPF_F_ALLOW_MULTI, as it does. Everything goes with the `with`.
"""

import ipaddress
import itertools
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tests.kernel.probing import wait_until
from tests.targets.running import SECONDS
from tui.bpf import kernel
from tui.bpf.extended.assembler import (
    alu,
    alu32,
    assemble,
    atomic,
    call,
    exit_,
    goto,
    jump,
    label,
    load,
    map_pointer,
    map_value,
    mov,
    mov32,
    store,
)
from tui.bpf.extended.instructions import R0, R1, R2, R3, R4, R5, R6, R7, R8, R10, B, W
from tui.bpf.extended.items import Item
from tui.bpf.hooks import cgroup
from tui.owner import Owner

ALLOWED, DENIED = 1, 2  # systemd's ACCESS_…
INGRESS, EGRESS = kernel.ATTACH_CGROUP_INGRESS, kernel.ATTACH_CGROUP_EGRESS
_PROTOCOLS: Final = {4: 0x0800, 6: 0x86DD}
_DEVICE_TYPES: Final = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_…
_ACCESS: Final = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_…
PASS: Final[tuple[Item, ...]] = (mov(R0, 1), exit_())
_numbers = itertools.count(1)

# Joins the cgroup before it makes a socket: that is the one which its packets belong to.
_SENDER: Final = """
import ctypes, fcntl, socket, struct, sys
folder, number, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
assert ctypes.CDLL(None).unshare(0x40000000) == 0
with open(folder + "/cgroup.procs", "w") as procs:
    procs.write("0")
here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
request = struct.pack("16sH22x", b"lo", 1 | 64)
fcntl.ioctl(here, 0x8914, request)  # SIOCSIFFLAGS: up
here.bind(("127.0.0.1", 0))
here.settimeout(30)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sent = came = 0
for _ in range(number):
    try:
        out.sendto(bytes(size), here.getsockname())
        sent += 1
    except PermissionError:  # denied on the way out
        continue
    if len(sys.argv) > 4:
        here.settimeout(0.05)
    try:
        here.recv(65536)
        came += 1
    except TimeoutError:
        pass
print(sent, came)
"""


_TALKER: Final = """
import ctypes, fcntl, socket, struct, sys
folder, size = sys.argv[1], int(sys.argv[2])
assert ctypes.CDLL(None).unshare(0x40000000) == 0
with open(folder + "/cgroup.procs", "w") as procs:
    procs.write("0")
listener = socket.socket()
fcntl.ioctl(listener, 0x8914, struct.pack("16sH22x", b"lo", 1 | 64))
listener.bind(("127.0.0.1", 0))
listener.listen()
for _ in range(3):
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    left = size
    client.setblocking(False)
    sent = 0
    while left:
        try:
            if sent < size:
                sent += client.send(bytes(min(65536, size - sent)))
        except BlockingIOError:
            pass
        left -= len(server.recv(1 << 20))
    client.close()
    server.recv(1)
    server.close()
refused = socket.socket()
assert refused.connect_ex(("127.0.0.1", 1)) != 0
"""


class Firewall(NamedTuple):
    """What systemd attaches for IPAddressAllow=, IPAddressDeny= and IPAccounting=."""

    ingress: int  # programs' file descriptors
    egress: int
    counted_in: int  # array maps' [packets, bytes]; -1: none
    counted_out: int


class Groups(Owner):
    """Owns a folder of cgroups, and what was attached to them."""

    def __init__(self) -> None:
        self._owned = ExitStack()
        self.name = f"bpfscope-test-{os.getpid()}-{next(_numbers)}"
        self.mount = Path(cgroup.root())
        self.folder = self.mount / self.name
        self.folder.mkdir()
        self._made = [self.folder]

    def make(self, path: str) -> Path:
        """A cgroup at this path below ours, with those above it."""
        place = self.folder
        for part in path.split("/"):
            place /= part
            if place not in self._made:
                place.mkdir()
                self._made.append(place)
        return place

    def remove(self, place: Path) -> None:
        """A cgroup goes, as when a service ends; the kernel detaches what is there."""
        place.rmdir()
        self._made.remove(place)

    def close(self) -> None:
        self._owned.close()
        for place in reversed(self._made):
            wait_until(partial(_empty, place), f"nobody is in {place}")
            place.rmdir()
        self._made.clear()

    # What is attached

    def attach(self, place: Path, program: int, attach_type: int, flags: int = kernel.F_ALLOW_MULTI) -> None:
        """Without a link: it stays until the cgroup goes."""
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            kernel.bpf(kernel.PROG_ATTACH, struct.pack("4I", folder, program, attach_type, flags))
        finally:
            os.close(folder)

    def link(self, place: Path, program: int, attach_type: int) -> int:
        """With a link, which lasts as long as its file descriptor."""
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return self._own(kernel.link_create(program, folder, attach_type))
        finally:
            os.close(folder)

    def load(
        self, kind: int, code: Sequence[Item], name: str, maps: dict[str, int] | None = None, attach_type: int = 0
    ) -> int:
        """A program's file descriptor."""
        return self._own(kernel.program_load(kind, attach_type, assemble(code).bytecode(maps or {}), name))

    def passing(self, name: str = "passes") -> int:
        """A cgroup_skb program that lets everything pass."""
        return self.load(kernel.PROG_TYPE_CGROUP_SKB, [*PASS], name)

    def firewall(
        self, place: Path, allow: Sequence[str] = (), deny: Sequence[str] = (), *, accounting: bool = False,
        names: tuple[str, str] = ("sd_fw_ingress", "sd_fw_egress"),
    ) -> Firewall:  # fmt: skip
        """`names`: of the programs; systemd before 250 gave none."""
        maps = {
            f"{verdict}{version}": self.rules(f"{version}_{place.name}", found, verdict)
            for prefixes, verdict in ((deny, DENIED), (allow, ALLOWED))
            for version in (4, 6)
            if (found := [one for one in _networks(prefixes) if one.version == version])
        }
        always = [verdict for prefixes, verdict in ((allow, ALLOWED), (deny, DENIED)) if "any" in prefixes]
        figures = [self._counter(f"{way}_{place.name}") if accounting else -1 for way in "IE"]
        programs = []
        for name, figure, incoming, kind in zip(names, figures, (True, False), (INGRESS, EGRESS), strict=True):
            code = firewall_code(list(maps), always, incoming=incoming, accounting=accounting)
            own = {"accounting": figure} if accounting else {}
            programs.append(self.load(kernel.PROG_TYPE_CGROUP_SKB, code, name, maps | own))
            self.attach(place, programs[-1], kind)
        return Firewall(*programs, *figures)

    def rules(self, name: str, networks: "Sequence[Network]", verdict: int) -> int:
        """A trie of prefixes, as systemd makes one."""
        size = 4 + networks[0].max_prefixlen // 8
        no_prealloc = 1
        trie = self._own(kernel.map_create(kernel.MAP_TYPE_LPM_TRIE, size, 8, len(networks), no_prealloc, _name(name)))
        for one in networks:
            key = struct.pack("=I", one.prefixlen) + one.network_address.packed
            kernel.map_update(trie, key, struct.pack("=Q", verdict))
        return trie

    def _counter(self, name: str) -> int:
        return self._own(kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 2, 0, _name(name)))

    def devices(self, place: Path, rules: Sequence[str]) -> int:
        """DevicePolicy=strict with these: `c 1:3 rw`, `c 136:* rwm`, `b *:* m`; without any everything is denied."""
        program = self.load(kernel.PROG_TYPE_CGROUP_DEVICE, device_code(rules), "sd_devices")
        self.attach(place, program, kernel.ATTACH_CGROUP_DEVICE)
        return program

    def binding(self, place: Path, allow: Sequence[bytes], deny: Sequence[bytes]) -> int:
        """SocketBindAllow= and SocketBindDeny= for IPv4: each a struct socket_bind_rule, of which `rule` makes one."""
        maps = {
            name: self._array(name, rules or [rule(family=0xFFFFFFFF)])  # a map of none says that nothing matches
            for name, rules in (("sd_bind_allow", allow), ("sd_bind_deny", deny))
        }
        code = [*looked_up("sd_bind_allow"), *looked_up("sd_bind_deny"), *PASS]
        bind4 = 8
        program = self.load(kernel.PROG_TYPE_CGROUP_SOCK_ADDR, code, "sd_bind4", maps, bind4)
        self.attach(place, program, bind4)
        return program

    def interfaces(self, place: Path, numbers: Sequence[int], *, allowing: bool) -> int:
        """RestrictNetworkInterfaces= for packets that come."""
        listed = self._own(kernel.map_create(kernel.MAP_TYPE_HASH, 4, 1, len(numbers), 0, "sd_restrictif"))
        for number in numbers:
            kernel.map_update(listed, struct.pack("=I", number), b"\0")
        maps = {"sd_restrictif": listed, "constants": self._array("restrict.rodata", [bytes([allowing])])}
        code = [map_value(R1, "constants"), load(R1, R1, 0, B), *looked_up("sd_restrictif"), *PASS]
        program = self.load(kernel.PROG_TYPE_CGROUP_SKB, code, "sd_restrictif_i", maps)
        self.attach(place, program, INGRESS)
        return program

    def _array(self, name: str, values: Sequence[bytes]) -> int:
        array = self._own(kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, len(values[0]), len(values), 0, name))
        for key, value in enumerate(values):
            kernel.map_update(array, struct.pack("=I", key), value)
        return array

    def _own(self, fd: int) -> int:
        self._owned.callback(os.close, fd)
        return fd

    # Traffic

    def send(self, place: Path, number: int, size: int = 100, *, lossy: bool = False) -> tuple[int, int]:
        """So many UDP packets of IPv4 over a loopback that nobody else uses; how many went out, and came in."""
        sent, came = map(int, _run(_SENDER, place, number, size, *["lossy"] * lossy).split())
        return sent, came

    def talk(self, place: Path, size: int) -> None:
        """Three TCP connections over a loopback that nobody else uses, so many bytes in each; one more is refused."""
        _run(_TALKER, place, size)


def _run(script: str, *words: object) -> str:
    """What a Python script prints."""
    command = [sys.executable, "-c", script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    return done.stdout


def _empty(place: Path) -> bool:
    return not (place / "cgroup.procs").read_text()


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(prefixes: Sequence[str]) -> list[Network]:
    return [ipaddress.ip_network(one) for one in prefixes if one != "any"]


def _name(name: str) -> str:
    """As systemd and the kernel take one: 15 letters, digits, `_` and `.`."""
    return "".join(letter if letter.isalnum() or letter in "_." else "_" for letter in name)[:15]


def rule(family: int = 0, protocol: int = 0, ports: int = 0, first: int = 0) -> bytes:
    """A struct socket_bind_rule."""
    return struct.pack("=2I2H", family, protocol, ports, first)


def looked_up(name: str) -> list[Item]:
    """The program uses the map; what it finds there doesn't matter to a test."""
    key: list[Item] = [store(R10, -4, 0, W), mov(R2, R10), alu("+=", R2, -4)]
    return [*key, map_pointer(R1, name), call("map_lookup_elem")]


def firewall_code(maps: Sequence[str], always: Sequence[int], *, incoming: bool, accounting: bool) -> list[Item]:
    """bpf_firewall_compile_bpf(). `maps`: as "24", verdict and IP version."""
    code: list[Item] = [mov(R6, R1), load(R7, R6, 16, W), mov32(R8, 0)]
    for name in maps:
        verdict, version = int(name[0]), int(name[1])
        size = 4 if version == 4 else 16
        source = 12 if version == 4 else 8
        code += [
            jump("!=", R7, socket.htons(_PROTOCOLS[version]), f"after {name}"),
            mov(R1, R6), mov32(R2, source if incoming else source + size),
            mov(R3, R10), alu("+=", R3, -size), mov32(R4, size), call("skb_load_bytes"),
            map_pointer(R1, name), mov(R2, R10), alu("+=", R2, -size - 4), store(R2, 0, size * 8, W),
            call("map_lookup_elem"), jump("==", R0, 0, f"after {name}"), alu32("|=", R8, verdict),
            label(f"after {name}"),
        ]  # fmt: skip
    code += [alu32("|=", R8, verdict) for verdict in always]
    code += [mov(R0, 1), jump("!=", R8, DENIED, "decided"), mov(R0, 0), label("decided")]
    if accounting:
        code.append(jump("==", R0, 0, "out"))
        for key in (0, 1):
            code += [
                mov(R0, key), store(R10, -4, R0, W), mov(R2, R10), alu("+=", R2, -4), map_pointer(R1, "accounting"),
                call("map_lookup_elem"), jump("==", R0, 0, f"no {key}"),
                load(R1, R6, 0, W) if key else mov(R1, 1), atomic("+=", R0, 0, R1), label(f"no {key}"),
            ]  # fmt: skip
        code += [mov(R0, 1), label("out")]
    return [*code, exit_()]


def device_code(rules: Sequence[str]) -> list[Item]:
    """bpf_devices_cgroup_init(), the rules of bpf_prog_allow_list_device() and its like, bpf_devices_apply_policy()."""
    if not rules:
        return [mov(R0, 0), exit_()]
    code: list[Item] = [
        load(R2, R1, 0, W), alu32("&=", R2, 0xFFFF), load(R3, R1, 0, W), alu32(">>=", R3, 16), load(R4, R1, 4, W),
        load(R5, R1, 8, W),
    ]  # fmt: skip
    for number, rule in enumerate(rules):
        kind, device, access = rule.split()
        mask = sum(_ACCESS[letter] for letter in access)
        if mask != 7:
            code += [mov32(R1, R3), alu32("&=", R1, mask), jump("!=", R1, R3, f"after {number}")]
        code.append(jump("!=", R2, _DEVICE_TYPES[kind], f"after {number}"))
        for register, part in zip((R4, R5), device.split(":"), strict=True):
            if part != "*":
                code.append(jump("!=", register, int(part), f"after {number}"))
        code += [goto("pass"), label(f"after {number}")]
    return [*code, mov(R0, 0), goto("out"), label("pass"), mov(R0, 1), label("out"), exit_()]
