"""Names that a terminal or a markup reader would act on are harmless text, from the process to the last screen."""

import sys

from tests.e2e import walk
from tests.e2e.conftest import Open, Start
from tests.e2e.terminal import Terminal

NAMED = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b"\\x1b]0;evil\\x07[/]")
print("ready", flush=True)
sys.stdin.read()
"""


def unharmed(terminal: Terminal) -> None:
    """No sequence of theirs reached the terminal: it has its title, and its raw input none of them."""
    assert terminal.ask("pane_title") == terminal.title
    raw = terminal.raw.read_bytes()
    assert b"\x1b]0;" not in raw
    assert b"\x1b]2;" not in raw
    assert b"\x1b[31mred" not in raw
    assert b"\x9b" not in raw.replace("␛".encode(), b"")


def test_a_hostile_process_name(console: Open, start: Start) -> None:
    target = start(sys.executable, "-c", NAMED, "\x1b]0;evil\x07", "[@click=app.quit]here", "\u202egnp.exe")
    terminal = console()
    walk.to_functions(terminal, target.pid)
    screen = terminal.screen()
    assert "␛]0;evil␇" in screen
    unharmed(terminal)
    terminal.keys("q")
    assert walk.restored(terminal) == 0


def test_hostile_symbols(console: Open, start: Start) -> None:
    target = start("odd-names")
    terminal = console()
    walk.to_functions(terminal, target.pid)
    screen = terminal.wait_for(r"\[bold red\]loud\[/bold red\]")
    assert "␛]0;title␇␛[31mred␛[0m" in screen
    assert "[@click=app.quit]here[/]" in screen
    assert "caf\ufffd\ufffd" in screen
    walk.to_calls(terminal, "/red|@click|caf|^\\[/", 5)
    truth = target.work()
    for shown, name in (("␛]0;title", "odd_escape"), ("[bold red]", "odd_markup"), ("[@click", "odd_action")):
        walk.wait_calls(terminal, shown, truth[name])
    terminal.keys("?")
    terminal.wait_for("esc back")
    terminal.keys("Escape")
    terminal.wait_for("live ●")
    unharmed(terminal)
    walk.quit_detaching(terminal)


def test_bytes_that_are_no_text(console: Open, start: Start) -> None:
    target = start("odd-names")
    terminal = console()
    walk.to_functions(terminal, target.pid)
    terminal.send(b"\xff\xfe")
    terminal.send(b"\x1b[M \xc8\x30")  # a report of an old kind of mouse, far to the right
    terminal.send(b"\xe2\x28\xa1")
    terminal.keys("?")
    terminal.wait_for("↑ ↓ scroll")
    terminal.keys("Escape")
    terminal.wait_for(lambda screen: "↑ ↓ scroll" not in screen)
    terminal.keys("q")
    assert walk.restored(terminal) == 0
