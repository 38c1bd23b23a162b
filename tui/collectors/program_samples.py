"""What is known of the BPF programs in the kernel at one moment: plain data, whatever shows it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # the console's first screen needs none of it
    from tui.bpf.inventory.attachment import Attachment
    from tui.bpf.inventory.holders import Holder
    from tui.bpf.inventory.statistics import Floor
    from tui.collectors.program_history import History

TAIL_CALLED = "tail calls"  # why runs aren't counted: other programs jump to it by a map
REPLACES = "replaces"  # it stands for a function of another program, whose run it is part of


class ProgramFigures(NamedTuple):
    """A program, and what it did. Text is sanitised."""

    id: int
    type: str  # "sched_cls", "type 99"
    name: str  # "" where whoever loaded it gave none
    tag: str  # what its instructions hash to
    uid: int  # who loaded it,
    user: str  # by name, where there is one
    age: float  # seconds since then
    runs: int  # since then, as far as statistics were on
    run_time_ns: int  # the same
    misses: int  # runs that were passed over, since one ran on that CPU already
    seconds: float | None  # since the reading before, with statistics on all the time; None: there was none
    period_runs: int  # in these seconds
    period_ns: int
    translated: int  # bytes of instructions
    jited: int  # bytes of machine code; 0: interpreted
    memory: int  # bytes: what the kernel charges for the program, and its machine code; without its maps
    verified: int  # instructions that the verifier walked through
    maps: tuple[int, ...]  # their numbers
    maps_memory: int  # bytes of these, also where others use them too
    holders: "tuple[Holder, ...]"  # processes
    units: tuple[str, ...]  # the container or systemd unit of each of these; "" where it is in neither
    attached: "tuple[Attachment, ...]"
    pins: tuple[str, ...]  # names in BPF file systems
    ours: bool  # this process holds it
    uncounted: str  # why runs may be missing in `runs`: TAIL_CALLED, REPLACES; "" where all are there
    known: bool = True  # who holds it, where it is attached and what it takes has been looked up

    @property
    def per_second(self) -> float | None:
        """Runs a second, lately."""
        return self.period_runs / self.seconds if self.seconds else None

    @property
    def cpu_percent(self) -> float | None:
        """Of one CPU, lately."""
        return self.period_ns / self.seconds / 1e7 if self.seconds else None

    @property
    def period_average(self) -> float | None:
        """Nanoseconds a run took, lately; None where there was none."""
        return self.period_ns / self.period_runs if self.period_runs else None

    @property
    def total_average(self) -> float | None:
        """Nanoseconds a run took, of all that were counted."""
        return self.run_time_ns / self.runs if self.runs else None


class ProgramsSample(NamedTuple):
    """All programs by number."""

    time: float  # seconds, monotonic
    programs: tuple[ProgramFigures, ...]
    floor: "Floor"  # below which a run time says nothing, and what the statistics add
    maps_memory: int  # bytes of all maps that programs use, each once
    complete: bool  # who holds them and where they are attached has been looked up
    history: "History"  # of their figures: it goes on

    @property
    def cpu_percent(self) -> float | None:
        """Of one CPU, all together; None where no time has passed yet."""
        return _sum(one.cpu_percent for one in self.programs)

    @property
    def per_second(self) -> float | None:
        """Runs a second, all together."""
        return _sum(one.per_second for one in self.programs)

    @property
    def watching_percent(self) -> float | None:
        """What the statistics add, in percent of one CPU; None where it isn't known."""
        if self.floor.costs is None or self.per_second is None:
            return None
        return self.per_second * self.floor.costs / 1e7

    @property
    def memory(self) -> int:
        """Bytes of all programs and of the maps that they use."""
        return self.maps_memory + sum(one.memory for one in self.programs)


class ProgramMap(NamedTuple):
    """A map that a program uses."""

    id: int
    type: str
    name: str
    key_size: int
    value_size: int
    entries: int  # at most
    memory: int  # bytes


class CodeLine(NamedTuple):
    """An instruction, or the source line that those below it are of."""

    slot: int  # of the instruction, from which jumps count
    text: str
    source: bool = False
    place: str = ""  # of a source line: "file.c:12"; of an instruction a function begins with: its name


class ProgramPage(NamedTuple):
    """What doesn't change while a program is loaded."""

    id: int
    code: tuple[CodeLine, ...]
    reason: str  # why there is no code; "" where there is
    maps: tuple[ProgramMap, ...]
    machine: tuple[CodeLine, ...] = ()  # what it was compiled to; slots are bytes from a function's beginning


def _sum(figures: Iterable[float | None]) -> float | None:
    known = [one for one in figures if one is not None]
    return sum(known) if known else None
