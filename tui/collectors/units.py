"""Which container or systemd unit a process belongs to, by the path of its control group.

Names are those that container engines and systemd give their groups: docker-ID.scope, cri-containerd-ID.scope,
crio-ID.scope and libpod-ID.scope with systemd's driver, /docker/ID or /kubepods/…/ID with the plain one,
lxc.payload.NAME, machine-NAME.scope (systemd-nspawn, libvirt); NAME.service and NAME.scope (systemd.unit(5)). Only
/proc is read.
"""

import os
import re
from typing import Final

from tui.text import sanitise

_LARGEST: Final = 1 << 16  # bytes of /proc/PID/cgroup
_LONGEST: Final = 200  # characters of a name
_SHORT: Final = 12  # digits of a container's id, as docker and podman show them
_ENGINES: Final = {"cri-containerd": "containerd", "crio": "cri-o", "libpod": "podman", "kubepods": "kubernetes"}
_CONTAINER: Final = re.compile(
    r"(?:(?:^|.*[:/])(docker|cri-containerd|crio|libpod|[a-z]+)[-:])?([0-9a-f]{64})(?:\.scope)?$"
)
_NAMED: Final = re.compile(r"(lxc)\.payload\.(.+)|(machine)-(.+)\.scope$")
_UNIT: Final = re.compile(r".+\.(?:service|scope|socket|mount|swap)$")
_ID: Final = re.compile(r"[0-9a-f]{64}")
_ESCAPED: Final = re.compile(r"\\x([0-9a-f]{2})")
_OF_A_MANAGER: Final = "init.scope"


def of_process(pid: int) -> str:
    """As "postgresql.service", "docker 3f2a9c1b4d5e"; empty where it is in neither, or has ended."""
    return of_groups(groups(pid))


def groups(pid: int) -> bytes:
    """The content of /proc/PID/cgroup; empty where the process has ended."""
    try:
        fd = os.open(f"/proc/{pid}/cgroup", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, _LARGEST)
    except OSError:
        return b""
    finally:
        os.close(fd)


def of_groups(content: bytes) -> str:
    """The same of the content of /proc/PID/cgroup (cgroups(7)): version 2's path first, then systemd's, then any."""
    found = []
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found.append((hierarchy != "0", controllers != "name=systemd", path))
    return next(filter(None, (of_path(path) for *_, path in sorted(found))), "")


def of_path(path: str) -> str:
    """The same of one path."""
    parts = path.split("/")
    container = unit = ""
    for before, part in zip(["", *parts], parts, strict=False):
        if matched := _CONTAINER.match(part):
            engine = matched[1] or next((one for one in (before, parts[1]) if one.isalpha()), "container")
            container, unit = f"{_ENGINES.get(engine, engine)} {matched[2][:_SHORT]}", ""
        elif matched := _NAMED.match(part):
            container, unit = " ".join(filter(None, matched.groups())), ""
        elif before == "lxc":
            container, unit = f"lxc {part}", ""
        elif _UNIT.match(part) and (part != _OF_A_MANAGER or not unit):
            unit = part
    if container and unit == _OF_A_MANAGER:
        unit = ""
    name = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), f"{container} {unit}".strip())
    return sanitise(_ID.sub(lambda digits: digits[0][:_SHORT], name)[:_LONGEST])
