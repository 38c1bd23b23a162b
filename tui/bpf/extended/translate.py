"""Classic programs as eBPF, for each kind of hook: what a packet gives is what the kernel's own classic engine gives.

    items = translate(program, Kind.TC, hits=64)
    code = [*before, *items, label("matched"), …, label("unmatched"), …]

The result is a fragment. It begins with R6 the context, R7 the address of the figures (cells of 8 bytes), and on tc and
XDP R8 `data` and R9 `data_end`. It uses R0 to R5, R8, R9 and the stack from R10-256 to R10-129, and ends by going to
"matched", with the program's result, the wanted length, in R0, or to "unmatched", where the result is 0. On sockets a
load beyond the packet doesn't go to "unmatched" but ends the program with 0.
"""

import re
from collections.abc import Mapping, Sequence

from tui.bpf.classic.instructions import Program
from tui.bpf.extended import assembler as asm
from tui.bpf.extended.ancillary import sources, with_link_layer
from tui.bpf.extended.calls import Calls, Legacy
from tui.bpf.extended.direct import Direct, Linear
from tui.bpf.extended.facts import facts
from tui.bpf.extended.hits import Kind, expand, starts
from tui.bpf.extended.instructions import R0, R6, R8, R9, R10, W
from tui.bpf.extended.items import Item, Jump, Label
from tui.bpf.extended.writer import MATCHED, UNMATCHED, Plan, Writer, reached, touches_x

__all__ = ["MATCHED", "UNMATCHED", "Kind", "expand", "mapping", "translate"]

_WRITERS: dict[Kind, type[Direct | Legacy | Linear]] = {
    Kind.SOCKET: Legacy,
    Kind.TC: Linear,
    Kind.XDP: Direct,
    Kind.CGROUP: Linear,
}


def translate(
    program: Program, kind: Kind, hits: int | None = None, constants: Mapping[str, int] | None = None
) -> list[Item]:
    """The fragment for a program that the classic checker accepts.

    `hits`: offset in the figures of one cell for each classic instruction; `expand` makes of them how often each ran.
    `constants`: ancillary data that is known beforehand, such as {"hatype": 1}; goes before what the hook tells.

    Raises NotSupported, with the reason, where the program loads what the hook doesn't have.
    """
    if kind is Kind.XDP:
        program = with_link_layer(program)
    known = facts(program)
    given = sources(program, kind, constants or {})
    has_x = any(touches_x(instruction) for instruction in program)
    plan = Plan(program, kind, known, given, starts(program, known, kind), hits, has_x)
    writer = _WRITERS[kind](plan)
    parts = writer.write(reached(program, {0}))
    others: dict[int, list[Item]] = {}
    if isinstance(writer, Linear):
        others = Calls(plan, writer.left).write(reached(program, writer.left))
    items = [item for number, part in parts.items() for item in (*part, *others.get(number, ()))]
    return [*_start(writer, plan), *_missing_ends(items), *items]


def _missing_ends(items: list[Item]) -> list[Item]:
    """Jumps to "matched" or "unmatched" where a program never goes there, because it matches nothing, or everything.

    They are never taken, which the verifier can't tell: the kernel refuses code that nothing leads to.
    """
    targets = {item.target for item in items if isinstance(item, Jump)}
    return [asm.jump("==", R10, 0, end) for end in (MATCHED, UNMATCHED) if end not in targets]


def _start(writer: Writer, plan: Plan) -> list[Item]:
    """A and X are 0. Of a cgroup's packet the addresses are looked up here (struct __sk_buff)."""
    items: list[Item] = [asm.mov32(R0, 0), *([asm.mov32(writer.x, 0)] if plan.has_x else [])]
    if plan.kind is Kind.CGROUP:
        items += [asm.load(R8, R6, 76, W), asm.load(R9, R6, 80, W)]
    return items


def mapping(items: Sequence[Item]) -> tuple[int | None, ...]:
    """For each item of a program with a translation in it, the classic instruction that it belongs to.

    Labels that aren't the translation's begin with anything but a digit. On tc an instruction may be there twice.
    """
    result: list[int | None] = []
    index: int | None = None
    for item in items:
        if isinstance(item, Label):
            found = re.match(r"\d+", item.name)
            index = int(found[0]) if found else None
        result.append(index)
    return tuple(result)
