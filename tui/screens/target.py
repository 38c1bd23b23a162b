"""The process that is looked at, in the words of the context line. Pure: knows no widget."""

from typing import NamedTuple

from tui.collectors.samples import Process
from tui.elf.names import Function


class Target(NamedTuple):
    """A process, as far as it is known: the command line may have given its pid alone."""

    pid: int
    name: str = ""
    language: str = ""

    @property
    def title(self) -> str:
        """Name and pid, as in: fibonacci 2696."""
        return f"{self.name or 'process'} {self.pid}"


def target_of(process: Process) -> Target:
    """The target that a row of the process list stands for."""
    return Target(process.pid, process.name, process.language)


def function_key(function: Function) -> tuple[str, int]:
    """What names a function among the target's: its module and address."""
    return (function.module, function.address)
