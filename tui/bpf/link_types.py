"""What a packet begins with: tcpdump's names, and libpcap's numbers on Linux (pcap/dlt.h)."""

from typing import Final

from tui.errors import UsageError
from tui.text import sanitise

NUMBERS: Final = {
    "NULL": 0,
    "EN10MB": 1,  # Ethernet
    "IEEE802": 6,
    "ARCNET": 7,
    "SLIP": 8,
    "PPP": 9,
    "FDDI": 10,
    "RAW": 12,  # an IP header
    "PPP_SERIAL": 50,
    "PPP_ETHER": 51,
    "C_HDLC": 104,
    "IEEE802_11": 105,
    "FRELAY": 107,
    "LOOP": 108,
    "LINUX_SLL": 113,  # Linux's own, for interfaces whose headers libpcap doesn't know
    "PFLOG": 117,
    "PRISM_HEADER": 119,
    "IP_OVER_FC": 122,
    "IEEE802_11_RADIO": 127,
    "IEEE802_11_RADIO_AVS": 163,
    "PPP_PPPD": 166,
    "PPI": 192,
    "IPNET": 226,
    "IPV4": 228,
    "IPV6": 229,
    "NFLOG": 239,
    "IPOIB": 242,
    "NETLINK": 253,
    "LINUX_SLL2": 276,  # of the interface `any`
}
_NAMES: Final = {number: name for name, number in NUMBERS.items()}


def number(name: str) -> int:
    """The number of a name, in any case, with or without DLT_. Raises UsageError."""
    found = NUMBERS.get(name.upper().removeprefix("DLT_"))
    if found is None:
        raise UsageError(
            f"there is no link type {sanitise(name) or 'without a name'}: give one of {', '.join(NUMBERS)}"
        )
    return found


def name(number: int) -> str:
    """The name of a number; of those that we don't name, the number."""
    return _NAMES.get(number, f"DLT {number}")
