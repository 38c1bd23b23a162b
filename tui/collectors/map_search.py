"""Entries of a map by what somebody types: a number, an address, or text that their keys have."""

import ipaddress
from collections.abc import Callable, Iterator

from tui.bpf import kernel
from tui.bpf.btf.decoder import Value, Word
from tui.bpf.btf.values import one_line
from tui.bpf.inventory import contents, info
from tui.bpf.objects import refusal
from tui.collectors.entries import Entries, Entry
from tui.collectors.map_layout import STORED
from tui.errors import UsageError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def search(entries: Entries, word: str) -> list[Entry]:
    """Those that are meant, of the whole map.

    A number where keys are numbers: that entry. An address or network where keys are prefixes: those that contain it,
    the one that a program would find first. Anything else: those whose key, as it is shown, has this text.
    Raises UsageError, TargetError, NotPermitted, NotSupported.
    """
    one = entries.map
    try:
        with info.map_of(one.id) as fd:
            if (key := _number(entries, word)) is not None:
                value = kernel.map_lookup(fd, key, contents.value_bytes(one))
                return [] if value is None else [entries.decoded(key, value)]
            matches, network = _matcher(one.type, word)
            found = [entries.decoded(*pair) for pair in _all(fd, entries, matches)]
    except OSError as error:
        raise refusal(error, f"read map {one.id}") from None
    return sorted(found, key=lambda entry: -_length(entry.key)) if network else found


def _all(fd: int, entries: Entries, matches: Callable[[Value], bool]) -> Iterator[tuple[bytes, bytes]]:
    for portion in contents.portions(fd, entries.map):
        for key, value in portion:
            if matches(entries.layout.key(key) if key else None):
                yield key, value


def _number(entries: Entries, word: str) -> bytes | None:
    """The key's bytes, where keys are numbers that can be looked up and the word is one.

    Raises UsageError where no key can be that number.
    """
    size = entries.map.key_size
    if entries.layout.key_type in STORED or size not in (1, 2, 4, 8):
        return None
    largest = entries.layout.key(b"\xff" * size)
    if not isinstance(largest, int | Word):
        return None
    try:
        number = int(word, 0)
    except ValueError:
        return None
    signed = isinstance(largest, int) and largest < 0
    low, high = (-(1 << 8 * size - 1), 1 << 8 * size - 1) if signed else (0, 1 << 8 * size)
    if not low <= number < high:
        raise UsageError(f"no entry can have the key {word}: keys of this map are from {low:,} to {high - 1:,}")
    return number.to_bytes(size, "little", signed=signed)


def _matcher(kind: int, word: str) -> tuple[Callable[[Value], bool], Network | None]:
    network = _network(word) if kind == kernel.MAP_TYPE_LPM_TRIE else None
    if network is None:
        wanted = word.lower()
        return (lambda key: wanted in one_line(key).lower()), None
    return (lambda key: _contains(key, network)), network


def _network(word: str) -> Network | None:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        return None


def _contains(key: Value, wanted: Network) -> bool:
    rule = _network(key) if isinstance(key, str) else None
    if isinstance(rule, ipaddress.IPv4Network) and isinstance(wanted, ipaddress.IPv4Network):
        return wanted.subnet_of(rule)
    if isinstance(rule, ipaddress.IPv6Network) and isinstance(wanted, ipaddress.IPv6Network):
        return wanted.subnet_of(rule)
    return False


def _length(key: Value) -> int:
    return int(str(key).rpartition("/")[2])
