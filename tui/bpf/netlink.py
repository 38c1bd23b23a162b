"""netlink(7) as far as lists need it: asking the kernel for all of a kind, and the attributes of what it answers.

    with Conversation(socket.NETLINK_ROUTE) as route:
        for answer in route.dump(18, 16, body):       # RTM_GETLINK is answered by RTM_NEWLINK
            attributes(answer, size)

What is asked is about the network namespace of the thread that began the conversation. OSErrors come out as they are.
"""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

from tui.owner import Owner
from tui.text import sanitise

_REQUEST_DUMP: Final = 0x001 | 0x300  # NLM_F_REQUEST, NLM_F_DUMP: include/uapi/linux/netlink.h
_INTERRUPTED: Final = 0x10  # NLM_F_DUMP_INTR: something changed while the kernel wrote
_ERROR, _DONE = 2, 3
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: size, type, flags, sequence, port
_ATTRIBUTE: Final = struct.Struct("=HH")
_LARGEST: Final = 1 << 16  # bytes of an answer's part; the kernel's are at most half of that
_TRIES: Final = 4  # for a list that changed while it was written
_SECONDS: Final = 5.0  # the kernel answers at once, or never


class Conversation(Owner):
    """A conversation with the kernel. Not for several threads at once."""

    def __init__(self, protocol: int) -> None:
        """`protocol`: socket.NETLINK_ROUTE, …. Raises OSError."""
        self.socket = opened(protocol, 0, _SECONDS)
        self._sequence = 0

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()

    def dump(self, asked: int, answered: int, body: bytes, least: int = 0) -> list[bytes]:
        """The answers of that type with at least so many bytes; each is what follows the header.

        A list that changed while it was written is asked for again, a few times. Raises OSError.
        """
        answers, whole = self._dump(asked, answered, body)
        for _ in range(_TRIES - 1):
            if not whole:
                answers, whole = self._dump(asked, answered, body)
        return [answer for answer in answers if len(answer) >= least]

    def _dump(self, asked: int, answered: int, body: bytes) -> tuple[list[bytes], bool]:
        """One list of everything, and whether nothing changed meanwhile."""
        self._sequence += 1
        request = _HEADER.pack(_HEADER.size + len(body), asked, _REQUEST_DUMP, self._sequence, 0)
        self.socket.send(request + body)
        answers: list[bytes] = []
        whole = True
        while True:
            for kind, flags, sequence, data in _messages(self.socket.recv(_LARGEST)):
                if sequence != self._sequence:  # of a list that wasn't read to its end
                    continue
                whole = whole and not flags & _INTERRUPTED
                if kind in (_ERROR, _DONE):
                    code = -int.from_bytes(data[:4], sys.byteorder, signed=True)
                    if code > 0:  # a list may end with one, too
                        raise OSError(code, os.strerror(code))
                    return answers, whole
                if kind == answered:
                    answers.append(data)


def opened(protocol: int, groups: int, patience: float) -> socket.socket:
    """A socket that hears these groups, and waits so many seconds for an answer. Raises OSError."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        made.bind((0, groups))
    except OSError:
        made.close()
        raise
    made.settimeout(patience)
    return made


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence and what follows the header, of each message."""
    at = 0
    while at + _HEADER.size <= len(data):
        size, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= size <= len(data) - at:
            return
        yield kind, flags, sequence, data[at + _HEADER.size : at + size]
        at += size + 3 & ~3


def attributes(data: bytes, at: int = 0) -> dict[int, bytes]:
    """The attributes that begin there, by their types."""
    found = {}
    while at + 4 <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if not 4 <= size <= len(data) - at:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + size]
        at += size + 3 & ~3
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, for a question; values have a multiple of four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value


def number(value: bytes) -> int:
    """Of an attribute that is one; 0 where there is none."""
    return int.from_bytes(value, sys.byteorder)


def text(value: bytes) -> str:
    """Of an attribute that is one, sanitised."""
    return sanitise(value.partition(b"\0")[0].decode("utf-8", "replace"))
