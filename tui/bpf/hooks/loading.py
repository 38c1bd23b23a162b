"""Loading a packet program: the type that its hook wants, and a refusal in words."""

import errno

from tui.bpf import kernel
from tui.bpf.hooks.kinds import Hook
from tui.bpf.hooks.refusals import not_permitted
from tui.bpf.objects import refusal, verifier_log
from tui.errors import NotSupported


def load(hook: Hook, code: bytes, name: str) -> int:
    """A program's file descriptor, for the caller to close; attaching keeps the program as long as it needs it.

    `name`: at most 15 letters, digits, `_` and `.`. Raises NotPermitted, and NotSupported with what the verifier says.
    """
    attach_type = kernel.ATTACH_XDP if hook is Hook.XDP else 0
    try:
        return kernel.program_load(hook.program_type, attach_type, code, name)
    except OSError as error:
        if error.errno in (errno.E2BIG, errno.EFAULT):  # of so many jumps Linux 6.18 says EFAULT
            raise NotSupported(f"{name} is too much for the kernel's verifier: use a shorter filter") from None
        log = verifier_log(hook.program_type, attach_type, code, name, error)
        if (error.errno == errno.EPERM and not log) or "pointer prohibited" in log:  # the latter without CAP_PERFMON
            raise not_permitted(hook, "load a packet program") from None
        raise refusal(error, f"load the program {name}", log) from None
