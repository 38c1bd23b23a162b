"""Where packet filters run: attaching one, with an owner that gives everything back.

    program = load(Hook.TCX_INGRESS, code, "hops")
    with attach(Hook.TCX_INGRESS, ifindex, program) as attached:
        attached.position                # "first of 3 programs"
        attached.replace(other_program)  # without a gap
        attached.gone()                  # True once the interface has disappeared

Everything is a socket or a link, which vanish with this process even after kill -9; all but tc filters on kernels
before 6.6 (`clsact`), which say whose they are, so that what is left behind is found and removed.

An interface is a number (ifindex) in the network namespace of the calling thread. What blocks here takes milliseconds;
not to be called in the thread of a running event loop. Knows nothing of what the programs do, but for one rule: they
let everything pass, and pass it on (`Hook.passes`).
"""

from tui.bpf.hooks.attached import Attached
from tui.bpf.hooks.attaching import attach
from tui.bpf.hooks.kinds import Direction, Hook
from tui.bpf.hooks.loading import load
from tui.bpf.hooks.sockets import ClassicSocket

__all__ = ["Attached", "ClassicSocket", "Direction", "Hook", "attach", "load"]
