"""A filter as the console shows it: compiled, listed in classic and eBPF form, each instruction in words.

compiler = FilterCompiler()
chosen = compiler.compile("tcp port 22", "socket-ebpf", interface)
chosen.lines[0].words                      # "A = the 2 bytes at 12, the EtherType"
"""

import re
from typing import Final, NamedTuple

from tui.bpf.classic.instructions import RET, Instruction, K, Program
from tui.bpf.classic.listing import instruction_text, listing
from tui.bpf.expressions import HOOKS, SNAPSHOT, Compiled, Compiler, ExpressionError, RejectsAll, completions
from tui.bpf.hooks.interfaces import find
from tui.collectors.packets import compiled_for
from tui.collectors.samples import Interface
from tui.collectors.wording import words
from tui.errors import BpfscopeError
from tui.owner import Owner
from tui.text import sanitise

__all__ = [
    "HOOKS",
    "ClassicLine",
    "ExpressionError",
    "Filter",
    "FilterCompiler",
    "HookChoice",
    "RejectsAll",
    "TranslatedLine",
    "completions",
]

BY: Final = ("flow", "proto", "src", "dst", "sport", "dport", "size", "hops", "gap", "")
"""What packets can be grouped by, in the order in which the console offers it; "" for nothing."""
BINNED: Final = ("size", "hops", "gap")

_DESCRIPTIONS: Final = {
    "socket": "classic BPF on a packet socket, as tcpdump has it; it can't group",
    "socket-ebpf": "a packet socket: both directions, as tcpdump sees them",
    "tcx-ingress": "what comes in, before other programs of traffic control",
    "tcx-egress": "what goes out, before other programs of traffic control",
    "xdp": "frames as they come from the wire, before everything else; it changes the traffic",
    "cgroup": "what processes of this machine send and receive, on all interfaces, without Ethernet headers",
}


class ClassicLine(NamedTuple):
    """An instruction of the classic program."""

    operation: str
    operand: str
    jumps: tuple[int, int] | None  # of a condition: what follows if it holds, and if not
    words: str  # what it does
    text: str  # as tcpdump -d has it, with its number


class TranslatedLine(NamedTuple):
    """An instruction of the translation."""

    slot: int
    instruction: int | None  # the classic one that it does a part of
    text: str


class Filter(NamedTuple):
    """An expression, made for one hook of one interface."""

    expression: str  # sanitised
    hook: str
    interface: Interface
    program: Program
    lines: tuple[ClassicLine, ...]
    translation: tuple[TranslatedLine, ...] = ()
    without: str = ""  # why there is no translation
    optimised: bool = True
    accepts_all: bool = False
    note: str = ""  # what to know of how it was made


class HookChoice(NamedTuple):
    """A place where a filter may run."""

    hook: str
    works: bool
    sees: str
    detail: str  # how it works here; or why it doesn't, with the remedy


EVERYTHING: Final = Compiled((Instruction(RET | K, k=SNAPSHOT),), optimised=True)
"""What libpcap makes of no expression."""


class FilterCompiler(Owner):
    """Makes filters; its child process is kept. One thread at a time."""

    def __init__(self) -> None:
        self._compiler = Compiler()

    def compile(
        self, expression: str, hook: str, interface: Interface, *, optimise: bool = True, seconds: float = 5.0
    ) -> Filter:
        """The filter. Raises ExpressionError (RejectsAll), TargetError, NotSupported."""
        if expression.strip():
            named = interface._replace(name=find(interface.ifindex).name)  # it may have been renamed
            where = compiled_for(hook, named)
            compiled = self._compiler.compile(expression, optimise=optimise, seconds=seconds, **where)
        else:
            compiled = EVERYTHING  # at once: libpcap's process need not have started
        translation, without = _translated(compiled.program, hook)
        return Filter(
            sanitise(expression),
            hook,
            interface,
            compiled.program,
            _lines(compiled.program, ethernet=compiled.link_type == "EN10MB"),
            translation,
            without,
            compiled.optimised,
            compiled.accepts_all,
            compiled.note,
        )

    def start(self) -> None:
        """Starts the child, so that the first answer comes sooner. Raises BpfscopeError."""
        self._compiler.start()

    def interrupt(self) -> None:
        """From another thread: what is being compiled isn't wanted any more."""
        self._compiler.interrupt()

    def close(self) -> None:
        """Ends the child."""
        self._compiler.close()


def choices() -> tuple[HookChoice, ...]:
    """Every hook, with the reason where it doesn't work here. Takes a moment, and can block."""
    from tui.bpf.hooks.support import hooks

    found = {hook.value: feature for hook, feature in hooks().items()}
    return tuple(
        HookChoice(
            name,
            found[name].works,
            _DESCRIPTIONS[name],
            found[name].detail if found[name].works else found[name].remedy or found[name].detail,
        )
        for name in ("socket-ebpf", "tcx-ingress", "tcx-egress", "xdp", "cgroup", "socket")
    )


def _lines(program: Program, *, ethernet: bool) -> tuple[ClassicLine, ...]:
    parts = (instruction_text(index, instruction) for index, instruction in enumerate(program))
    said = words(program, ethernet=ethernet)
    return tuple(
        ClassicLine(*part, sentence, re.sub(r"\s+", " ", text))
        for part, sentence, text in zip(parts, said, listing(program), strict=True)
    )


def _translated(program: Program, hook: str) -> tuple[tuple[TranslatedLine, ...], str]:
    """The translation for the hook; or why there is none."""
    from tui.bpf import engines
    from tui.bpf.classic.checker import check
    from tui.bpf.hooks.kinds import Hook

    try:
        check(program)
        lines = engines.lines(program, engines.KINDS[Hook(hook)])
    except BpfscopeError as error:
        return (), str(error)
    return tuple(TranslatedLine(line.slot, line.instruction, line.text) for line in lines), ""
