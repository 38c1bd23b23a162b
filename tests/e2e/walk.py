"""The walk: processes → functions → live counts, by keys, each step seen on the screen before the next."""

import re

from tests.e2e.terminal import Terminal
from tests.kernel.probing import gone, link_ids, program_ids, wait_until

__all__ = ["alive", "link_ids", "program_ids", "wait_until"]

_TYPING = "enter to the list"  # the keys while a filter is typed


def to_functions(terminal: Terminal, pid: int) -> None:
    """From the list of processes to the functions of one."""
    terminal.wait_for(r"\d+ processes")
    filter_by(terminal, str(pid))
    screen = terminal.wait_for(rf"[▌ ] +{pid} ")
    while not re.search(rf"▌ +{pid} ", screen):  # another one has the number in its arguments
        terminal.keys("j")
        screen = terminal.wait_for(lambda now, before=screen: now != before)  # type: ignore[misc]
    terminal.keys("Enter")
    wait_functions(terminal, pid)


def filter_by(terminal: Terminal, text: str) -> None:
    """Types a filter, and goes back to the list."""
    terminal.keys("/")
    terminal.wait_for(_TYPING)
    terminal.type(text)
    terminal.wait_for(lambda screen: f"/ {text}" in screen)
    terminal.keys("Enter")
    terminal.wait_for(lambda screen: not re.search(_TYPING, screen))


def wait_functions(terminal: Terminal, pid: int) -> None:
    """Until the functions of the process are there."""
    terminal.wait_for(rf"\S {pid}\b[\s\S]*\d+ functions?")


def to_calls(terminal: Terminal, pattern: str, functions: int = 1) -> None:
    """From the functions to the live calls of those that a pattern names."""
    filter_by(terminal, pattern)
    terminal.wait_for(rf"\b{functions} of [\d,]+ functions")
    terminal.keys("a")
    terminal.wait_for(rf"{functions} marked")
    terminal.keys("Enter")
    terminal.wait_for(rf"▸ {functions} function[\s\S]*live ●")


def wait_calls(terminal: Terminal, name: str, calls: int) -> None:
    """Until the row of a function shows just that number."""
    number = f"{calls:,}"
    terminal.wait_for(lambda screen: any(_is_row(line, name, number) for line in screen.splitlines()))


def _is_row(line: str, name: str, number: str) -> bool:
    return name in line and re.search(rf"(?<![\d,.]){re.escape(number)}(?![\d,.])", line) is not None


def leave(terminal: Terminal, pid: int) -> None:
    """Back to the functions with `esc`; what has been measured for a while is given up only after a question."""
    terminal.keys("Escape")
    if "and go back?" in terminal.wait_for(rf"and go back\?|\S {pid}\b[\s\S]*\d+ functions?[\s\S]*enter"):
        terminal.keys("Enter")
    wait_functions(terminal, pid)


def quit_detaching(terminal: Terminal) -> None:
    """Quits with `q`, says yes, and checks that the terminal is as before and nothing is left in the kernel."""
    programs, links = program_ids(terminal.pid()), link_ids(terminal.pid())
    assert programs
    terminal.keys("q")
    terminal.wait_for(r"Detach \d+ functions? and quit\?")
    terminal.keys("y")
    assert restored(terminal) == 0
    assert gone(programs, links)


def restored(terminal: Terminal) -> int:
    """Waits for the program's end and checks that the terminal is as before; its exit status."""
    screen = terminal.wait_ended()
    assert (terminal.ask("alternate_on"), terminal.ask("cursor_flag"), terminal.ask("mouse_any_flag")) == (
        "0",
        "1",
        "0",
    )
    assert {"echo", "icanon", "isig", "opost", "icrnl"} <= set(re.findall(r"(?<=\s)-?\w+", screen))
    status = re.search(r"status (\d+)", screen)
    assert status
    return int(status[1])


def wait_gone(programs: set[int], links: set[int]) -> None:
    """Until the kernel has dropped them: a dying process's descriptors are closed a moment after it was killed."""
    assert programs
    wait_until(lambda: gone(programs, links), "programs and links gone")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie doesn't."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in b"ZX"
    except OSError:
        return False
