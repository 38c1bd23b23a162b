"""The console: puts sources and screens together, owns what is attached, and asks before it quits."""

import asyncio
import os
import signal
import traceback
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import App
from textual.binding import Binding, BindingType

from tui import cache
from tui.collectors.sources import Sources
from tui.errors import BpfscopeError
from tui.screens.arguments import ArgumentsScreen
from tui.screens.attached import AttachedScreen
from tui.screens.base import ConsoleScreen
from tui.screens.cgroups import CgroupsScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.events import EventsScreen
from tui.screens.functions import FunctionsScreen
from tui.screens.help import HelpScreen
from tui.screens.interfaces import InterfacesScreen
from tui.screens.latency import LatencyScreen
from tui.screens.palette import Actions, Palette
from tui.screens.probe import ProbeScreen
from tui.screens.processes import ProcessesScreen
from tui.screens.programs import ProgramsScreen
from tui.screens.session import Attaching, Running, Session
from tui.screens.stacks import StacksScreen
from tui.screens.target import Target
from tui.screens.top import TopScreen
from tui.screens.views import Views
from tui.widgets.colourless import without_greys
from tui.widgets.terminal import Terminal
from tui.widgets.theme import THEME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.collectors.cgroup_samples import Cgroup
    from tui.collectors.samples import Interface

EARLY = 4_096  # keys
SIGNALS = (signal.SIGTERM, signal.SIGHUP)
SCREENS = (ProbeScreen, LatencyScreen, StacksScreen, ArgumentsScreen, EventsScreen)
TOPS: dict[str, type[TopScreen[Any]]] = {
    screen.MODE: screen for screen in (ProcessesScreen, InterfacesScreen, ProgramsScreen, CgroupsScreen)
}
VIEWS: dict[str, type[AttachedScreen[Any]]] = {screen.VIEW: screen for screen in SCREENS}


def filters(interfaces: "tuple[Interface, ...]") -> ConsoleScreen:
    """The screen that filters packets; what it needs is loaded only for those who look at the network."""
    from tui.screens.filter import FilterScreen

    return FilterScreen(interfaces)


class Bpfscope(App[None]):
    """Processes, their functions, and live calls."""

    TITLE = "bpfscope"
    CSS_PATH = "app.tcss"
    COMMANDS = {Actions}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", show=False, priority=True),
    ]

    def __init__(self, sources: Sources, pid: int | None = None, hint: str = "") -> None:
        """`pid`: the process whose functions are shown first, with a hint what to do there."""
        super().__init__(driver_class=Terminal)
        self.register_theme(THEME)
        self.theme = THEME.name
        self._filters = without_greys(self._filters)
        self.sources = sources
        self.animation_level = "none"
        self.hint = hint
        self.packets: Callable[[tuple[Interface, ...]], ConsoleScreen] = filters  # makes the screen that filters
        self._pid = pid
        self._sessions: set[Session[Any]] = set()
        self._leaving = False
        self._early: deque[events.Key] = deque(maxlen=EARLY)  # keys that came before their screen

    async def on_event(self, event: events.Event) -> None:
        """Act on each key before the next is looked at.

        Textual hands a key to the focused widget's queue, and looks at the next before that widget has acted: of keys
        that come at once (typed fast, pasted, sent by a program), `/` would not have opened the filter when the first
        letter after it came, and the letter would be a command.
        """
        stack = self._screen_stacks.get(self._current_mode)
        if stack and isinstance(event, events.Key) and not event.is_forwarded:
            if not await self._check_bindings(event.key, priority=True):
                self._early.append(event)
                await self.catch_up()
        else:
            await super().on_event(event)

    async def catch_up(self) -> None:
        """Act on the keys that wait for the screen that an earlier one asked for."""
        while self._early and not (isinstance(self.screen, ConsoleScreen) and not self.screen.ready):
            key = self._early.popleft()
            ours = isinstance(self.screen, ConsoleScreen)
            if not (ours and (self._types(key) or await self._check_bindings(key.key))):
                await super().on_event(key)
                if isinstance(self.screen, ConsoleScreen):
                    self.screen.explain(key.key)

    def _types(self, key: events.Key) -> bool:
        """Whether the key is a character of the filter that is being typed."""
        return isinstance(self.screen, ConsoleScreen) and self.screen.types(key)

    def _fatal_error(self) -> None:
        """An error of our own: a sentence on the terminal, and the details, which hold a target's names, in a file."""
        report = "".join(traceback.format_exception(self._exception)) if self._exception else ""
        name = f"bpfscope-{os.getpid()}.txt"
        lost = cache.write("errors", name, report.encode("utf-8", "backslashreplace"))
        where = f"what went wrong is in {cache.folder('errors')[0]}/{name}" if not lost else f"{self._exception!r}"
        self._exit_renderables.append(Text(f"bpfscope: ended by an error of its own, everything is detached; {where}"))
        self._close_messages_no_wait()

    def on_mount(self) -> None:
        """Open the first screen."""
        self._catch_signals()
        self.push_screen(self._top("processes") if self._pid is None else FunctionsScreen(Target(self._pid)))

    # Modes

    def open_mode(self, name: str) -> None:
        """Go to a mode's first screen, which is as it was left; what holds something on the way there asks first."""
        leaves = any(isinstance(one, ConsoleScreen) and one.leave_for(name) for one in reversed(self.screen_stack))
        while not leaves and isinstance(self.screen, ConsoleScreen) and self.screen.passing:
            self.pop_screen()
        if not leaves and self.screen is not self.get_screen(self._top(name)):
            self.switch_screen(name)

    def _top(self, name: str) -> str:
        """The name of a mode's first screen, which is made when it is first seen."""
        if not self.is_screen_installed(name):
            self.install_screen(TOPS[name](), name)
        return name

    def open_packets(self, interfaces: "tuple[Interface, ...]") -> None:
        """Filter packets of these interfaces."""
        self.push_screen(self.packets(interfaces))

    # BPF

    def open_program(self, number: int) -> None:
        """Look at one BPF program."""
        from tui.screens.program import ProgramScreen

        self.push_screen(ProgramScreen(number))

    def open_attachments(self, where: str = "") -> None:
        """What BPF is attached: everywhere, as it was left; or only to that place: "eth0", "/system.slice/x.slice"."""
        from tui.screens.attachments import AttachmentsScreen

        if where:
            self.push_screen(AttachmentsScreen(where))
            return
        if not self.is_screen_installed("attachments"):
            self.install_screen(AttachmentsScreen(), "attachments")
        self.push_screen("attachments")

    def open_maps(self) -> None:
        """All BPF maps; the list is as it was left."""
        from tui.screens.maps import MapsScreen

        if not self.is_screen_installed("maps"):
            self.install_screen(MapsScreen(), "maps")
        self.push_screen("maps")

    def open_map(self, number: int) -> None:
        """What is in a BPF map."""
        from tui.screens.map import MapScreen

        self.push_screen(MapScreen(number))

    def open_load(self) -> None:
        """Load programs of the user's own."""
        from tui.screens.load import LoadScreen

        self.push_screen(LoadScreen())

    def open_cgroup(self, cgroup: "Cgroup", below: CgroupsScreen) -> None:
        """What is attached to this cgroup; the list below counts for it."""
        from tui.screens.cgroup import CgroupScreen

        self.push_screen(CgroupScreen(cgroup, below.traffic, below.count))

    # Probes

    def open_session(self, attaching: Attaching[Running], *, cancels: bool = False) -> Session[Running]:
        """Attach. What is opened here is closed before the console ends; `cancels`: also before it is attached."""
        session = Session(attaching, cancels=cancels)
        self._sessions.add(session)
        return session

    async def close_session(self, session: Session[Any]) -> None:
        """Detach. Raises BpfscopeError."""
        try:
            await session.close()
        finally:
            self._sessions.discard(session)

    def open_view(self, name: str, views: Views) -> None:
        """Look at a probe's functions in this way; what other views measure goes on."""
        screen = views.screens.get(name)
        if screen is not None and screen.outdated:
            self._drop(screen)
            screen = None
        if screen is None:
            screen = views.screens[name] = VIEWS[name](views)
            self.install_screen(screen, f"{name} {id(screen)}")
        if isinstance(self.screen, AttachedScreen):
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def choose_more(self, probe: ProbeScreen) -> None:
        """Go back to the functions while this probe goes on."""
        below = self.screen_stack[-2]
        if isinstance(below, FunctionsScreen):
            self.pop_screen()
            below.choose_more(probe)

    def leave(self, probe: AttachedScreen[Any]) -> None:
        """The probe is over: back to the functions, also from a help or a question that was opened above it."""
        while any(screen in self.screen_stack for screen in probe.views.screens.values()):
            self.pop_screen()
        for screen in probe.views.screens.values():
            self._drop(screen)
        self.sources.left(probe.target.pid)
        if isinstance(self.screen, FunctionsScreen):
            self.screen.left(probe)

    def _drop(self, screen: AttachedScreen[Any]) -> None:
        """A view that nobody looks at goes."""
        if self.is_screen_installed(screen):
            self.uninstall_screen(screen)
            if screen.is_running:
                screen.remove()

    # Help and quit

    def action_command_palette(self) -> None:
        """All commands by name."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def action_help(self) -> None:
        """All keys of the screen."""
        screen = self.screen
        if isinstance(screen, ConsoleScreen):
            self.push_screen(HelpScreen(screen.NAME, (*screen.ACTIONS, *screen.ALWAYS), screen.SIGNS))

    async def action_quit(self) -> None:
        """Quit; ask first while something is attached."""
        if isinstance(self.screen, ConfirmScreen) and self.screen.quits:
            self.screen.dismiss(True)
            return
        if isinstance(self.screen, ConfirmScreen):
            self.screen.dismiss(False)
        if attached := self._attached():
            question = f"Detach {attached} and quit?"
            self.push_screen(ConfirmScreen(question, quits=True), lambda yes: self._quit() if yes else None)
        else:
            self._quit()

    def _attached(self) -> str:
        """What is, in words; of several views of the same functions once."""
        screens = {*self.screen_stack, *self._installed_screens.values()}
        held = {screen.holding for screen in screens if isinstance(screen, ConsoleScreen)}
        return " and ".join(sorted(filter(None, held)))

    def _quit(self) -> None:
        if not self._leaving:
            self._leaving = True
            self.run_worker(self._release_and_exit())

    async def _release_and_exit(self) -> None:
        if self._sessions:
            self.notify("detaching …", markup=False)
        await self._release()
        self.exit()

    async def _release(self) -> None:
        """Close every probe that is still open."""
        for session in tuple(self._sessions):
            with suppress(BpfscopeError):
                await self.close_session(session)

    async def on_unmount(self) -> None:
        """However the console ends, nothing stays attached."""
        await self._release()
        await self.sources.close()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            with suppress(ValueError, RuntimeError):
                loop.remove_signal_handler(number)

    def _catch_signals(self) -> None:
        """A terminal that goes away, or a kill, ends the console as `q` does, without a question."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            with suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self._quit)
