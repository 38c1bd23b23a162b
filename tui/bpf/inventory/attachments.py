"""What BPF is attached where, of whomever: all sources in one list.

    for each in attachments():
        print(each.hook, each.where, each.program, each.name)

Needs CAP_SYS_ADMIN to list links (bpf(2)), CAP_SYS_PTRACE to know who holds them.
"""

import os
from collections.abc import Iterator

from tui.bpf.inventory import info
from tui.bpf.inventory.attachment import Attachment, by_program
from tui.bpf.inventory.holders import Holders, holders
from tui.bpf.inventory.linked import linked
from tui.bpf.inventory.surroundings import Surroundings

__all__ = ["Attachment", "attachments", "by_program"]


def attachments(held: Holders | None = None) -> list[Attachment]:
    """All, ordered by hook and place. `held`: who holds what, where that is known already.

    Raises NotPermitted, NotSupported.
    """
    programs = {each.id: each for each in info.programs()}
    held = held or holders()
    found = (_owned(each, programs, held) for each in _all(Surroundings(programs)))
    return sorted(found, key=lambda each: (each.hook, each.where, each.program, each.link))


def _all(around: Surroundings) -> Iterator[Attachment]:
    yield from linked(around)


def _owned(found: Attachment, programs: dict[int, info.Program], held: Holders) -> Attachment:
    program = programs.get(found.program)
    name = program.name if program else found.name
    by = held.links.get(found.link, ()) or held.programs.get(found.program, ())
    pids = found.pids or tuple(each.pid for each in by)
    return found._replace(name=name, pids=pids, ours=os.getpid() in pids)
