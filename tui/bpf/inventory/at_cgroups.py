"""What is attached to cgroups (v2), told by BPF_PROG_QUERY for each of them: links too, which the caller knows already.

Only kinds of hooks are asked for of which there is a program: so a machine with 1,000 cgroups and systemd's programs
costs 3,000 calls.
"""

import contextlib
import errno
import os
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.hooks import cgroup
from tui.bpf.inventory import kinds
from tui.bpf.inventory.attachment import Attachment, position
from tui.errors import NotSupported
from tui.text import sanitise

_MOST: Final = 20_000  # cgroups that are looked at
_HOOKS: Final = {  # by types of programs
    "cgroup_skb": "cgroup_inet_ingress cgroup_inet_egress",
    "cgroup_sock": "cgroup_inet_sock_create cgroup_inet_sock_release cgroup_inet4_post_bind cgroup_inet6_post_bind",
    "cgroup_sock_addr": "cgroup_inet4_bind cgroup_inet6_bind cgroup_inet4_connect cgroup_inet6_connect"
    " cgroup_udp4_sendmsg cgroup_udp6_sendmsg cgroup_udp4_recvmsg cgroup_udp6_recvmsg cgroup_inet4_getpeername"
    " cgroup_inet6_getpeername cgroup_inet4_getsockname cgroup_inet6_getsockname cgroup_unix_connect"
    " cgroup_unix_sendmsg cgroup_unix_recvmsg cgroup_unix_getpeername cgroup_unix_getsockname",
    "cgroup_sockopt": "cgroup_getsockopt cgroup_setsockopt",
    "sock_ops": "cgroup_sock_ops",
    "cgroup_device": "cgroup_device",
    "cgroup_sysctl": "cgroup_sysctl",
    "lsm": "lsm_cgroup",
}
_MODES: Final = {0: "exclusive", 1: "may be overridden below", 2: ""}  # BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI


class Paths(NamedTuple):
    """The cgroups that there are."""

    root: str  # where cgroup v2 is mounted, "" where it isn't
    paths: dict[int, str]  # below that, by number, as the kernel has them, not sanitised
    missing: str = ""  # why some are left out


def tree() -> Paths:
    """All cgroups, but those whose paths are longer than the system takes."""
    try:
        root = cgroup.root()
        found = {os.stat(root).st_ino: "/"}
    except (NotSupported, OSError):
        return Paths("", {})
    below, missing = [root], ""
    while below and len(found) < _MOST:
        try:
            with os.scandir(below.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        found[entry.inode()] = entry.path.removeprefix(root.rstrip("/"))
                        below.append(entry.path)
        except OSError as error:  # removed meanwhile
            if error.errno == errno.ENAMETOOLONG:
                missing = f"cgroups: {error.strerror}"
    return Paths(root, found, f"cgroups: more than {_MOST:,}" if below else missing)


def queried(root: str, paths: dict[int, str], types: Collection[str]) -> Iterator[Attachment]:
    """What each of these cgroups has itself; `types`: of the programs that there are."""
    hooks = [hook for kind in types for hook in _HOOKS.get(kind, "").split()]
    numbers = [(kinds.attach_number(hook), hook.replace("_", "-")) for hook in hooks]
    for number, path in paths.items() if numbers else ():
        with contextlib.suppress(OSError):  # removed meanwhile
            opened = os.open(f"{root}/{path}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                yield from _of(opened, number, sanitise(path), numbers)
            finally:
                os.close(opened)


def _of(opened: int, number: int, where: str, hooks: list[tuple[int, str]]) -> Iterator[Attachment]:
    for kind, hook in hooks:
        try:
            programs, flags = kernel.attached_programs(opened, kind)
        except OSError:  # a hook that this kernel doesn't have
            continue
        for at, program in enumerate(programs):
            detail = ", ".join(filter(None, (position(at, len(programs)), _MODES.get(flags, f"flags {flags}"))))
            yield Attachment(hook, where, program, detail=detail, cgroup=number)
