"""What the console and the child that loads programs say to one another: JSON with its length before it, and
descriptors. Between processes of one person; each is trusted as far as the other is.
"""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

_LENGTH: Final = struct.Struct("<I")
_MOST_FDS: Final = 250  # at a time (SCM_MAX_FD is 253)


def send(channel: socket.socket, message: Any, fds: Sequence[int] = ()) -> None:  # noqa: ANN401 - JSON
    """A message, then descriptors. Raises OSError where nobody listens."""
    data = json.dumps(message | {"fds": len(fds)}).encode()
    channel.sendall(_LENGTH.pack(len(data)) + data)
    for start in range(0, len(fds), _MOST_FDS):
        socket.send_fds(channel, [b"\0"], list(fds[start : start + _MOST_FDS]))


def receive(channel: socket.socket, fds: list[int] | None = None) -> Any:  # noqa: ANN401 - JSON
    """A message; what descriptors come with it are added to `fds`, and are the caller's to close.

    Raises EOFError where the other side has ended, OSError (TimeoutError as well).
    """
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size))
    message = json.loads(_exactly(channel, length))
    expected = message["fds"]
    while expected and fds is not None:
        data, some, _, _ = socket.recv_fds(channel, 1, _MOST_FDS)
        if not data:
            raise EOFError
        fds += some
        expected -= len(some)
    return message


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        data = channel.recv(size - len(parts))
        if not data:
            raise EOFError
        parts += data
    return bytes(parts)
