"""Code that a JIT compiler has put into a process's memory, as it is there now: no file has it.

Only memory that the process may execute is read, and none that is a device's: where code lies, a map says that may have
been written by anybody.
"""

import os
import stat
from typing import Final

from tui.elf import modules
from tui.elf.layout import mapped
from tui.errors import BinaryError, NotPermitted

_GONE: Final = "the process has no machine code there any more: it was moved or thrown away, or it is bytecode"


def code(pid: int, address: int, size: int) -> bytes:
    """What the process has there, at most `size` bytes. Raises BinaryError, NotPermitted, TargetError."""
    thread, lines = mapped(pid)
    region = next((each for each in modules.regions(thread, lines) if each.start <= address < each.end), None)
    if region is None or (region.module and not _regular(region.module.file)):
        raise BinaryError(_GONE)
    try:
        memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise NotPermitted(f"cannot read the memory of process {pid}: it takes CAP_SYS_PTRACE") from None
    except OSError:
        raise BinaryError(_GONE) from None
    try:
        return os.pread(memory, min(size, region.end - address), address)
    except OSError:
        raise BinaryError(_GONE) from None
    finally:
        os.close(memory)


def _regular(path: str) -> bool:
    """Told without opening it."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False
