"""A terminal with a program in it: tmux on a socket of its own, driven by keys, read as text.

    with Terminal(["bpfscope"], folder, width=80, height=24) as terminal:
        terminal.keys("/")
        terminal.wait_for("processes")

The program runs under a shell that touches no terminal mode; when it ends, the shell says its status and what stty(1)
sees, and waits. Everything the program writes is kept in `raw`.
"""

import itertools
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

SECONDS: Final = 40  # a loaded machine is slow, a hanging test must end
_NUMBERS = itertools.count()
_CONFIGURATION = """\
set -g default-terminal "{term}"
set -g escape-time 0
set -g status off
set -g allow-rename on
set -g set-titles off
"""


class Terminal:
    """One pane; a context manager that ends its server and with it what runs there."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        *,
        width: int = 120,
        height: int = 36,
        term: str = "tmux-256color",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._socket = f"bpfscope-{os.getpid()}-{next(_NUMBERS)}"
        self.raw = folder / f"{self._socket}.raw"
        configuration = folder / f"{self._socket}.conf"
        configuration.write_text(_CONFIGURATION.format(term=term))
        settings = [word for name, value in (environment or {}).items() for word in ("-e", f"{name}={value}")]
        words = shlex.join(map(str, command))
        script = f"read -r go; {words}; echo status $?; stty -a; read -r end"
        self._tmux(
            "-f",
            str(configuration),
            "new-session",
            "-d",
            "-x",
            str(width),
            "-y",
            str(height),
            *settings,
            "sh",
            "-c",
            script,
        )
        self._tmux("pipe-pane", "-O", f"cat > {shlex.quote(str(self.raw))}")
        self.title = self.ask("pane_title")
        self._socket_path = Path(self.ask("socket_path"))
        self.keys("Enter")

    def screen(self) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p")

    def colours(self) -> str:
        """The same, with its escape sequences."""
        return self._tmux("capture-pane", "-p", "-e")

    def keys(self, *names: str) -> None:
        """Presses keys by tmux's names: Enter, Escape, Space, q."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        """Types letters."""
        self._tmux("send-keys", "-l", "--", text)

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._tmux("send-keys", "-H", *(f"{byte:02x}" for byte in data))

    def ask(self, variable: str) -> str:
        """One of tmux's variables about the pane."""
        return self._tmux("display-message", "-p", f"#{{{variable}}}").rstrip("\n")

    def wait_for(self, wanted: str | Callable[[str], object], seconds: float = SECONDS) -> str:
        """The screen, once a regular expression is found in it or a function of it is true; fails with the screen."""
        due = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if re.search(wanted, screen) if isinstance(wanted, str) else wanted(screen):
                return screen
            assert time.monotonic() < due, f"never on the screen: {wanted}\n{screen}"
            time.sleep(0.05)

    def pid(self) -> int:
        """The program's process."""
        shell = self.ask("pane_pid")
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(children[-1])

    def wait_ended(self) -> str:
        """The screen after the program has ended, with `status N` and the modes of the terminal."""
        return self.wait_for(r"status \d+\s+speed [\s\S]*echoctl")

    def close(self) -> None:
        """Hangs up: ends the server and what runs in it; a second time is harmless."""
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True, check=False)
        self._socket_path.unlink(missing_ok=True)

    def _tmux(self, *words: str) -> str:
        environment = {
            name: value for name, value in os.environ.items() if name not in {"TMUX", "TMUX_PANE", "NO_COLOR"}
        }
        done = subprocess.run(
            ["tmux", "-u", "-L", self._socket, *words], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
