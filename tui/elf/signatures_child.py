"""Runs in a process of its own: the signatures of functions from a file's debug information, a line of JSON for each.

usage: python -m tui.elf.signatures_child    with the file on descriptor 3 and on standard input {"go": …, "functions":
[[address, name], …]}. A line is [address, Signature, reason]: a reason why there is no signature instead of one.

Hostile debug information can make any reader eat memory and time, so there is little of both.
"""

import json
import os
import resource
from typing import Final

from elftools.dwarf.die import DIE

from tui.elf import abi
from tui.elf.child import FILE
from tui.elf.dwarf import DebugInfo
from tui.elf.dwarf_functions import declaration
from tui.elf.dwarf_types import NotDescribed
from tui.elf.reader import ElfFile
from tui.elf.values import Signature
from tui.errors import BinaryError

_MEMORY: Final = 1536 << 20  # bytes
_CPU_SECONDS: Final = 10
_NOT_THERE: Final = "its debug information doesn't know this function"


def main() -> None:
    """Writes what it finds, function by function, so that one that ends us costs only those after it."""
    for limit, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _CPU_SECONDS), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    request = json.loads(os.pread(0, os.fstat(0).st_size, 0))
    names = {int(address): str(name) for address, name in request["functions"]}
    entries: dict[int, DIE] = {}
    debug, unread, machine = None, _NOT_THERE, ""
    try:
        with ElfFile(FILE, "the file") as elf:
            debug, machine = DebugInfo(elf), elf.machine
        entries = debug.functions(names)
    except BinaryError as error:
        unread = f"its debug information is {error}"
    for address, name in names.items():
        found, reason = None, unread
        if debug and address in entries:
            found, reason = _signature(debug, entries[address], name, machine, go=bool(request["go"]))
        os.write(1, json.dumps([address, found, reason]).encode() + b"\n")


def _signature(debug: DebugInfo, entry: DIE, name: str, machine: str, *, go: bool) -> tuple[Signature | None, str]:
    """Its signature, or the reason why there is none."""
    try:
        return abi.signature(declaration(debug, entry, name, go=go, machine=machine), machine), ""
    except NotDescribed as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - pyelftools meets damage with whatever it stumbles over
        return None, f"its debug information can't be read: {type(error).__name__}"


if __name__ == "__main__":
    main()
