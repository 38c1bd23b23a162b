"""The process that is looked at, in the words of the context line. Pure: knows no widget."""

from typing import NamedTuple

from tui.collectors.samples import Process
from tui.collectors.sources import Sources
from tui.elf.names import Function
from tui.errors import BpfscopeError, TargetError

Key = tuple[str, int]  # module, address


class Target(NamedTuple):
    """A process, as far as it is known: the command line may have given its pid alone."""

    pid: int
    name: str = ""
    language: str = ""

    @property
    def title(self) -> str:
        """Name and pid, as in: fibonacci 2696."""
        return f"{self.name or 'process'} {self.pid}"

    @property
    def of_go(self) -> bool:
        """Whether Go made its program."""
        return self.language.partition(" ")[0] == "go"


def target_of(process: Process) -> Target:
    """The target that a row of the process list stands for."""
    return Target(process.pid, process.name, process.language)


async def identified(pid: int, sources: Sources) -> Target | None:
    """The process as the list of processes has it. Raises BpfscopeError."""
    async for sample in sources.processes(1.0):
        return next((target_of(process) for process in sample.processes if process.pid == pid), None)
    return None


def sentence(error: BpfscopeError) -> str:
    """What an error says; about a target, without the advice to those who work on a command line."""
    return str(error).partition(": `bpfscope ")[0] if isinstance(error, TargetError) else str(error)


def function_key(function: Function) -> Key:
    """What names a function among the target's: its module and address."""
    return (function.module, function.address)
