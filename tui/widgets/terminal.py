"""The terminal, which may go away at any time: an SSH session breaks, a window is closed.

Textual 8.2.8 writes in a thread that ends at the first OSError; the console then waits for it for ever, with its
probes attached. Here what can't be written is dropped, so that the console ends as it should.
"""

from contextlib import suppress
from typing import IO, Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver


class Patient:
    """A file for which nobody needs to be there."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write, or drop."""
        with suppress(OSError, ValueError):
            self._file.write(text)

    def flush(self) -> None:
        """Flush, or drop."""
        with suppress(OSError, ValueError):
            self._file.flush()

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._file.fileno()


class Terminal(LinuxDriver):
    """Textual's driver, on a patient file."""

    def __init__(self, app: App[Any], **options: Any) -> None:  # noqa: ANN401 - Textual's
        super().__init__(app, **options)
        self._file: Any = Patient(self._file)
