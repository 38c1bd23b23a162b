"""Where a program of the user's own is to run, as people write it: `uprobe:/usr/bin/bash:readline`. Pure.

A function's name may say it already, as bcc's names do: `tracepoint__sched__sched_switch`, as TRACEPOINT_PROBE makes
it. A source may too, in a comment: `// hook: perf:page-faults`, or for one of several `// hook on_fault: perf:faults`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.errors import NotSupported, UsageError

UPROBES: Final = ("uprobe", "uretprobe", "usdt")
KPROBES: Final = ("kprobe", "kretprobe")
PACKETS: Final = ("socket", "tcx-ingress", "tcx-egress", "xdp")  # of an interface
KINDS: Final = {
    "uprobe": "uprobe:TARGET:FUNCTION, TARGET a path, a pid or a process",
    "uretprobe": "uretprobe:TARGET:FUNCTION, when it returns",
    "usdt": "usdt:TARGET:PROVIDER:NAME",
    "kprobe": "kprobe:FUNCTION of the kernel, where it has kprobes",
    "kretprobe": "kretprobe:FUNCTION",
    "tracepoint": "tracepoint:CATEGORY:EVENT, as perf list has them",
    "raw": "raw:EVENT, the tracepoint with the kernel's own arguments",
    "perf": "perf:EVENT, perf:EVENT:COUNT or perf:EVENT:99hz (page-faults, cycles, …)",
    "socket": "socket and IFACE: a copy of each packet, both directions",
    "tcx-ingress": "tcx-ingress and IFACE",
    "tcx-egress": "tcx-egress and IFACE",
    "xdp": "xdp and IFACE",
    "cgroup": "cgroup, or cgroup and a path: what its processes receive and send",
}
_TYPES: Final = {
    **dict.fromkeys((*UPROBES, *KPROBES), kernel.PROG_TYPE_KPROBE),
    "tracepoint": kernel.PROG_TYPE_TRACEPOINT,
    "raw": kernel.PROG_TYPE_RAW_TRACEPOINT,
    "perf": kernel.PROG_TYPE_PERF_EVENT,
    "socket": kernel.PROG_TYPE_SOCKET_FILTER,
    "tcx-ingress": kernel.PROG_TYPE_SCHED_CLS,
    "tcx-egress": kernel.PROG_TYPE_SCHED_CLS,
    "xdp": kernel.PROG_TYPE_XDP,
    "cgroup": kernel.PROG_TYPE_CGROUP_SKB,
}
_NAMED: Final = (("raw_tracepoint__", "raw"), ("kprobe__", "kprobe"), ("kretprobe__", "kretprobe"))
_UNKNOWN: Final = ("kfunc__", "kretfunc__", "kmod_ret__", "lsm__", "bpf_iter__", "syscall__")
_COMMENT: Final = re.compile(r"^\s*(?://|/\*|\*)\s*hook(?:\s+(\w+))?\s*:\s*(\S+)", re.MULTILINE)
_RATE: Final = re.compile(r"(\d{1,12})(hz)?", re.IGNORECASE)
_MOST_HERTZ: Final = 10_000

EVENTS: Final = {  # of perf_event_open(2): kind (0 hardware, 1 software), number
    "cpu-cycles": (0, 0), "cycles": (0, 0), "instructions": (0, 1), "cache-references": (0, 2), "cache-misses": (0, 3),
    "branches": (0, 4), "branch-instructions": (0, 4), "branch-misses": (0, 5), "bus-cycles": (0, 6),
    "stalled-cycles-frontend": (0, 7), "stalled-cycles-backend": (0, 8), "ref-cycles": (0, 9),
    "cpu-clock": (1, 0), "task-clock": (1, 1), "page-faults": (1, 2), "faults": (1, 2), "context-switches": (1, 3),
    "cs": (1, 3), "cpu-migrations": (1, 4), "migrations": (1, 4), "minor-faults": (1, 5), "major-faults": (1, 6),
    "alignment-faults": (1, 7), "emulation-faults": (1, 8), "cgroup-switches": (1, 11),
}  # fmt: skip
_SAMPLED: Final = ("cpu-clock", "task-clock")  # by frequency unless somebody says otherwise, as all of the hardware's


class Place(NamedTuple):
    """Where one function runs."""

    kind: str  # of KINDS
    target: str = ""  # a path, pid, process, interface, cgroup, or a tracepoint's category
    name: str = ""  # a function's, an event's; PROVIDER:NAME
    period: int = 0  # of perf events: one in so many
    hertz: int = 0  # or so many times a second

    @property
    def program_type(self) -> int:
        """What a program there is loaded as."""
        return _TYPES[self.kind]

    @property
    def text(self) -> str:
        """As it is written: tracepoint:sched:sched_switch."""
        rate = f"{self.hertz}hz" if self.hertz else str(self.period) if self.period > 1 else ""
        return ":".join(part for part in (self.kind, self.target, self.name, rate) if part)


def parse(text: str, target: str = "") -> Place:
    """A hook as it is written, and what is named beside it: an interface or a cgroup. Raises UsageError."""
    kind, _, rest = text.partition(":")
    if kind == "socket-ebpf":
        kind = "socket"
    if kind not in KINDS:
        raise UsageError(f"there is no hook {kind or 'without a name'}; there are {', '.join(KINDS)}")
    if kind in PACKETS or kind == "cgroup":
        if rest and target:
            raise UsageError(f"{text} and {target}: name one of them")
        if not (rest or target) and kind != "cgroup":
            raise UsageError(f"the hook {kind} needs an interface: --hook {kind} eth0")
        return Place(kind, rest or target)
    if target:
        raise UsageError(f"the hook {kind} takes no {target} beside it: {KINDS[kind]}")
    if kind in KPROBES or kind == "raw":
        if not re.fullmatch(r"[\w.]+", rest):
            raise UsageError(f"{text}: {KINDS[kind]}")
        return Place(kind, "", rest)
    if kind == "perf":
        return _perf(rest, text)
    where, _, name = rest.partition(":")
    if not (where and name) or (kind == "usdt" and ":" not in name):
        raise UsageError(f"{text}: {KINDS[kind]}")
    return Place(kind, where, name)


def _perf(rest: str, text: str) -> Place:
    name, _, rate = rest.partition(":")
    if name not in EVENTS:
        raise UsageError(f"there is no perf event {name or 'without a name'}; there are {', '.join(EVENTS)}")
    if not rate:
        often = EVENTS[name][0] == 0 or name in _SAMPLED
        return Place("perf", "", name, 0 if often else 1, 99 if often else 0)
    found = _RATE.fullmatch(rate)
    number = int(found[1]) if found else 0
    if not found or not number or (found[2] and number > _MOST_HERTZ):
        raise UsageError(f"{text}: {KINDS['perf']}, at most {_MOST_HERTZ:,}hz")
    return Place("perf", "", name, *((0, number) if found[2] else (number, 0)))


def named(function: str) -> Place | None:
    """Where a function runs by its name. Raises NotSupported for what bcc's names say and bpfscope can't."""
    if function.startswith("tracepoint__"):
        category, _, event = function.removeprefix("tracepoint__").partition("__")
        return Place("tracepoint", category, event)
    for prefix, kind in _NAMED:
        if function.startswith(prefix):
            return Place(kind, "", function.removeprefix(prefix))
    if prefix := next((each for each in _UNKNOWN if function.startswith(each)), ""):
        raise NotSupported(
            f"{function}: bpfscope attaches no {prefix.rstrip('_')} programs; use TRACEPOINT_PROBE or"
            " RAW_TRACEPOINT_PROBE"
        )
    return None


def noted(source: str) -> dict[str, str]:
    """The hooks that a source's comments name, by function; of the one that is meant without a name by ""."""
    return {found[1] or "": found[2] for found in _COMMENT.finditer(source)}


def chosen(
    functions: Sequence[str], source: str, hooks: Mapping[str, Place], only: str = "", target: str = ""
) -> dict[str, Place]:
    """Where each function runs. What a person says (`hooks`, by function, "" for the one that has no place yet) counts
    more than a comment, and this more than its name. `only`: nothing but this function. `target`: the interface or the
    cgroup of hooks that comments name.

    Raises UsageError where a function has no place, a hook no function, or there is no function at all.
    """
    if only and only not in functions:
        raise UsageError(f"there is no function {only}; there are {', '.join(functions)}")
    functions = [only] if only else list(functions)
    if not functions:
        raise UsageError(
            "there is no program in it: a program is a function that isn't static, as int count(struct pt_regs *ctx)"
        )
    if missing := [name for name in hooks if name and name not in functions]:
        raise UsageError(f"there is no function {missing[0]}; there are {', '.join(functions)}")
    notes = {name: _with(text, target) for name, text in noted(source).items()}
    comments = {name: parse(*words) for name, words in notes.items() if name in functions}
    found = {name: place for name in functions if (place := hooks.get(name) or comments.get(name))}
    if only and "" in hooks:
        found[only] = hooks[""]
    found |= {name: place for name in functions if name not in found and (place := named(name))}
    left = [name for name in functions if name not in found]
    one = hooks.get("") if not only else None
    if one is None and len(left) == 1 and (words := notes.get("")):
        one = parse(*words)
    if one is not None and len(left) == 1:
        found[left[0]] = one
    elif one is not None:
        raise _unclear(functions, left)
    elif left:
        raise UsageError(
            f"where is {left[0]} to run? --hook says it ({', '.join(KINDS)})" if len(left) == 1
            else f"where are {', '.join(left)} to run? --hook FUNCTION=HOOK says it, once for each;"
            " --function NAME loads only one"
        )  # fmt: skip
    return {name: found[name] for name in functions}


def _with(text: str, target: str) -> tuple[str, str]:
    """What `parse` takes: a target goes to hooks that lack one."""
    return text, target if text in (*PACKETS, "socket-ebpf", "cgroup") else ""


def _unclear(functions: Sequence[str], left: Sequence[str]) -> UsageError:
    if not left:
        if len(functions) == 1:
            return UsageError(
                f"{functions[0]} says by its name where it runs; --function {functions[0]} makes the hook count"
            )
        return UsageError(f"all functions say by their names where they run ({', '.join(functions)}): leave --hook out")
    return UsageError(
        f"several functions could be meant: {', '.join(left)}. Say which by --function NAME (only that one is loaded),"
        " or give each its own: --hook NAME=HOOK"
    )
