"""The file descriptors of processes, also of one whose main thread has ended before the others."""

import contextlib
import os


def of_process(pid: int) -> tuple[int, list[str]]:
    """By whose number /proc tells them, that of a thread where the main thread has ended, and which they are.

    Raises OSError: it has ended, or this user may not look.
    """
    names = os.listdir(f"/proc/{pid}/fd")
    if not names:  # as of the kernel's own threads, too, which have none
        for thread in map(int, os.listdir(f"/proc/{pid}/task")):
            with contextlib.suppress(OSError):  # it has ended
                if thread != pid and (names := os.listdir(f"/proc/{thread}/fd")):
                    return thread, names
    return pid, names
