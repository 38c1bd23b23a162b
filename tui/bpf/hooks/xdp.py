"""XDP links (Linux 5.9): a program before anything else, in the driver (native) or right behind it (generic).

An interface runs one XDP program, so one of somebody else's is named and left alone. XDP changes the traffic that it
looks at: the kernel stops merging packets (LRO, GRO in hardware), and native mode of some drivers stops the link for a
moment to set it up anew. Packets appear as they come from the wire.
"""

import errno
from typing import Final

from tui.bpf import kernel
from tui.bpf.hooks.attached import AttachedToInterface, program_text
from tui.bpf.hooks.interfaces import Interface, note_if_down
from tui.bpf.hooks.kinds import Hook
from tui.bpf.hooks.refusals import refusal
from tui.errors import BpfscopeError, NotSupported

_TAKEN: Final = (errno.EBUSY, errno.EEXIST)
_GENERIC_STAYS: Final = "the kernel runs it behind the driver (generic)"


class XdpLink(AttachedToInterface):
    """A program at an interface's XDP hook."""

    def __init__(self, interface: Interface, program: int, *, native: bool | None = None) -> None:
        """`native` None: native where the driver can, else generic, which the note tells.

        Raises NotSupported where the mode that was asked for isn't there; BpfscopeError where the hook is taken.
        """
        link, reason = -1, ""
        if native is not False:
            try:
                link = _link(program, interface, kernel.XDP_NATIVE)
            except NotSupported as error:
                if native:
                    raise
                reason = f"{_GENERIC_STAYS}: {error}"
        if link < 0:
            link = _link(program, interface, kernel.XDP_GENERIC)
        notes = [note for note in (note_if_down(interface), reason) if note]
        super().__init__(Hook.XDP, interface, link, "; ".join(notes))
        self.native = native is not False and not reason


def _link(program: int, interface: Interface, mode: int) -> int:
    try:
        return kernel.link_create(program, interface.number, kernel.ATTACH_XDP, mode)
    except OSError as error:
        if error.errno in _TAKEN:
            raise BpfscopeError(
                f"XDP of {interface.name} is taken by {_holder(interface.number)}, and an interface runs only one:"
                " detach that one, or use the hook tcx-ingress"
            ) from None
        if mode == kernel.XDP_NATIVE and (reason := _no_native(error, interface)):
            raise NotSupported(reason) from None
        raise refusal(error, Hook.XDP, interface.name) from None


def _no_native(error: OSError, interface: Interface) -> str:
    """Why the driver doesn't take it: the kernel's own words (extack) don't come out of bpf(2)."""
    name = interface.name
    if error.errno in (errno.EOPNOTSUPP, kernel.ENOTSUPP):
        return (
            f"the driver of {name} has no native XDP, or not with its offloads (ethtool -K {name} lro off gro-hw off)"
        )
    if error.errno in (errno.EINVAL, errno.ERANGE, errno.E2BIG):
        return (
            f"the driver of {name} refuses native XDP: often an MTU of {interface.mtu} is too large for it"
            f" (ip link set {name} mtu 1500), its peer's, or LRO is on (ethtool -K {name} lro off)"
        )
    if error.errno in (errno.ENOSPC, errno.ENOMEM):
        return f"the driver of {name} has too few queues for native XDP: ethtool -L {name} shows and sets them"
    return ""


def _holder(index: int) -> str:
    """Whose program is there, by netlink."""
    from tui.bpf.hooks import netlink

    numbers = netlink.xdp_programs(index)
    return " and ".join(map(program_text, numbers)) or "a program on an interface above or below it"
