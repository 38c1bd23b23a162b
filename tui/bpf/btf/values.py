"""Decoded values as one line of text: `{pid 7, comm "sh", at 0xffff88810, addr fe80 0000}`."""

from typing import Final

from tui.bpf.btf.decoder import Address, Octets, Value, Word

_LONGEST: Final = 4096  # characters: more can't be read on one line anyway


def one_line(value: Value, longest: int = _LONGEST) -> str:
    """The value, whole unless it is longer than that; text is quoted inside of structs and arrays."""
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[: longest - 1]}…"
    parts: list[str] = []
    _write(value, parts, longest)
    text = "".join(parts)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _write(value: Value, parts: list[str], left: int) -> int:
    """Adds the value's text to the parts while there is room; what is left of it."""
    if left <= 0:
        return 0
    if isinstance(value, dict):
        left = _put("{", parts, left)
        for position, (name, member) in enumerate(value.items()):
            left = _write(member, parts, _put(f"{', ' if position else ''}{name} ", parts, left))
            if left <= 0:
                break
        return _put("}", parts, left)
    if isinstance(value, list) and not isinstance(value, Octets):
        left = _put("[", parts, left)
        for position, element in enumerate(value):
            left = _write(element, parts, _put(", " if position else "", parts, left))
            if left <= 0:
                break
        return _put("]", parts, left)
    return _put(_plain(value, left), parts, left)


def _put(text: str, parts: list[str], left: int) -> int:
    parts.append(text)
    return left - len(text)


def _plain(value: Value, left: int) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Address):
        return f"{int(value):#x}"
    if isinstance(value, Octets):
        return bytes(part for part in value[: left + 1] if isinstance(part, int)).hex(" ")
    return f'"{value}"' if isinstance(value, str) and not isinstance(value, Word) else str(value)
