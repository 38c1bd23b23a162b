"""The terminal, which may stall or go away at any time: an SSH link hangs, a session breaks, a window is closed.

Textual 8.2.8 waits for its terminal: for ever if it went away, and with everything else if it stalls. Here the console
never waits. What can't be written in time is dropped, and all is painted anew when the terminal reads again. It also
ends at the first byte that isn't UTF-8, as old reports of the mouse and pasted files have them; here that is a sign
like any other.
"""

import threading
from codecs import IncrementalDecoder, getincrementaldecoder
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

MOST = 1 << 18  # characters that wait to be written; a full screen takes a tenth of that
PATIENCE = 2.0  # seconds that leaving waits for a stalled terminal


class Patient:
    """A file for which nobody needs to be there: `write` returns at once, a thread does the rest."""

    def __init__(self, file: IO[str], caught_up: Callable[[], None]) -> None:
        """`caught_up` is called, in the thread, when all is written after something had to be dropped."""
        self._file = file
        self._caught_up = caught_up
        self._waiting: deque[str] = deque()
        self._size = 0  # of what waits and of what is being written
        self._dropped = self._leaving = False
        self._turn = threading.Condition()
        threading.Thread(target=self._run, name="terminal", daemon=True).start()

    def write(self, text: str) -> None:
        """Write soon; or drop, where too much waits already."""
        with self._turn:
            if self._size + len(text) > MOST and not self._leaving:
                self._dropped = True
                return
            self._waiting.append(text)
            self._size += len(text)
            self._turn.notify_all()

    def leave(self) -> None:
        """Only what comes from now on is worth writing, and all of it is."""
        with self._turn:
            self._leaving = True
            if self._dropped:
                self._waiting.clear()

    def stay(self) -> None:
        """What is too much may be dropped."""
        with self._turn:
            self._leaving = False

    def finish(self) -> None:
        """Wait until all is written, but not for ever."""
        with self._turn:
            self._turn.wait_for(lambda: not self._size, PATIENCE)

    def flush(self) -> None:
        """The thread does."""

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._file.fileno()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._waiting)
                text = "".join(self._waiting)
                self._waiting.clear()
            with suppress(OSError, ValueError):
                self._file.write(text)
                self._file.flush()
            with self._turn:
                self._size = sum(map(len, self._waiting))
                anew = self._dropped and not self._size and not self._leaving
                self._dropped = self._dropped and not anew
                self._turn.notify_all()
            if anew:
                self._caught_up()


def forgiving(encoding: str) -> Callable[[], IncrementalDecoder]:
    """A maker of decoders in which bytes that mean nothing become U+FFFD."""
    return lambda: getincrementaldecoder(encoding)("replace")


def _raise(error: Exception) -> None:
    raise error


vars(linux_driver)["getincrementaldecoder"] = forgiving  # the driver asks for its decoder by this name


class Terminal(LinuxDriver):
    """Textual's driver, on a patient file."""

    def __init__(self, app: App[Any], **options: Any) -> None:  # noqa: ANN401 - Textual's
        super().__init__(app, **options)
        self._patient = Patient(self._file, self._paint_anew)
        self._file: Any = self._patient
        self._suspending = self._ended = False

    def start_application_mode(self) -> None:
        """Begin, or go on after ctrl+z; not when a terminal that hangs up sends SIGCONT to a console that ends."""
        if not self._ended:
            self._patient.stay()
            super().start_application_mode()  # type: ignore[no-untyped-call]

    def suspend_application_mode(self) -> None:
        """Restore the terminal for a while."""
        self._suspending = True
        super().suspend_application_mode()
        self._suspending = False

    def stop_application_mode(self) -> None:
        """Restore the terminal, whether or not it has read what came before."""
        self._ended = not self._suspending
        self._patient.leave()
        super().stop_application_mode()

    def close(self) -> None:
        """End without waiting for ever."""
        super().close()
        self._patient.finish()

    def _run_input_thread(self) -> None:
        """Read keys; an error ends the console as any other does, not with a traceback and status 0."""
        try:
            self.run_input_thread()
        except Exception as error:  # noqa: BLE001 - whatever it is, the console says it
            self._app.call_later(_raise, error)

    def _paint_anew(self) -> None:
        with suppress(RuntimeError):  # the console has ended meanwhile
            self._loop.call_soon_threadsafe(lambda: self._app.refresh(layout=True))
