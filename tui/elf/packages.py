"""What a function belongs to, by its readable name: the package in Go, the namespace or class in C++ and Rust."""

import re
from typing import Final

_CLONE: Final = re.compile(r"\.(?:part|constprop|isra|cold|lto_priv|localalias|llvm|\d)\b.*| \[clone .*")  # GCC, LLVM
_GO: Final = re.compile(r"(?:[^\[(]*/)?[^\[(./]+(?=\.)")  # up to the first dot after the last slash
_PLACE: Final = re.compile(r"\+0x[0-9a-f]+$")  # libc.so.6+0x11f0 has no name
_OPENING, _CLOSING = "<([{", ">)]}"
_ANONYMOUS: Final = "(anonymous namespace)"


def of(name: str) -> str:
    """As "net/http" of "net/http.(*conn).serve", "render::Scene" of "void render::Scene::draw(int)"; or empty."""
    if _PLACE.search(name):
        return ""
    name = _CLONE.sub("", name)
    if "::" not in name:
        found = _GO.match(name)
        return found[0] if found else ""
    name = name.replace(_ANONYMOUS, "\0")
    begin = end = depth = at = 0
    while at < len(name):
        letter = name[at]
        if letter == "(" and not depth:  # arguments
            break
        if not depth and name.startswith("operator", at) and name[at - 2 : at] == "::":
            break
        if letter in _OPENING:
            depth += 1
        elif letter in _CLOSING and name[at - 1 : at + 1] not in ("->", "=>"):
            depth -= 1
        elif not depth and letter == " ":  # what came before is a type
            begin = at + 1
        elif not depth and name.startswith("::", at):
            end = at
        at += 1
    return name[begin:end].replace("\0", _ANONYMOUS) if end > begin else ""
