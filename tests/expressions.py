"""Expressions for filters to be made from: any number of them by seed, and those on which Linux and libpcap differ.

for expression in expressions.generate(500, seed=4):
    program = expressions.compile_expression(expression)
"""

from random import Random
from typing import Final, NamedTuple

import cypcap

from tests.grammar import Grammar
from tests.link_layers import NUMBERS
from tui.bpf.classic import CheckError, Instruction, Program, check

SNAPSHOT: Final = 262144  # tcpdump's own; what a program returns for a packet that it wants
_NO_NETMASK: Final = 0xFFFFFFFF
_LINK_TYPES: Final = {"EN10MB": 20} | {name: 1 for name in NUMBERS if name != "EN10MB"}


class Expression(NamedTuple):
    """What to look for, in packets of which link type."""

    text: str
    link_type: str = "EN10MB"


DIFFERENT: Final = {
    "ancillary data": ("inbound", "outbound or tcp", "inbound and port 22"),
    "header areas": ("ether[0xfff00000] = 2", "ip[0xfff00000 + ip[8]] < 250"),
    "X + k": ("ip[ip[8] - 20] < 250", "tcp[0 - tcp[13]] < 250"),
    "shifts by X": ("1 << ip[8] = 16", "ip[0] >> ip[8] != 0"),
    "jumps back": ("ip protochain 6", "ip6 protochain 17", "protochain 132 and greater 80"),
    "unwritten words": ("geneve and tcp or udp", "(geneve 11 and ip) or not tcp", "tcp or geneve and port 80"),
}
"""By the difference that tui.bpf.classic.dialect names: expressions on which Linux and libpcap don't agree."""


def generate(count: int, seed: int) -> list[Expression]:
    """So many different ones that libpcap compiles and the kernel takes; on them Linux and libpcap agree.

    Taken out of what the grammar says are those that reject every packet, or aren't there for a link type, and some
    with `geneve` (unwritten words).
    """
    dice = Random(seed)
    found: dict[Expression, None] = {}
    while len(found) < count:
        (link_type,) = dice.choices(list(_LINK_TYPES), list(_LINK_TYPES.values()))
        expression = Expression(Grammar(dice, link_type).expression(), link_type)
        if _is_usable(expression):
            found[expression] = None
    return list(found)


def _is_usable(expression: Expression) -> bool:
    try:
        check(compile_expression(expression))
        check(compile_expression(expression, optimise=False))
    except (cypcap.Error, CheckError):
        return False
    return True


def compile_expression(expression: Expression, *, optimise: bool = True) -> Program:
    """What libpcap makes of it, without an interface. Raises cypcap.Error."""
    with cypcap.open_dead(NUMBERS[expression.link_type], SNAPSHOT) as handle:
        return tuple(Instruction(*fields) for fields in handle.compile(expression.text, optimise, _NO_NETMASK))
