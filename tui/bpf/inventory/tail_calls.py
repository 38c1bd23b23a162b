"""Programs that others jump to (bpf_tail_call): what maps of type prog_array hold.

The kernel counts a run of the program that was entered, not of those that it jumps to: their run counts say nothing.
"""

from typing import Final

from tui.bpf import kernel

PROG_ARRAY: Final = 3  # enum bpf_map_type
MOST: Final = 4_096  # entries that are looked at, of each map


def targets(fd: int, entries: int) -> set[int]:
    """The numbers of the programs in an open prog_array of so many entries, of the first 4,096. Raises OSError."""
    found = set()
    for index in range(min(entries, MOST)):
        value = kernel.map_lookup(fd, index.to_bytes(4, "little"), 4)
        if value is not None:
            found.add(int.from_bytes(value, "little"))
    return found
