"""The control groups (v2) of this machine, and which programs are attached to each.

A cgroup's number is the inode of its folder, which links and the helpers of BPF programs know it by; it never comes
again. Walking costs 8 µs a cgroup where nothing changed: a folder's count of links is that of its subfolders + 2
(fs/kernfs/inode.c), so only folders in which that changed, or one of whose children has gone, are read again, the
latter the next time.
"""

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.inventory import info
from tui.errors import NotSupported
from tui.text import sanitise

MOST: Final = 20_000  # cgroups that are shown


class Group(NamedTuple):
    """A control group."""

    id: int
    parent: int  # 0: it is the root
    level: int  # 0: the root
    path: str  # sanitised, from the root: "/", "/system.slice/ssh.service"
    place: str  # its folder, as the system spells it


class Attached(NamedTuple):
    """A program at a cgroup."""

    attach_type: int  # enum bpf_attach_type
    program: int  # its number
    flags: int  # BPF_F_ALLOW_…: the same for all at this place
    link: int  # its number; 0: none holds it, it stays until the cgroup goes


class Tree:
    """All cgroups below a folder, again and again."""

    def __init__(self, mount: str) -> None:
        self.mount = mount
        self.hidden = False  # whether there are more than MOST, or some whose paths are too long for the system
        self._children: dict[str, tuple[int, tuple[str, ...]]] = {}  # by place: how many, and which

    def read(self) -> tuple[Group, ...]:
        """Each after the one that it is in, brothers and sisters by name. Raises NotSupported: the root is gone."""
        groups: list[Group] = []
        waiting = [(0, 0, "/", self.mount)]
        before, self._children = self._children, {}
        too_long = False
        while waiting and len(groups) < MOST:
            parent, level, path, place = waiting.pop()
            try:
                status = os.stat(place)
            except OSError as error:  # ended meanwhile, and another may have come
                too_long = too_long or error.errno == errno.ENAMETOOLONG
                self._children.pop(os.path.dirname(place), None)
                continue
            group = Group(status.st_ino, parent, level, path, place)
            groups.append(group)
            children = self._below(group, status.st_nlink - 2, before.get(place))
            prefix = path.removesuffix("/")
            waiting += [(group.id, level + 1, f"{prefix}/{sanitise(name)}", f"{place}/{name}") for name in children]
        self.hidden = bool(waiting) or too_long
        if not groups:
            raise NotSupported(f"cgroup v2 is no longer mounted at {sanitise(self.mount)}: start bpfscope anew")
        return tuple(groups)

    def _below(self, group: Group, number: int, before: tuple[int, tuple[str, ...]] | None) -> tuple[str, ...]:
        """The names of those that are in it, the last first."""
        place = group.place
        if before and before[0] == number:
            found = before[1]
        elif number > 0:
            found = _folders(place)
        else:
            found = ()
        self._children[place] = number, found
        return found


def _folders(place: str) -> tuple[str, ...]:
    try:
        with os.scandir(place) as entries:
            return tuple(sorted((one.name for one in entries if one.is_dir(follow_symlinks=False)), reverse=True))
    except OSError:  # ended meanwhile, or this user may not look
        return ()


def attach_types(programs: Iterable[info.Program]) -> tuple[int, ...]:
    """Where at cgroups these programs can be: asking for more would cost a call for each cgroup."""
    kinds = {one.type for one in programs} & kernel.CGROUP_ATTACH_TYPES.keys()
    return tuple(sorted({attach_type for kind in kinds for attach_type in kernel.CGROUP_ATTACH_TYPES[kind]}))


Links = dict[tuple[int, int, int], int]


def links() -> Links:
    """The numbers of links to cgroups, by cgroup, attach type and program."""
    found: Links = {}
    for link in info.links():
        if link.type == kernel.LINK_CGROUP:
            cgroup, attach_type = struct.unpack_from("QI", link.raw, 16)  # bpf_link_info.cgroup
            found[cgroup, attach_type, link.program] = link.id
    return found


def attached(group: Group, types: Iterable[int], linked: Links) -> Iterator[Attached]:
    """The programs that are attached to this cgroup itself, in the order in which they run."""
    try:
        folder = os.open(group.place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # ended meanwhile
        return
    try:
        for attach_type in types:
            try:
                numbers, flags = kernel.attached_programs(folder, attach_type)
            except OSError:  # a kernel that doesn't know this type
                continue
            for number in numbers:
                yield Attached(attach_type, number, flags, linked.get((group.id, attach_type, number), 0))
    finally:
        os.close(folder)
