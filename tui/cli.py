"""bpfscope: a terminal console for uprobes and packets, and its headless twin.

The one place, with app.py, where everything meets. A command is imported when it is asked for, so that starting takes
milliseconds; exit status 0 is done, 1 failed, 2 wrong usage, 3 not permitted or not supported here.
"""

import argparse
import contextlib
import errno
import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from tui import __version__
from tui.errors import BpfscopeError, TargetError, UsageError
from tui.text import sanitise, sanitise_lines

COMMANDS = {
    "ps": "list processes",
    "symbols": "list the functions of a process or file",
    "count": "count calls of functions, exactly, live",
    "latency": "time calls of functions: percentiles, histograms, self time",
    "stacks": "count who calls functions, by stacks; flame graphs",
    "args": "count calls by what they are given and what they give",
    "trace": "print each call: arguments, result, duration",
    "filter": "list the program of a packet filter, or run it over a capture file",
    "packets": "count packets that a filter matches, by talkers, ports, sizes, hops",
    "programs": "list the BPF programs in the kernel: what each runs and takes, for whom",
    "attached": "list what BPF is attached where, of whomever",
    "maps": "list BPF maps, or what is in one, decoded by its types",
    "load": "compile a C program of your own, attach it, and watch its maps and events",
    "cgroups": "list control groups: packets and bytes, allowed and denied, their programs",
    "doctor": "say what this kernel and this user can do",
    "demo": "open the console on a small workload of its own",
}

_LISTING = [name for name in COMMANDS if name != "demo"]  # those that need no terminal


def entry() -> NoReturn:
    """The `bpfscope` command. Leaves without taking the memory apart: that of a large listing takes 0.1 s."""
    status = main()
    try:
        sys.stdout.flush()
    except OSError:  # a reader that has seen enough, a full disk: said already, or nobody is there to hear it
        status = status or 1
    os._exit(status)


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command, or the console; returns the exit status. Nobody ever sees a traceback of a known failure."""
    words = sys.argv[1:] if words is None else words
    gc.set_threshold(50_000, 20, 50)  # symbol tables are many small objects and no cycles
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: the next file would take its place, and be written to
            writable = name == "stderr"  # without it nobody hears us; without standard output nothing is done
            fd = os.open(os.devnull, os.O_RDWR if writable else os.O_RDONLY)
            setattr(sys, name, open(fd, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        if isinstance(sys.stdout.buffer, io.RawIOBase):  # PYTHONUNBUFFERED: what a pipe doesn't take at once is lost
            sys.stdout = open(sys.stdout.fileno(), "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115
        sys.stdout.reconfigure(errors="replace")  # names from everywhere, in a locale that may not have their letters
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # tui.start's
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            status = _command(words[0], words[1:]) if words and words[0] in COMMANDS else _console(words)
        except SystemExit as done:  # argparse has said what there was to say
            status = int(done.code or 0)
        print(end="", flush=True)
        return status
    except BpfscopeError as error:
        _complain(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough
        _discard_output()
        return 0
    except OSError as error:  # nowhere to write to, a full disk; or no room for what we need
        _complain(_system(error))
        _discard_output()
        return 1
    except MemoryError:
        _complain("there is not enough memory for this")
        return 1


def _system(error: OSError) -> str:
    """What the system refused, in words."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{error.strerror}: raise the limit (ulimit -n)"
    if error.filename is None and error.errno == errno.EBADF:
        return "cannot write the output: it is closed"
    if error.filename is None:
        return f"cannot write the output: {error.strerror}"
    return f"{sanitise(os.fsdecode(error.filename))}: {error.strerror}"


def _complain(why: str) -> None:
    with contextlib.suppress(OSError):  # nobody hears it; the status says that something was wrong
        print(f"bpfscope: {sanitise_lines(why)}", file=sys.stderr, flush=True)


def _discard_output() -> None:
    """What is still buffered goes nowhere: writing it at the end would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help of a given width: finding out the terminal's would be imported at each start, not only for help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


class _Parser(argparse.ArgumentParser):
    """What it refuses it quotes, escape sequences and all."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end with status 2."""
        super().error(sanitise_lines(message))


def _command(name: str, words: Sequence[str]) -> int:
    if name == "demo":
        return _demo(words)
    module = importlib.import_module(f"tui.commands.{name}")
    parser = _Parser(f"bpfscope {name}", description=module.__doc__, formatter_class=_Formatter)
    module.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    arguments, left = parser.parse_known_args(words)
    if left:  # options between the patterns; this way of parsing costs milliseconds more
        arguments = parser.parse_intermixed_args(words)
    status: int = module.run(arguments)
    return status


def _console(words: Sequence[str]) -> int:
    listed = "\n".join(f"  {name:<9} {about}" for name, about in COMMANDS.items())
    parser = _Parser(
        "bpfscope",
        description="Pick a process, pick its functions, watch their calls live.",
        epilog=f"commands (each with --help; all but demo with --json):\n{listed}",
        formatter_class=_Formatter,
    )
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", help="open the functions of this pid or process name at once"
    )
    _add_console_options(parser)
    parser.add_argument("--version", action="version", version=f"bpfscope {__version__}")
    arguments = parser.parse_args(words)
    pid = None
    if arguments.target is not None:
        from tui.collectors import target

        try:
            pid = target.resolve(arguments.target).pid
        except TargetError as error:
            raise TargetError(f"{error}; for the commands, `bpfscope --help`") from None
        if pid is None:
            raise UsageError(f"the console opens a process; for a file, `bpfscope count {arguments.target} PATTERN`")
    return _open(pid, arguments)


def _demo(words: Sequence[str]) -> int:
    parser = _Parser(
        "bpfscope demo", description="Opens the console on a small workload of its own.", formatter_class=_Formatter
    )
    _add_console_options(parser)
    arguments = parser.parse_args(words)
    _require_terminal()
    from tui.commands.demo import HINT, workload

    with workload() as pid:
        return _open(pid, arguments, HINT)


def _add_console_options(parser: argparse.ArgumentParser) -> None:
    from tui.commands.running import add_budget

    parser.add_argument("--low-bandwidth", action="store_true", help="draw at most five times a second, for slow lines")
    add_budget(parser)


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError(
            f"the console needs a terminal; without one, use a command: {', '.join(_LISTING)} (see bpfscope --help)"
        )


def _open(pid: int | None, arguments: argparse.Namespace, hint: str = "") -> int:
    _require_terminal()
    if arguments.low_bandwidth:
        os.environ["TEXTUAL_FPS"] = "5"  # Textual reads it when it is imported
    if not sys.stderr.isatty():  # Textual draws on standard error
        os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    from tui.app import Bpfscope
    from tui.collectors.console import LiveSources

    console = Bpfscope(LiveSources(arguments.budget), pid, hint)
    console.run()
    _discard_output()  # the console has said all it had to; a terminal that doesn't read would hold us up
    return console.return_code or 0


if __name__ == "__main__":
    entry()
