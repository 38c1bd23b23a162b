"""Tracepoints as tracefs describes them (events/CATEGORY/EVENT/format): their numbers, and their arguments in C.

A struct has each field at the offset and with the size that the kernel says; what C types the names stand for need not
be known. As in bcc a `__data_loc` field is called `data_loc_NAME`: the lower 16 bits are where its text begins.
"""

import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.errors import NotPermitted, NotSupported

FOLDERS: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_FIELD: Final = re.compile(r"\tfield:([^;]*);\toffset:(\d+);\tsize:(\d+);\tsigned:([01]);")
_NAME: Final = re.compile(r"(.*?)(\w+)((?:\[[^]]*\])*)$")
_KEPT: Final = re.compile(  # pointers whose types C knows without any header
    r"((const|unsigned|signed|void|char|short|int|long|(struct|union) \w+|[us](8|16|32|64))\b\s*)+(\*\s*(const\b\s*)?)+"
)
_INTEGERS: Final = {1: "8", 2: "16", 4: "32", 8: "64"}


class Field(NamedTuple):
    """One of a tracepoint's arguments."""

    name: str
    type: str  # as the kernel writes it
    offset: int  # bytes
    size: int
    signed: bool
    elements: int = 0  # of an array; 0: it is none


class Format(NamedTuple):
    """A tracepoint."""

    number: int  # by which perf_event_open(2) knows it
    fields: tuple[Field, ...]


def read(category: str, event: str) -> Format:
    """The format of a tracepoint. Raises NotPermitted, NotSupported (there is none, or no tracefs)."""
    folder = root()
    name = f"{category}:{event}"
    if not re.fullmatch(r"[\w-]+:[\w-]+", name):
        raise NotSupported(f"there is no tracepoint {name}: it is named CATEGORY:EVENT, as sched:sched_switch")
    try:
        with open(f"{folder}/events/{category}/{event}/format", encoding="ascii", errors="replace") as file:
            return parse(file.read())
    except PermissionError:
        raise NotPermitted("Linux doesn't let this user read tracepoints (tracefs): run as root") from None
    except OSError:
        raise NotSupported(f"this kernel has no tracepoint {name}{_similar(folder, category, event)}") from None


def names(pattern: str = "*") -> list[tuple[str, str]]:
    """The categories and events of this kernel's tracepoints that a glob matches: `sched:*`. Raises NotSupported."""
    from fnmatch import fnmatchcase

    folder = f"{root()}/events"
    try:
        found = [(category, event) for category in os.listdir(folder) for event in _events_of(f"{folder}/{category}")]
    except OSError as error:
        raise NotPermitted(f"Linux doesn't let this user list tracepoints: {error.strerror}; run as root") from None
    wanted = pattern if ":" in pattern else f"*{pattern}*"
    return sorted((category, event) for category, event in found if fnmatchcase(f"{category}:{event}", wanted))


def _events_of(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    return [entry.name for entry in os.scandir(folder) if entry.is_dir()]


def root() -> str:
    """Where tracefs is mounted. Raises NotSupported, NotPermitted."""
    for folder in FOLDERS:
        if os.path.isdir(f"{folder}/events"):
            return folder
        if os.path.isdir(folder) and not os.access(folder, os.X_OK):
            raise NotPermitted("Linux doesn't let this user read tracepoints (tracefs): run as root")
    raise NotSupported("there is no tracefs: mount -t tracefs none /sys/kernel/tracing")


def parse(text: str) -> Format:
    """Of the text of a `format` file; what it doesn't say is left out."""
    number = re.search(r"^ID: (\d+)$", text, re.MULTILINE)
    return Format(int(number[1]) if number else 0, tuple(_fields(text)))


def _fields(text: str) -> Iterator[Field]:
    for declared, offset, size, signed in _FIELD.findall(text):
        found = _NAME.match(declared.strip())
        if not found:
            continue
        kind, name, dimensions = found[1].strip(), found[2], found[3]
        if kind.startswith(("__data_loc", "__rel_loc")):
            kind, name, dimensions = "u32", f"data_loc_{name}", ""
        count = 0
        if dimensions:
            number = dimensions.strip("[]")
            count = int(number) if number.isdecimal() and int(number) else int(size)
        yield Field(name, kind, int(offset), int(size), signed == "1", count)


def declared(field: Field) -> str:
    """A field as a program sees it behind `args->`: "char prev_comm[16]"."""
    return _member(field).rstrip(";")


def struct_of(tag: str, found: Format) -> str:
    """`struct TAG { … };` on one line, with which a program reads the tracepoint's arguments."""
    parts, at = list[str](), 0
    for field in sorted(found.fields, key=lambda each: each.offset):
        if field.offset < at or not field.size:  # it overlaps another: C can't say that
            continue
        if field.offset > at:
            parts.append(f"char __at_{at}[{field.offset - at}];")
        parts.append(_member(field))
        at = field.offset + field.size
    return f"struct {tag} {{ {' '.join(parts)} }} __attribute__((packed, aligned(8)));"


def _member(field: Field) -> str:
    if (
        field.elements
        and field.size % field.elements == 0
        and (element := _integer(field, field.size // field.elements))
    ):
        return f"{element} {field.name}[{field.elements}];"
    if field.size == 8 and "*" in field.type and not field.elements:
        return f"{field.type if _KEPT.fullmatch(field.type) else 'void *'} {field.name};"
    whole = _integer(field, field.size)
    return f"{whole} {field.name};" if whole and not field.elements else f"char {field.name}[{field.size}];"


def _integer(field: Field, size: int) -> str:
    if size == 1 and field.type.endswith("char"):
        return field.type.removeprefix("const ")
    return f"{'s' if field.signed else 'u'}{_INTEGERS[size]}" if size in _INTEGERS else ""


def _similar(folder: str, category: str, event: str) -> str:
    """What the category has instead, as a hint."""
    from difflib import get_close_matches

    try:
        events = sorted(os.listdir(f"{folder}/events/{category}"))
    except OSError:
        return f": there is no category {category} (ls {folder}/events)"
    close = get_close_matches(event, events, 3, 0.5)
    return (
        f"; it has {', '.join(f'{category}:{each}' for each in close)}"
        if close
        else f" (ls {folder}/events/{category})"
    )
