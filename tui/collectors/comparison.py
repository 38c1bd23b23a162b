"""One filter over a capture file, by every engine that there is: whether they agree is to be seen, not believed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final, NamedTuple

from tui.bpf.classic import CheckError, Dialect, Program, check
from tui.bpf.engines import Engine, LibpcapEngine, MachineEngine, RunEngine, SocketEngine
from tui.bpf.extended.translate import Kind
from tui.bpf.savefile import Savefile
from tui.errors import BpfscopeError

_WITHOUT_LINK_HEADER: Final = frozenset({"RAW", "IPV4", "IPV6"})


class Tally(NamedTuple):
    """What one engine said of the packets."""

    engine: str
    total: int
    matched: int
    left_out: int = 0  # packets that it doesn't take; the total is without them
    reason: str = ""  # why it didn't run

    @property
    def ran(self) -> bool:
        """Whether the numbers mean anything."""
        return not self.reason


class Comparison(NamedTuple):
    """What all engines said."""

    tallies: tuple[Tally, ...]
    packets: int
    cut: int  # packets that weren't captured to their end
    ended: str  # why reading stopped before the end of the file

    @property
    def agree(self) -> bool:
        """Whether all that took every packet matched as many."""
        return len({tally.matched for tally in self.tallies if tally.ran and not tally.left_out}) <= 1


def compare(file: Savefile, program: Program) -> Comparison:
    """Runs them all. Raises BpfscopeError for a file or a program that libpcap doesn't take."""
    with ExitStack() as stack:
        running: list[tuple[str, Engine]] = []
        missing: dict[str, str] = {}
        for name, make in _engines(file, program):
            try:
                running.append((name, stack.enter_context(make())))
            except BpfscopeError as error:
                missing[name] = str(error)
        results = [_Results() for _ in running]
        packets = cut = 0
        for packet in file.packets(program):
            packets += 1
            cut += len(packet.data) < packet.length
            for (_, engine), result in zip(running, results, strict=True):
                result.add(engine.matches(packet))
    told = {name: result.tally(name) for (name, _), result in zip(running, results, strict=True)}
    tallies = tuple(told.get(name) or Tally(name, 0, 0, 0, missing[name]) for name, _ in _engines(file, program))
    return Comparison(tallies, packets, cut, file.ended)


class _Results:
    """Of one engine."""

    def __init__(self) -> None:
        self._counts = {True: 0, False: 0, None: 0}

    def add(self, result: bool | None) -> None:
        self._counts[result] += 1

    def tally(self, name: str) -> Tally:
        return Tally(name, self._counts[True] + self._counts[False], self._counts[True], self._counts[None])


def _engines(file: Savefile, program: Program) -> Iterator[tuple[str, Callable[[], Engine]]]:
    """Their names, and what makes them or raises BpfscopeError."""
    yield "libpcap", LibpcapEngine
    yield "machine-libpcap", lambda: MachineEngine(program, Dialect.LIBPCAP)
    yield "machine-linux", lambda: MachineEngine(_checked(program), Dialect.LINUX)
    yield "socket", lambda: SocketEngine.classic(_checked(program))
    yield "socket-ebpf", lambda: SocketEngine.extended(_checked(program))
    yield "tcx", lambda: RunEngine(_checked(program), Kind.TC)
    yield "xdp", lambda: RunEngine(_checked(program), Kind.XDP)
    yield "cgroup", lambda: RunEngine(_without_link_header(_checked(program), file), Kind.CGROUP)


def _checked(program: Program) -> Program:
    """Raises CheckError where the kernel would refuse it."""
    try:
        check(program)
    except CheckError as error:
        raise CheckError(f"Linux refuses the program: {error}") from None
    return program


def _without_link_header(program: Program, file: Savefile) -> Program:
    """Raises BpfscopeError where the program is for packets that a cgroup doesn't see."""
    if file.link_type not in _WITHOUT_LINK_HEADER:
        raise BpfscopeError(f"its packets begin with an IP header, these with {file.link_type}")
    return program
