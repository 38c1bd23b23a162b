"""What is known of cgroups, as plain data that costs nothing to import: screens start with it."""

from typing import Final, NamedTuple

ALLOW: Final = "allow"
DENY: Final = "deny"
ANY: Final = "any"


class Rule(NamedTuple):
    """What is allowed or denied."""

    verdict: str  # ALLOW, DENY
    what: str  # "10.0.0.0/8", "any", "char 1:3 rw", "tcp 8000-8010", "eth0"
    name: str = ""  # of a device, as this system calls it: "/dev/null", "pts"


class Rules(NamedTuple):
    """What a program does, as far as it is known."""

    rules: tuple[Rule, ...] = ()
    otherwise: str = ""  # the verdict on all else; "": not known
    counters: int = 0  # the number of the map of packets and bytes; 0: none
    cut: bool = False  # there are more rules
    unknown: str = ""  # why they aren't known; "" where nobody would ask


class Passed(NamedTuple):
    """Packets and their bytes, as IP has them."""

    rx_packets: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0

    def plus(self, other: "Passed") -> "Passed":
        """Both together."""
        return Passed(*map(int.__add__, self, other))

    def less(self, other: "Passed") -> "Passed":
        """What is more than the other; never less than nought."""
        return Passed(*(max(0, one - less) for one, less in zip(self, other, strict=True)))
