"""tcx links (Linux 6.6): programs in front of an interface's traffic control, one after the other.

A program that returns TCX_NEXT (-1) leaves the packet to the next one; any other verdict ends the chain. So ours go to
the front, where nobody's verdict keeps packets from them, and never give one.
"""

import errno
import os
from typing import Final

from tui.bpf import kernel
from tui.bpf.hooks.attached import AttachedToInterface, placed
from tui.bpf.hooks.interfaces import Interface, note_if_down
from tui.bpf.hooks.kinds import Hook
from tui.bpf.hooks.refusals import refusal
from tui.errors import NotSupported, UsageError

_TYPES: Final = {Hook.TCX_INGRESS: kernel.ATTACH_TCX_INGRESS, Hook.TCX_EGRESS: kernel.ATTACH_TCX_EGRESS}
_NOWHERE: Final = 0x7FFFFFFF  # a number that no interface has


class NoTcx(NotSupported):
    """The kernel is older than 6.6."""


class TcxLink(AttachedToInterface):
    """A program at the front of a tcx chain."""

    def __init__(self, hook: Hook, interface: Interface, program: int) -> None:
        """Raises NoTcx before 6.6, else as `refusal`."""
        try:
            link = kernel.link_create(program, interface.number, _TYPES[hook], kernel.F_BEFORE)
        except OSError as error:
            if error.errno == errno.EEXIST:
                raise UsageError(f"this program is at {hook.value} of {interface.name} already") from None
            if error.errno == errno.EINVAL:
                raise NoTcx(f"this kernel ({os.uname().release}) has no tcx: Linux 6.6 brought it") from None
            raise refusal(error, hook, interface.name) from None
        super().__init__(hook, interface, link, note_if_down(interface))

    @property
    def position(self) -> str:
        """Others may have put themselves in front since."""
        if self.gone():
            return ""
        try:
            ids, _ = kernel.attached_programs(self._index, _TYPES[self.hook])
        except OSError:  # it went meanwhile, into another namespace perhaps
            return ""
        return placed(ids, kernel.linked_program(self._links[0]))


def works(program: int) -> bool:
    """Whether there are tcx links, with any program of traffic control's: linked to an interface that isn't there."""
    try:
        os.close(kernel.link_create(program, _NOWHERE, kernel.ATTACH_TCX_INGRESS))
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            raise
        return error.errno == errno.ENODEV
    return True
