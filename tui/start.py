"""The first moment of the `bpfscope` command: until it can say so in words, Ctrl-C ends it without any."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it isn't ignored
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from tui.cli import entry

__all__ = ["entry"]
