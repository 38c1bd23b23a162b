"""A source of the user's own in the kernel: the owner of its programs and maps.

    with Module(prepared) as module:              # compiles, in a child process
        module.functions                          # what can be attached
        module.load({"count": (2, 48)})           # loads these as programs of a type, for an attach type
        module.programs["count"], module.maps     # descriptors

The child ends with `load`; nothing of bcc or LLVM comes into this process.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from tui.bpf.loading import wire
from tui.bpf.loading.line_table import Place
from tui.bpf.loading.problems import Problem, SourceError, of_compiler, of_llvm, of_map, of_verifier
from tui.bpf.loading.source import Prepared
from tui.bpf.objects import refusal
from tui.errors import CompileError
from tui.owner import Owner
from tui.text import sanitise

_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
_SECONDS: Final = 60  # for compiling
_MOST_SAID: Final = 1 << 20  # bytes of what the compiler prints
_TOO_MUCH: Final = (errno.E2BIG, errno.EFAULT)  # the latter since 6.18, of too many jumps
_REFUSED: Final = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSPC, *_TOO_MUCH)  # with a log: by the verifier


class LoadedMap(NamedTuple):
    """A map of the source's."""

    name: str
    kind: int
    key_size: int  # bytes
    value_size: int
    entries: int
    fd: int  # stays the module's


class Ending:
    """Lets another thread end a compilation at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._asked = False

    def watch(self, child: subprocess.Popen[bytes]) -> None:
        """What is to be ended; at once, where that has been asked for already."""
        with self._lock:
            self._child = child
            if self._asked:
                child.kill()

    def now(self) -> None:
        """End it. Of what has been compiled already nothing changes."""
        with self._lock:
            self._asked = True
            if self._child is not None:
                self._child.kill()  # harmless after it has ended and been waited for


class Module(Owner):
    """Owns the child, then what it has loaded."""

    def __init__(self, prepared: Prepared, ending: Ending | None = None) -> None:
        """Compiles. Raises SourceError; CompileError where bcc is missing or ends, and where `ending` ends it."""
        self.prepared = prepared
        self.programs: dict[str, int] = {}
        self.maps: tuple[LoadedMap, ...] = ()
        self._fds: list[int] = []
        ours, theirs = socket.socketpair()
        self._channel = ours
        ours.settimeout(_SECONDS)
        self._said = os.memfd_create("said", os.MFD_CLOEXEC)
        command = [sys.executable, "-P", "-m", "tui.bpf.load_child", str(theirs.fileno()), str(os.getpid())]
        environment = os.environ | {"PYTHONPATH": _ROOT, "PYTHONWARNINGS": "ignore"}
        try:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said,
                pass_fds=[theirs.fileno()], env=environment,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            os.close(self._said)
            raise CompileError(f"cannot start the compiler: {error.strerror}") from None
        finally:
            theirs.close()
        try:
            if ending is not None:
                ending.watch(self._child)
            self._compile()
        except BaseException:
            self.close()
            raise

    def _compile(self) -> None:
        prepared = self.prepared
        wire.send(self._channel, {"source": prepared.text, "flags": prepared.flags})
        answer = self._answer("compile")
        said = answer["said"]
        self.warnings = of_compiler(said, prepared.name, prepared.source)
        if "functions" not in answer:
            if "bcc" in answer["reason"]:
                raise CompileError(
                    "bcc is not here, and it is what compiles C for BPF: apt install python3-bpfcc, and use a Python"
                    " that sees it (scripts/setup makes one)"
                )
            if (refused := of_map(said, prepared.source)) and os.strerror(errno.EPERM).lower() in refused.text:
                raise refusal(PermissionError(errno.EPERM, os.strerror(errno.EPERM)), "create a BPF map")
            other = refused or Problem(0, 0, _last(answer["reason"] or said))
            problems = (other, *self.warnings) if not any(one.error for one in self.warnings) else self.warnings
            raise SourceError(prepared.name, "it doesn't compile", problems, said)
        self.functions: tuple[str, ...] = tuple(name for name, _ in answer["functions"])
        self.sizes: dict[str, int] = dict(answer["functions"])  # in instructions
        self._declared: Sequence[Sequence[Any]] = answer["maps"]
        self.tables: tuple[str, ...] = tuple(str(name) for name, *_ in self._declared)

    def load(self, wanted: Mapping[str, tuple[int, int]]) -> None:
        """Loads these functions as programs of a type, for an attach type; once. The descriptors stay ours.

        Raises SourceError where the verifier refuses one, NotPermitted, NotSupported.
        """
        wire.send(self._channel, {"programs": [[name, *kinds] for name, kinds in wanted.items()]})
        answer = self._answer("load", self._fds)
        if "refused" in answer:
            table = [Place(*each) for each in answer["lines"]]
            self._refuse(answer["refused"], answer["errno"], answer["log"], table)
        self.programs = dict(zip(wanted, self._fds, strict=False))
        fds = self._fds[len(wanted) :]
        self.maps = tuple(LoadedMap._make([*each, fd]) for each, fd in zip(self._declared, fds, strict=True))
        self._channel.close()
        self._child.wait()

    def _refuse(self, function: str, number: int, log: str, table: list[Place]) -> None:
        name = self.prepared.name
        if not log.strip() and number in _TOO_MUCH:
            log = "the program is too large or has too many branches: fewer loops, or bounds that are smaller"
        if log.strip() and number in _REFUSED:
            problem = of_verifier(log, self.prepared.source, function, table)
            raise SourceError(name, "it doesn't load", (problem,), log)
        raise refusal(OSError(number, os.strerror(number)), f"load the program {function}")

    def _answer(self, doing: str, fds: list[int] | None = None) -> Any:  # noqa: ANN401 - JSON
        try:
            return wire.receive(self._channel, fds)
        except TimeoutError:
            raise CompileError(
                f"the compiler did not {doing} it within {_SECONDS} s: is there something endless in it, or an include"
                " that is no file, as a pipe?"
            ) from None
        except (EOFError, OSError):
            raise self._ended(self._child.wait()) from None

    def _ended(self, status: int) -> CompileError:
        """Why the child ended, from what it has printed and how it ended."""
        said = os.pread(self._said, _MOST_SAID, 0).decode(errors="replace")
        name = self.prepared.name
        if status == -signal.SIGXCPU:
            return CompileError(f"{name}: compiling it takes longer than a minute: is something endless in it?")
        warnings = of_compiler(said, name, self.prepared.source)
        if problem := of_llvm(said):
            others = tuple(each for each in warnings if not each.error)
            return SourceError(name, "it doesn't compile", (problem, *others), said)
        how = f"signal {-status}" if status < 0 else f"status {status}"
        last = _last(said) if said.strip() else "it says nothing"
        if status in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGABRT):
            last += "; LLVM can't cope with something in the source: leave parts out to find which"
        elif status == -signal.SIGKILL:
            last += "; is there memory left?"
        return CompileError(f"the compiler ended by itself ({how}): {last}")

    def close(self) -> None:
        """Ends the child if it is still there, and closes everything; a second time is harmless."""
        self._channel.close()
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        if self._said >= 0:
            os.close(self._said)
            self._said = -1
        while self._fds:
            os.close(self._fds.pop())


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return sanitise(lines[-1].strip()) if lines else "bcc doesn't say why"
