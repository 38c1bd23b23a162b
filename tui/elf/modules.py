"""The ELF files that a process maps, or one file by its path."""

import os
from collections import Counter
from contextlib import suppress
from typing import Final, NamedTuple

from tui.elf import rooted
from tui.elf.names import Module
from tui.errors import NotPermitted, TargetError
from tui.text import sanitise

_REMEDY: Final = (
    "run as root, or with CAP_SYS_PTRACE",
    "not even root may here: CAP_SYS_PTRACE is gone, it runs outside of this container, or is protected",
)


class Mapping(NamedTuple):
    """A part of a file that a process has mapped to execute; numbers are bytes."""

    start: int
    end: int
    offset: int
    refused: str  # why the kernel puts no probe there


class Region(NamedTuple):
    """A part of a process's memory that it may execute; numbers are bytes."""

    start: int
    end: int
    offset: int  # in the file; 0 without one
    module: Module | None  # the file that is mapped there; its name is not made unique
    label: str = ""  # what the kernel calls memory without a file: "[vdso]"; often nothing; sanitised


def of_file(path: str) -> Module:
    """The module of an executable or library on disk. Raises TargetError."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise TargetError(f"cannot open {sanitise(path)}: {error.strerror}") from None
    return Module(
        sanitise(os.path.basename(path)), sanitise(path), os.path.realpath(path), status.st_dev, status.st_ino
    )


def of_process(pid: int) -> tuple[Module, ...]:
    """What the process maps executable, its executable first, then by name; last what a JIT compiler made.

    Raises TargetError, NotPermitted.
    """
    lines = _lines(pid := teller(pid))
    if not lines:
        raise TargetError(f"process {pid} has no program of its own (a kernel thread, or it has just ended)")
    executable = _identity(f"/proc/{pid}/exe")
    if executable is None and _forbidden(f"/proc/{pid}/exe"):
        raise NotPermitted(f"cannot look into process {pid}: {_REMEDY[os.geteuid() == 0]}")
    found: dict[tuple[int, int], Module] = {}
    for line in lines:
        parsed = _parse(pid, line)
        if parsed:
            found.setdefault((parsed[0].device, parsed[0].inode), parsed[0])
    if not found:
        raise TargetError(f"process {pid} maps no file that it could execute")
    modules = sorted(found.values(), key=lambda module: ((module.device, module.inode) != executable, module.name))
    return _unique(modules + _made(pid))


def teller(pid: int) -> int:
    """By whose number /proc tells what a process maps: another thread's where its main thread has ended before it."""
    try:
        os.stat(f"/proc/{pid}/exe")
    except FileNotFoundError:
        with suppress(OSError):  # it has ended as a whole
            return max(map(int, os.listdir(f"/proc/{pid}/task")))
    except OSError:
        return pid
    return pid


def only_executable(pid: int) -> Module:
    """The process's executable. Raises TargetError, NotPermitted."""
    return of_process(pid)[0]


def mappings(pid: int) -> dict[tuple[int, int], list[Mapping]]:
    """Where it maps each module, by the module's device and inode. Raises TargetError, NotPermitted."""
    found: dict[tuple[int, int], list[Mapping]] = {}
    for line in _lines(pid):
        parsed = _parse(pid, line)
        if parsed:
            found.setdefault((parsed[0].device, parsed[0].inode), []).append(parsed[1])
    return found


def trampolines(pid: int) -> list[range]:
    """Where the kernel has put what probed nops of a process call (6.18); nothing where there is no such process."""
    found = []
    try:
        lines = _lines(pid)
    except (NotPermitted, TargetError):
        return []
    for line in lines:
        if line.endswith(b" [uprobes-trampoline]"):
            start, end = (int(part, 16) for part in line.split(None, 1)[0].split(b"-"))
            found.append(range(start, end))
    return found


def executable_lines(pid: int) -> list[bytes]:
    """What /proc/PID/maps says of memory that can be executed. Raises TargetError, NotPermitted."""
    return [line for line in _lines(pid) if any(b"x" in rights for rights in line.split(None, 2)[1:2])]


def regions(pid: int, lines: list[bytes]) -> list[Region]:
    """What these lines say, in the order of addresses, with what map_files has of them now."""
    found = []
    for line in lines:
        if parsed := _parse(pid, line):
            module, (start, end, offset, _) = parsed
            found.append(Region(start, end, offset, module))
        else:
            fields = line.split(None, 5)
            start, end = (int(part, 16) for part in fields[0].split(b"-"))
            label = fields[5].decode("utf-8", "surrogateescape") if len(fields) > 5 else ""
            found.append(Region(start, end, 0, None, sanitise(label)))
    return found


def _lines(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            return file.read().split(b"\n")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        raise TargetError(f"there is no process {pid}: `bpfscope ps` lists them") from None
    except PermissionError:
        raise NotPermitted(f"cannot look into process {pid}: {_REMEDY[os.geteuid() == 0]}") from None


def _parse(pid: int, line: bytes) -> tuple[Module, Mapping] | None:
    """A module and where it is, of one line of /proc/PID/maps (proc(5)): only file mappings that can be executed."""
    fields = line.split(None, 5)
    if len(fields) < 6 or b"x" not in fields[1] or fields[4] == b"0" or not fields[5].startswith(b"/"):
        return None
    path = fields[5].decode("utf-8", "surrogateescape").replace("\\012", "\n")
    major, minor = (int(part, 16) for part in fields[3].split(b":"))
    file = f"/proc/{pid}/map_files/{_padless(fields[0])}"
    identity = _identity(file)
    if identity is None:  # not for this user; the file by that name will do if it is still the same
        identity = _identity_inside(f"/proc/{pid}/root", path)
        if identity and identity[1] == int(fields[4]):
            file = f"/proc/{pid}/root{path}"
    device, inode = identity or (os.makedev(major, minor), int(fields[4]))
    shown = sanitise(path)
    start, end = (int(part, 16) for part in fields[0].split(b"-"))
    how = "writable" if b"w" in fields[1] else "shared" if fields[1].endswith(b"s") else ""
    refused = f"its code is mapped {how}, where the kernel puts no probe" if how else ""
    module = Module(os.path.basename(shown.removesuffix(" (deleted)")), shown, file, device, inode, f"/proc/{pid}/root")
    return module, Mapping(start, end, int(fields[2], 16), refused)


def _padless(addresses: bytes) -> str:
    """map_files leaves out the leading zeroes that maps prints for low addresses."""
    return "-".join(f"{int(part, 16):x}" for part in addresses.split(b"-"))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _identity_inside(root: str, path: str) -> tuple[int, int] | None:
    try:
        return rooted.identity(root, path)
    except OSError:
        return None


def _forbidden(path: str) -> bool:
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _made(pid: int) -> list[Module]:
    """What a JIT compiler has made in the process, if it keeps a map of it."""
    try:
        here = os.path.samefile(f"/proc/{pid}/ns/pid", "/proc/self/ns/pid")
    except OSError:
        return []
    if here and not os.path.lexists(f"/proc/{pid}/root/tmp/perf-{pid}.map"):
        return []
    from tui.elf import perf_map

    made = perf_map.module(pid)
    return [made] if made else []


def _unique(modules: list[Module]) -> tuple[Module, ...]:
    """Two files of one name get their folders' names too; those of one path (both deleted), a number."""
    names, paths = (Counter(getattr(module, part) for module in modules) for part in ("name", "path"))
    result, seen = [], Counter[str]()
    for module in modules:
        seen[module.path] += 1
        if names[module.name] > 1:
            number = f" #{seen[module.path]}" if paths[module.path] > 1 else ""
            module = module._replace(name=module.path.lstrip("/") + number)
        result.append(module)
    return tuple(result)
