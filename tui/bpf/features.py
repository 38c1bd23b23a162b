"""What this kernel and this user can do, found by trying, with the version that brought it and the remedy.

The attach method is chosen here: uprobe_multi links with the kernel's own process filter (6.10), the same with a
filter in the program (6.6 to 6.9, whose filter takes a pid for one thread), or perf events (5.15).
"""

import errno
import os
from enum import Enum
from typing import Final, NamedTuple

from tui import cache
from tui.bpf import kernel
from tui.bpf.objects import refusal
from tui.errors import BpfscopeError, NotSupported

_INITIAL_PID_NAMESPACE: Final = 0xEFFFFFFC  # inode of /proc/1/ns/pid outside of containers (include/linux/proc_ns.h)
_CAPABILITIES: Final = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21}
_RETURN_0: Final = b"\xb7\x00\x00\x00\x00\x00\x00\x00\x95\x00\x00\x00\x00\x00\x00\x00"


class Method(Enum):
    """How uprobes are attached here."""

    MULTI = "uprobe_multi"
    MULTI_FILTERED = "uprobe_multi, processes told apart by the program"
    PERF_EVENT = "perf events"


class Feature(NamedTuple):
    """One thing that the machine can or can't do."""

    name: str
    works: bool
    detail: str
    remedy: str = ""  # what to do where it doesn't work
    needed: bool = True  # without it nothing can be probed


def attach_method() -> Method:
    """The best way to attach uprobes here. Raises NotPermitted, NotSupported."""
    try:
        program = kernel.program_load(kernel.PROG_TYPE_KPROBE, kernel.ATTACH_UPROBE_MULTI, _RETURN_0, "feature")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise refusal(error, "load a BPF program") from None
    else:
        try:
            answer = _multi_answer(program)
        finally:
            os.close(program)
        if answer == errno.EINVAL:  # 6.10 refuses a negative pid; 6.6 goes on to find that / is no file
            return Method.MULTI
        if answer == errno.EBADF:
            return Method.MULTI_FILTERED if sees_real_pids() else Method.PERF_EVENT
    if not os.path.exists("/sys/bus/event_source/devices/uprobe/type"):
        raise NotSupported("this kernel has no uprobes: it needs CONFIG_UPROBE_EVENTS=y, and /sys mounted")
    return Method.PERF_EVENT


def _multi_answer(program: int) -> int:
    """The error of a link to nowhere; EINVAL also where the kernel doesn't know such links, so pid 0 is asked first."""
    answers: list[int] = []
    for pid in (0, -1):
        try:
            os.close(kernel.link_uprobe_multi(program, "/", [0], [0], pid))
        except OSError as error:
            answers.append(error.errno or 0)
    if answers[:1] != [errno.EBADF]:
        return 0
    return answers[-1]


def sees_real_pids() -> bool:
    """Whether the pids we see are those that programs see: outside of containers."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _INITIAL_PID_NAMESPACE
    except OSError:
        return False


def probe() -> list[Feature]:
    """Everything `bpfscope doctor` prints."""
    needed = [_release(), _capabilities(), _permission(), _uprobes(), _method()]
    return [*needed, _mapped_files(), _perf_events(), _sampling(), *_hooks(), _compiler(), _cache()]


def _release() -> Feature:
    system = os.uname()
    supported = system.machine in ("x86_64", "aarch64")
    remedy = "" if supported else "bpfscope runs on x86-64 and arm64"
    return Feature("machine", supported, f"Linux {system.release}, {system.machine}", remedy)


def _capabilities() -> Feature:
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            effective = next((int(line.split()[1], 16) for line in file if line.startswith("CapEff:")), 0)
    except OSError:
        return Feature("capabilities", False, "unknown: there is no /proc", "mount /proc")
    all_powerful = effective >> _CAPABILITIES["CAP_SYS_ADMIN"] & 1  # it includes CAP_BPF and CAP_PERFMON
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if all_powerful:
        missing = [name for name in missing if name == "CAP_SYS_PTRACE"]
    if missing:
        return Feature(
            "capabilities", False, f"without {', '.join(missing)}", "run as root, or with these", needed=False
        )
    return Feature("capabilities", True, ", ".join(_CAPABILITIES), needed=False)


def _permission() -> Feature:
    try:
        os.close(kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 1, kernel.F_MMAPABLE, "feature"))
        os.close(kernel.program_load(kernel.PROG_TYPE_KPROBE, 0, _RETURN_0, "feature"))
    except OSError as error:
        return Feature("bpf", False, error.strerror or "", str(refusal(error, "load BPF programs")))
    return Feature("bpf", True, "maps and programs can be loaded")


def _uprobes() -> Feature:
    works = os.path.exists("/sys/bus/event_source/devices/uprobe/type")
    remedy = "" if works else "use a kernel with CONFIG_UPROBE_EVENTS=y, and mount /sys"
    return Feature("uprobes", works, "the kernel has them" if works else "missing", remedy)


def _method() -> Feature:
    try:
        method = attach_method()
    except BpfscopeError as error:
        return Feature("attach", False, "no way to attach uprobes", str(error))
    if method is Method.PERF_EVENT:
        return Feature(
            "attach",
            True,
            "perf events: at most 100 functions at once, 0.1 s each to detach",
            "Linux 6.6 brought uprobe_multi: thousands of functions at once",
        )
    return Feature("attach", True, f"{method.value}: thousands of functions at once")


def _mapped_files() -> Feature:
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            addresses = next(line.split()[0] for line in file if "/" in line)
        start, end = (int(part, 16) for part in addresses.split("-"))
        os.stat(f"/proc/self/map_files/{start:x}-{end:x}")
    except (OSError, StopIteration):
        return Feature(
            "mapped files",
            False,
            "the files that processes map can't be opened",
            "run as root, or with CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (5.9)",
            needed=False,
        )
    return Feature("mapped files", True, "replaced and deleted executables can be probed too", needed=False)


def _perf_events() -> Feature:
    try:
        with open("/proc/sys/kernel/perf_event_paranoid", encoding="ascii") as file:
            level = file.read().strip()
    except OSError:
        return Feature("perf events", False, "missing", "use a kernel with CONFIG_PERF_EVENTS=y", needed=False)
    return Feature("perf events", True, f"kernel.perf_event_paranoid = {level}", needed=False)


def _sampling() -> Feature:
    from tui.bpf.sampling import HERTZ, Ticks

    try:
        Ticks([]).close()
    except (BpfscopeError, OSError) as error:
        return Feature(
            "CPU sampling", False, "functions are shown without shares of CPU time", str(error), needed=False
        )
    return Feature("CPU sampling", True, f"each function's share of CPU time, {HERTZ} times a second", needed=False)


def _hooks() -> list[Feature]:
    from tui.bpf.hooks import support

    return [*dict.fromkeys(support.hooks().values()), support.leftovers()]


def _compiler() -> Feature:
    from importlib.util import find_spec

    if find_spec("bcc") is None:
        return Feature(
            "bcc",
            False,
            "not found: only the programs that come compiled can be loaded",
            "apt install python3-bpfcc",
            needed=False,
        )
    return Feature("bcc", True, "C programs can be compiled", needed=False)


def _cache() -> Feature:
    found = [cache.folder(kind) for kind in ("objects", "functions")]
    if reason := next((reason for _, reason in found if reason), ""):
        remedy = "symbols are read anew each time; give XDG_CACHE_HOME a folder of yours with room in it"
        return Feature("cache", False, reason, remedy, needed=False)
    return Feature("cache", True, os.path.dirname(found[0][0]), needed=False)
