"""How a source of the user's own wants its figures shown, by comments in it. Pure.

// show took_ns: ns          a member of an event, a key or a value; or a map that is a histogram
// show from, to: address
// show at: time             bpf_ktime_get_ns(): when an event took place
// hide began                a map that only its programs need
"""

import errno
import ipaddress
import re
import signal
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from tui import text
from tui.bpf.btf.decoder import Octets, Value
from tui.bpf.btf.values import one_line
from tui.collectors.syscall_names import names

_SHOW: Final = re.compile(r"^\s*(?://|\*|/\*)\s*show\s+([\w, ]+?)\s*:\s*(\w+)", re.MULTILINE)
_HIDE: Final = re.compile(r"^\s*(?://|\*|/\*)\s*hide\s+([\w, ]+)", re.MULTILINE)
_MAPPED: Final = bytes(10) + b"\xff\xff"  # in front of an IPv4 address in an IPv6 one


__all__ = ["Hints", "Value", "hints"]


class Hints(NamedTuple):
    """By a member's or a histogram's name what it is; and the maps that nobody wants to see."""

    kinds: Mapping[str, str]
    hidden: frozenset[str]

    def named(self, value: Value, name: str = "") -> Value:
        """The value with names for numbers and addresses for bytes where that is what they are."""
        if isinstance(value, dict):
            return {key: self.named(member, key) for key, member in value.items()}
        change = _NAMES.get(self.kinds.get(name, ""))
        return change(value) if change else value

    def shown(self, value: Value, name: str = "") -> str:
        """A single value as a person reads it, with its unit."""
        value = self.named(value, name)
        unit = _UNITS.get(self.kinds.get(name, ""))
        return unit(value) if unit and isinstance(value, int) else one_line(value)

    def line(self, value: Value) -> str:
        """A whole value on one line: comm sh, took 1.2 ms."""
        if isinstance(value, dict):
            return ", ".join(f"{key} {self.shown(member, key)}" for key, member in value.items())
        return self.shown(value)

    @property
    def moment(self) -> str:
        """The member that says when an event took place; "" where none does."""
        return next((name for name, kind in self.kinds.items() if kind == "time"), "")

    def unit(self, name: str) -> Callable[[int], str]:
        """How the bounds of a histogram are written."""
        return _UNITS.get(self.kinds.get(name, ""), text.count)


def hints(source: str) -> Hints:
    """Of a source's comments."""
    kinds = {name: kind for names, kind in _SHOW.findall(source) for name in re.findall(r"\w+", names)}
    return Hints(kinds, frozenset(name for names in _HIDE.findall(source) for name in re.findall(r"\w+", names)))


def _address(value: Value) -> Value:
    if isinstance(value, int) and 0 <= value < 1 << 32:  # as it lies in a packet
        return str(ipaddress.IPv4Address(value.to_bytes(4, "little")))
    raw = bytes(each for each in value if isinstance(each, int)) if isinstance(value, Octets) else b""
    if isinstance(value, str):  # noughts, which look like an empty text
        return value
    if len(raw) == 16 and raw.startswith(_MAPPED):
        raw = raw[12:]
    return str(ipaddress.ip_address(raw)) if len(raw) in (4, 16) else value


def _error(value: Value) -> Value:
    return f"-{errno.errorcode[-value]}" if isinstance(value, int) and -value in errno.errorcode else value


def _signal(value: Value) -> Value:
    if isinstance(value, int) and value in signal.valid_signals():
        with_name = signal.Signals(value) if value in set(signal.Signals) else None
        return with_name.name if with_name else value
    return value


def _device(value: Value) -> Value:
    return f"{value >> 20}:{value & (1 << 20) - 1}" if isinstance(value, int) else value


_NAMES: Final[Mapping[str, Callable[[Value], Value]]] = {
    "address": _address,
    "device": _device,
    "errno": _error,
    "signal": _signal,
    "syscall": lambda value: names().get(value, value) if isinstance(value, int) else value,
}
_UNITS: Final[Mapping[str, Callable[[int], str]]] = {
    "ns": text.duration,
    "us": lambda value: text.duration(1000 * value),
    "bytes": text.size,
    "hex": hex,
}
