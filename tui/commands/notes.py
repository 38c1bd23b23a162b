"""What is said on standard error of many functions in few lines: one per reason, with a few names."""

from collections.abc import Iterable, Iterator
from typing import Final

from tui.elf.names import Skipped

_LINES: Final = 4  # reasons that are told, the most frequent first
_NAMES: Final = 3  # of each
_NAME, _REASON = 40, 160  # letters
_UNREAD: Final = " isn't read: "


def grouped(what: str, some: Iterable[Skipped]) -> Iterator[str]:
    """Lines such as "skipped 3 functions: they are too short (f, g, h)"; `what` is before each."""
    groups: dict[str, list[str]] = {}
    for row in some:
        reason, name = _told(row)
        groups.setdefault(reason, []).append(name)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for reason, names in ordered[:_LINES]:
        yield f"{what} {together(reason, names)}"
    if rest := ordered[_LINES:]:
        number = sum(len(names) for _, names in rest)
        yield f"{what} {number:,} more for {len(rest)} other reason{'s' * (len(rest) > 1)} (--json names them all)"


def together(reason: str, names: list[str]) -> str:
    """The reason, of one or of several."""
    reason = cut(reason, _REASON)
    if len(names) == 1:
        return f"{names[0]}: {reason}"
    more = ", … --json names them all" if len(names) > _NAMES else ""
    return f"{len(names):,} functions: {reason} ({', '.join(names[:_NAMES])}{more})"


def short(name: str) -> str:
    """A function's name without what it takes, and with its middle left out where it is long."""
    depth = 0
    bare = name
    for at, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and at and not depth and not name.startswith("(anonymous", at):
            bare = name[:at]
            break
    half = (_NAME - 1) // 2
    return bare if len(bare) <= _NAME else f"{bare[:half]}…{bare[-half:]}"


def cut(words: str, most: int) -> str:
    """The beginning."""
    return words if len(words) <= most else words[: most - 1] + "…"


def _told(row: Skipped) -> tuple[str, str]:
    """The reason without what belongs to this one alone, and the name: of a value with its function's."""
    name = short(row.function.name)
    value, unread, why = row.reason.partition(_UNREAD)
    if not unread:
        return row.reason, name
    return f"isn't read: {why}", f"{value.partition(' ')[0]} of {name}"
