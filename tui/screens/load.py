"""Programs of the user's own: the library, and a line where a file is named. What is chosen runs on its own screen.

Keys go to the list until `o` opens the line; it takes what `bpfscope load` takes.
"""

import os
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input

from tui.errors import BpfscopeError
from tui.screens.base import CURSOR, CUT, ConsoleScreen
from tui.screens.loaded import LoadedScreen
from tui.text import sanitise
from tui.widgets.actions import Action
from tui.widgets.columns import Column, Sort
from tui.widgets.entry import Entry, Past
from tui.widgets.lines import Detail, KeyLine
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.collectors.library import Ready
    from tui.collectors.load_request import Request

HINT: Final = "FILE.c [IFACE] [--hook [FUNCTION=]HOOK]"
HOOKS: Final = (
    "hooks: uprobe:TARGET:FUNCTION, uretprobe:…, usdt:TARGET:PROVIDER:NAME, tracepoint:CATEGORY:EVENT, raw:EVENT,"
    " kprobe:FUNCTION, perf:EVENT[:COUNT or :99hz], socket, tcx-ingress, tcx-egress, xdp, cgroup"
)
TYPING = (
    Action("", "enter", "load", "", "Compile, load and attach", 0),
    Action("", "tab", "complete", "", "The next hook, option, folder or file", 2),
    Action("", "↑ ↓", "earlier", "", "What was loaded before", 3),
    Action("", "esc", "to the list", "", "Back to the list", 1),
)
_MOST: Final = 200  # words that are offered
_WORDS: Final = (
    "--hook", "--function", "uprobe:", "uretprobe:", "usdt:", "tracepoint:", "raw:", "kprobe:", "kretprobe:", "perf:",
    "socket", "tcx-ingress", "tcx-egress", "xdp", "cgroup",
)  # fmt: skip

COLUMNS: "Final[tuple[Column[Ready], ...]]" = (
    Column("name", "NAME", 16, lambda row, _: ((row.name, "strong"), (f" {row.needs}" if row.needs else "", "dim"))),
    Column("about", "WHAT IT SHOWS", 40, lambda row, _: row.about, flexible=True),
    Column("hooks", "RUNS AT", 34, lambda row, _: ((", ".join(row.hooks), "dim"),), priority=2, narrow=20),
)


def completions(text: str, cursor: int, tracepoints: Sequence[str] = ()) -> list[str]:
    """Words that may stand where the cursor is; `tracepoints`: their names, "sched:sched_switch"."""
    begun = text[:cursor].rpartition(" ")[2]
    if begun.startswith(("/", "./", "../", "~/")):
        return _files(begun)
    function, equals, hook = begun.rpartition("=")
    kind, colon, name = hook.partition(":")
    words: Iterable[str] = _WORDS[2:] if equals else _WORDS
    if colon and kind == "tracepoint":
        words = (f"tracepoint:{each}" for each in tracepoints)
    elif colon and kind == "raw":
        words = (f"raw:{each.partition(':')[2]}" for each in tracepoints if name)
    return [f"{function}{equals}{word}" for word in words if hook and word.startswith(hook) and word != hook][:_MOST]


def _files(begun: str) -> list[str]:
    """Folders and C files whose path begins like this; names with blanks in them would need quotation marks."""
    folder, slash, name = begun.rpartition("/")
    try:
        with os.scandir(os.path.expanduser(f"{folder}{slash}")) as entries:
            found = [(each.name, each.is_dir()) for each in entries if each.name.startswith(name)]
    except OSError:
        return []
    words = [
        f"{folder}/{each}{'/' if is_folder else ''}" for each, is_folder in found if is_folder or each[-2:] == ".c"
    ]
    plain = [
        word
        for word in sorted(words)
        if word != begun and shlex.quote(end := word.removeprefix("~")) == end == sanitise(end)
    ]
    return [word for word in plain if name or not word.rpartition("/")[2].startswith(".")][:_MOST]


class LoadScreen(ConsoleScreen):
    """The library, and the line for a file."""

    CSS_PATH = "load.tcss"
    NAME = "Load"
    ACTIONS = (
        Action("enter", "enter", "run", "run", "Compile, load and attach the program under the cursor", 0),
        Action("o", "o", "open a file", "open", f"Name a C file of your own: {HINT}; {HOOKS}", 1),
        Action("v", "v", "source", "view", "Read its source: something to copy and change", 2),
        Action("escape", "esc", "back", "back", "Back", 0),
    )
    SIGNS = (CURSOR, CUT)

    def __init__(self) -> None:
        super().__init__()
        self.failure = ""
        self.asking = False  # whether a source is being read
        self._past = Past()
        self._tracepoints: tuple[str, ...] = ()

    def content(self) -> Iterable[Widget]:
        """The line and the list."""
        yield Entry(HINT, lambda text, cursor: completions(text, cursor, self._tracepoints), self._past)
        table: Table[Ready] = Table(COLUMNS, attrgetter("name"), Sort("", False), arrange=lambda rows, _: rows)
        table.empty = "reading the library …"
        yield table

    @property
    def entry(self) -> Entry:
        """Where a file is named."""
        return self.query_one(Entry)

    def begin(self) -> None:
        """Show what there is."""
        self.table().focus()
        self.show_state()
        self.run_worker(self._list())

    async def _list(self) -> None:
        table = self.table()
        try:
            table.show(await self.sources.library())
        except BpfscopeError as error:
            table.empty = str(error)
            table.repaint()
        self.show_state()
        with suppress(BpfscopeError):  # then they aren't completed
            self._tracepoints = await self.sources.tracepoints()

    def show_state(self) -> None:
        """The lines around the list."""
        left = [(("BPF ▸ ", "dim"), ("Load", "title"))]
        there = len(self.table().rows)
        state = (
            [(self.failure, "bad")] if self.failure else [(f"{there} ready-made programs" if there else "", "strong")]
        )
        right = [("reading …", "dim")] if self.asking else [("o: a file of your own", "dim")]
        self.put_lines((left, ()), state, right)

    def show_keys(self) -> None:
        """While a file is named, the keys of the line."""
        if self.is_mounted and self.entry.typing:
            self.query_one(KeyLine).show(TYPING)
        else:
            super().show_keys()

    def on_table_moved(self) -> None:
        """Spell the row out."""
        row: Ready | None = self.table().row
        if row is not None and not self.entry.typing:
            self.query_one(Detail).show(row.about, ", ".join(row.hooks))
        self.show_keys()

    def on_table_chosen(self) -> None:
        """A double click is enter."""
        self.action_run()

    def types(self, key: Key) -> bool:
        """Type a character of the line, if it has the keys."""
        return isinstance(self.focused, Input) and self.entry.takes(key)

    def can(self, name: str) -> bool:
        """What does something now."""
        if name in ("apply", "leave_entry", "older", "newer", "complete"):
            return True
        return self.table().row is not None if name in ("run", "view") else True

    # What is done

    def action_open(self) -> None:
        """Name a file."""
        self.failure = ""
        self.set_focus(self.entry.field)
        self.query_one(Detail).show(HINT, HOOKS)
        self.show_state()

    def action_leave_entry(self) -> None:
        """Back to the list."""
        self.set_focus(self.table())
        self.on_table_moved()
        self.show_state()

    def action_older(self) -> None:
        """What was loaded before."""
        self.entry.older()

    def action_newer(self) -> None:
        """What was loaded after that."""
        self.entry.newer()

    def action_complete(self) -> None:
        """The next word."""
        self.entry.complete()

    def on_entry_changed(self) -> None:
        """What was wrong may be right now."""
        if self.failure:
            self.failure = ""
            self.show_state()

    def action_apply(self) -> None:
        """Load what is typed."""
        if self.entry.text.strip():
            self._ask(self.entry.text)

    def action_run(self) -> None:
        """Load what is under the cursor; where an interface is needed, ask for it."""
        row: Ready | None = self.table().row
        if row is None:
            return
        if row.needs:
            self.entry.put(f"{row.name} ")
            self.action_open()
            self.query_one(Detail).show(f"{row.name} {row.needs}: name the interface, as eth0 or lo", row.about)
        else:
            self._ask(row.name)

    def action_view(self) -> None:
        """Read the source."""
        row: Ready | None = self.table().row
        if row is not None:
            self._ask(row.name, view=True)

    def _ask(self, line: str, *, view: bool = False) -> None:
        if not self.asking:
            self.asking = True
            self.show_state()
            self.run_worker(self._open(line, view=view))

    async def _open(self, line: str, *, view: bool) -> None:
        """Read what is asked for, and show it on a screen of its own."""
        try:
            request: Request = await self.sources.request(line)
        except BpfscopeError as error:
            self.failure = str(error)
        else:
            self.failure = ""
            if not view:
                self._past.add(line)
            self.app.push_screen(LoadedScreen(request, line, runs=not view))
        finally:
            self.asking = False
            self.show_state()

    def action_back(self) -> None:
        """Back to where this was opened."""
        self.dismiss()
