"""Capture files (pcap and pcapng), read by libpcap in a child process: whatever is in a file, only the child meets it.

with Savefile("trace.pcap") as file:
    program = file.compile("tcp port 22").program
    for captured in file.packets(program): …
    file.ended                                    # why it breaks off, if it does
"""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from tui.bpf import link_types
from tui.bpf.classic.instructions import Program
from tui.bpf.expressions import SNAPSHOT, Compiled, Wanted, compile_by
from tui.bpf.pcap import END, RECORD, Answer, Ended, Late, Libpcap
from tui.errors import BpfscopeError, NotPermitted, TargetError
from tui.owner import Owner
from tui.text import sanitise

_SECONDS: Final = 15.0  # to open a file, or for the next packet


class Captured(NamedTuple):
    """A packet of a file."""

    data: bytes  # what was captured
    length: int  # bytes on the wire
    passes: bool  # libpcap's own filter


class Savefile(Owner):
    """Owns the file and the child that reads it."""

    def __init__(self, path: str, *, resolve: bool = False) -> None:
        """Opens it. `resolve`: names may be looked up over the network.

        Raises TargetError, NotPermitted; BpfscopeError for what libpcap can't read.
        """
        self.name = sanitise(path)
        self.ended = ""
        """Why reading stopped before the end."""
        self._file = _opened(path, self.name)
        self._libpcap = Libpcap(resolve=resolve, file=self._file)
        try:
            (answer,) = self._ask({"kind": "open"})
        except BaseException:
            self.close()
            raise
        self.link_type = link_types.name(answer["link_type"])

    def compile(self, text: str, *, optimise: bool = True, snapshot: int = SNAPSHOT, seconds: float = 5.0) -> Compiled:
        """The program of an expression for this file's packets. Raises ExpressionError, UsageError."""
        return compile_by(self._libpcap, text, Wanted(file=True, optimise=optimise, snapshot=snapshot), seconds)

    def packets(self, program: Program) -> Iterator[Captured]:
        """Every packet, from the beginning. Raises BpfscopeError for a program that libpcap refuses."""
        self._ask({"kind": "packets", "program": program}, 1)
        self.ended = ""
        try:
            while (record := self._libpcap.take(RECORD.size, _SECONDS)) != END:
                captured, length, passes = RECORD.unpack(record)
                yield Captured(self._libpcap.take(captured, _SECONDS), length, bool(passes))
            for answer in self._libpcap.rest(_SECONDS):
                self.ended = _failure(answer)
        except (Late, Ended) as error:
            self.ended = _broken(error)

    def close(self) -> None:
        """Ends the child; a second time is harmless."""
        self._libpcap.close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _ask(self, request: Answer, most: int | None = None) -> list[Answer]:
        """The first answers. Raises BpfscopeError."""
        try:
            answers = list(islice(self._libpcap.answers(request, _SECONDS), most))
        except (Late, Ended) as error:
            raise BpfscopeError(f"{self.name}: {_broken(error)}") from None
        for answer in answers:
            if failure := _failure(answer):
                raise BpfscopeError(f"{self.name}: {failure}")
        return answers


def _opened(path: str, name: str) -> int:
    """A descriptor of a regular file. Raises TargetError, NotPermitted."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError as error:
        raise NotPermitted(f"{name} can't be read: {error.strerror}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise TargetError(f"{name or 'an empty name'}: {reason}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise TargetError(f"{name} is not a regular file")
    return file


def _failure(answer: Answer) -> str:
    return sanitise(answer.get("failed", ""))


def _broken(error: Exception) -> str:
    """Why libpcap gave no more."""
    if isinstance(error, Late):
        return f"libpcap gave nothing for {_SECONDS:g} s"
    return f"libpcap broke off ({error})"
