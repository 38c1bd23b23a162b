"""Filter expressions (pcap-filter(7)) to classic BPF, by libpcap in a child process.

    compile_expression("tcp and port 22").program

    with Compiler() as compiler:          # keeps its child: an answer takes a millisecond, instead of 60
        compiler.compile("tcp and po")    # ExpressionError: reason, column

libpcap's optimiser can take minutes (27 s for 500 hosts), so the program is made without it first, and that is what
there is where the optimiser is late. Names are looked up in this machine's files; over the network only if asked to.
"""

from typing import Any, Final, NamedTuple

from tui.bpf import link_types
from tui.bpf.classic.instructions import Instruction, Program
from tui.bpf.expression_errors import REJECTS_ALL, explain, pointer
from tui.bpf.expression_words import completions, keywords
from tui.bpf.pcap import Answer, Ended, Late, Libpcap
from tui.errors import TargetError, UsageError
from tui.owner import Owner
from tui.text import sanitise

__all__ = [
    "HOOKS",
    "SNAPSHOT",
    "Compiled",
    "Compiler",
    "ExpressionError",
    "RejectsAll",
    "Wanted",
    "compile_by",
    "compile_expression",
    "completions",
    "for_hook",
    "keywords",
]

SNAPSHOT: Final = 262_144  # bytes of a packet that a program asks for: tcpdump's default
HOOKS: Final = ("socket", "socket-ebpf", "tcx-ingress", "tcx-egress", "xdp", "cgroup")
"""Where a program may run, by the values of bpf.hooks.Hook, whose import would take as long as compiling does."""

_LONGEST: Final = 1 << 18  # letters of an expression: more than enough for any program that a kernel takes
_LARGEST_SNAPSHOT: Final = (1 << 31) - 1
_LONGEST_NAME: Final = 15  # bytes of an interface's (IFNAMSIZ)

_ON_SKBS: Final = frozenset(HOOKS[:4])  # they see tags as metadata


class ExpressionError(UsageError):
    """An expression that libpcap refuses: `reason`, and the `column` in it (from 0; None where the whole is wrong)."""

    def __init__(self, reason: str, text: str, column: int | None = None) -> None:
        """`text`: the expression, sanitised."""
        self.reason, self.column = reason, column
        where = "" if column is None else f"\n{pointer(text, column)}"
        super().__init__(f"{reason}{where}")


class RejectsAll(ExpressionError):
    """No packet can match: libpcap's optimiser gives no program then. Without it there is one."""


class Compiled(NamedTuple):
    """A program, and what a person should know about how it was made."""

    program: Program
    optimised: bool
    link_type: str = "EN10MB"  # what it takes packets to begin with
    note: str = ""

    @property
    def accepts_all(self) -> bool:
        """Whether it lets every packet pass, and that is plain to see."""
        code, _, _, k = self.program[0]
        return code == 0x06 and k > 0  # ret #k


class Wanted(NamedTuple):
    """What to compile for."""

    link_type: str = "EN10MB"
    interface: str | None = None  # as a live capture there has packets; then the link type is the interface's
    file: bool = False  # as the child's capture file has them
    optimise: bool = True
    snapshot: int = SNAPSHOT


class Compiler(Owner):
    """Compiles again and again; owns the child, which is ended and made anew when it is late. One thread at a time."""

    def __init__(self, *, resolve: bool = False) -> None:
        """`resolve`: names may be looked up over the network."""
        self._libpcap = Libpcap(resolve=resolve)

    def compile(
        self,
        text: str,
        *,
        link_type: str = "EN10MB",
        interface: str | None = None,
        optimise: bool = True,
        snapshot: int = SNAPSHOT,
        seconds: float = 5.0,
    ) -> Compiled:
        """The program of an expression, for packets of a link type, or as a live capture on the interface has them.

        An interface's takes CAP_NET_RAW, without which there is a note, and `vlan` doesn't see tags that the kernel has
        taken off. Raises ExpressionError (RejectsAll), TargetError where there is no such interface, UsageError.
        """
        wanted = Wanted(link_type, interface, optimise=optimise, snapshot=snapshot)
        return compile_by(self._libpcap, text, wanted, seconds)

    def start(self) -> None:
        """Starts the child before it is needed."""
        self._libpcap.start()

    def interrupt(self) -> None:
        """From another thread: `compile` returns what it has, or raises, at once."""
        self._libpcap.interrupt()

    def close(self) -> None:
        """Ends the child."""
        self._libpcap.close()


def compile_expression(
    text: str,
    *,
    link_type: str = "EN10MB",
    interface: str | None = None,
    optimise: bool = True,
    snapshot: int = SNAPSHOT,
    seconds: float = 5.0,
    resolve: bool = False,
) -> Compiled:
    """The program of one expression, as `Compiler.compile`."""
    with Libpcap(resolve=resolve) as libpcap:
        wanted = Wanted(link_type, interface, optimise=optimise, snapshot=snapshot)
        return compile_by(libpcap, text, wanted, seconds)


def compile_by(libpcap: Libpcap, text: str, wanted: Wanted, seconds: float) -> Compiled:
    """The best program that this child gives within the time. Raises as `Compiler.compile`."""
    text = _checked(text)
    if not 0 < wanted.snapshot <= _LARGEST_SNAPSHOT:
        raise UsageError(f"a snapshot has 1 to {_LARGEST_SNAPSHOT:,} bytes")
    if wanted.interface is not None:
        _check_interface(wanted.interface)
    request = wanted._asdict() | {"kind": "compile", "text": text, "link_type": link_types.number(wanted.link_type)}
    heard, late = _Heard(), ""
    try:
        for answer in libpcap.answers(request, seconds):
            heard.take(answer)
    except Late:
        late = f"libpcap didn't finish within {seconds:g} s"
    except Ended as error:
        late = f"libpcap broke off ({error}): the expression is too long, or nested too deep"
    return heard.result(text, late, wanted, resolved=libpcap.resolves)


class _Heard:
    """What the child has said."""

    def __init__(self) -> None:
        self._programs: list[Compiled] = []
        self._reason, self._failure, self._plain = "", "", ""
        self._column: int | None = None

    def take(self, answer: Answer) -> None:
        """One answer of those to "compile" in pcap_child.py."""
        if rows := answer.get("program"):
            program = tuple(Instruction(*row) for row in rows)
            self._programs.append(Compiled(program, answer["optimised"], link_types.name(answer["link_type"])))
        self._reason = answer.get("error", self._reason)
        self._failure = answer.get("failed", self._failure)
        self._plain = answer.get("plain", self._plain)
        self._column = answer.get("column", self._column)

    def result(self, text: str, late: str, wanted: Wanted, *, resolved: bool) -> Compiled:
        """The best of the programs. Raises as `Compiler.compile`."""
        text, reason = sanitise(text), sanitise(self._reason)
        if reason == REJECTS_ALL:
            raise RejectsAll("no packet can match: the expression contradicts itself", text)
        if not self._programs:
            if self._failure:
                raise TargetError(f"{sanitise(wanted.interface or 'libpcap')}: {sanitise(self._failure)}")
            raise ExpressionError(*(explain(reason, text, self._column, resolved) if reason else (late, text)))
        best, notes = self._programs[-1], []
        if self._plain:
            notes.append(
                f"made as for a file, not as for {sanitise(wanted.interface or '')}: {sanitise(self._plain)};"
                " `vlan` doesn't see tags that the kernel took off"
            )
        if wanted.optimise and not best.optimised:
            notes.append(f"not optimised: {late or reason or sanitise(self._failure)}")
        return best._replace(note="; ".join(notes))


def for_hook(hook: str, interface: str | None) -> dict[str, Any]:
    """How to compile for what one of HOOKS sees, as arguments of `compile`.

    Sockets and tcx see packets as a live capture does, tags in metadata: without an interface, as Ethernet on `lo`. XDP
    sees frames as they came, cgroups begin with the network header.
    """
    if hook in _ON_SKBS:
        return {"interface": interface or "lo"}
    return {"link_type": "RAW" if hook == "cgroup" else "EN10MB"}


def _checked(text: str) -> str:
    """The text as libpcap can take it. Raises ExpressionError."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"an expression can have {_LONGEST:,} letters, this one has {len(text):,}", "")
    if "\0" in text:
        raise ExpressionError("an expression can't contain a zero byte", sanitise(text), text.index("\0"))
    return text.encode(errors="replace").decode()


def _check_interface(name: str) -> None:
    """Raises TargetError where no interface can have the name."""
    if not name or not name.isprintable() or len(name.encode(errors="replace")) > _LONGEST_NAME:
        raise TargetError(f"{sanitise(name) or 'an empty name'}: there is no such interface")
