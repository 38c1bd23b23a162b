"""A page of text above a screen: a line on top, one of keys below, and back by the key that opened it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget

from tui.widgets.actions import Action
from tui.widgets.lines import KeyLine, Line, Rule

KEYS = (Action("escape", "esc", "back", "close", "Back", 0), Action("", "↑ ↓", "scroll", "", "Scroll", 1))


class PageScreen(Screen[None]):
    """Shows what `page` gives, and scrolls."""

    CSS_PATH = "page.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False),
        Binding("q", "app.quit", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, kind: str, title: str) -> None:
        """`kind` of page: "Help"; of what it is."""
        super().__init__()
        self._kind, self._title = kind, title

    def page(self) -> Iterable[Widget]:
        """What is on it."""
        return ()

    def compose(self) -> ComposeResult:
        """The page between a line on top and one below."""
        yield Line()
        yield Rule()
        with VerticalScroll():
            yield from self.page()
        yield KeyLine()

    def on_mount(self) -> None:
        """Say what this is."""
        self.query_one(Line).show([((f"{self._kind} ▸ ", "dim"), (self._title, "title"))])
        self.query_one(KeyLine).show(KEYS)
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def on_key_line_pressed(self, event: KeyLine.Pressed) -> None:
        """Back was clicked."""
        if event.action.name:
            self.action_close()
