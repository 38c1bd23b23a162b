"""An SSH server on this machine alone, with keys of its own, and the command that logs in there."""

import os
import pwd
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

SSHD = "/usr/sbin/sshd"  # it insists on its absolute path
PRIVILEGES = Path("/run/sshd")  # it insists on this folder too
_CONFIGURATION = """\
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
UsePAM no
PidFile none
PrintMotd no
"""


class Server:
    """A context manager; leaving it ends the server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "config").write_text(_CONFIGURATION.format(folder=folder))
        PRIVILEGES.mkdir(mode=0o755, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        with (folder / "log").open("w") as log:
            command: list[str | Path] = [SSHD, "-D", "-e", "-f", folder / "config", "-p", str(self._port)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        self._wait()

    def command(self, *words: str | Path) -> list[str | Path]:
        """Runs the words there, with a terminal."""
        options = [
            "StrictHostKeyChecking=no",
            f"UserKnownHostsFile={self._folder}/known",
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
        ]
        given = [word for option in options for word in ("-o", option)]
        user = pwd.getpwuid(os.getuid()).pw_name
        given += ["-p", str(self._port), f"{user}@127.0.0.1"]
        return ["ssh", "-tt", "-F", "/dev/null", "-i", self._folder / "user", *given, *words]

    def _wait(self) -> None:
        due = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < due, (self._folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
