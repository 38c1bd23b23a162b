"""An interface by its number, asked by ioctl: no netlink, and no /sys, which may show another network namespace's."""

import contextlib
import errno
import fcntl
import socket
import struct
from typing import Final, NamedTuple

from tui.errors import BpfscopeError, TargetError
from tui.text import sanitise

_SIOCGIFNAME: Final = 0x8910  # include/uapi/linux/sockios.h
_SIOCGIFFLAGS: Final = 0x8913
_SIOCGIFMTU: Final = 0x8921
_IFF_UP: Final = 1


class Interface(NamedTuple):
    """What an owner needs to know of one, as it is now."""

    number: int  # ifindex
    name: str  # sanitised
    up: bool
    mtu: int  # bytes


def find(number: int) -> Interface:
    """The interface of that number in this thread's network namespace. Raises TargetError where there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asked:
            name = struct.unpack("16s24x", fcntl.ioctl(asked, _SIOCGIFNAME, struct.pack("16si20x", b"", number)))[0]
            flags = struct.unpack("16xH22x", fcntl.ioctl(asked, _SIOCGIFFLAGS, name.ljust(40, b"\0")))[0]
            mtu = struct.unpack("16xi20x", fcntl.ioctl(asked, _SIOCGIFMTU, name.ljust(40, b"\0")))[0]
    except (OSError, struct.error, OverflowError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            raise BpfscopeError(f"{error.strerror}: raise the limit (ulimit -n)") from None
        raise TargetError(
            f"there is no interface of number {number}: it has gone, or is in another network namespace"
        ) from None
    return Interface(number, sanitise(name.rstrip(b"\0").decode(errors="replace")), bool(flags & _IFF_UP), mtu)


def exists(number: int) -> bool:
    """Whether there is such an interface in this thread's network namespace."""
    with contextlib.suppress(TargetError):
        find(number)
        return True
    return False


def note_if_down(interface: Interface) -> str:
    """What to say of one that is attached to while it is down."""
    if interface.up:
        return ""
    return f"{interface.name} is down: nothing passes it until it is up (ip link set {interface.name} up)"
