"""Which functions the names mean that truth.h and arguments.go tell."""

import re
from collections.abc import Iterable

from tui.elf.names import Function


def function_of(functions: Iterable[Function], name: str) -> Function:
    """The one function of that name: with its arguments, in C++; or the variant that the compiler made of it."""
    pattern = re.compile(rf"(?:\w+ )?{re.escape(name)}(?:\[abi:cxx11\])?(?:\(.*|\.constprop\.\d+)?")
    found = [each for each in functions if each.name == name] or [
        each for each in functions if pattern.fullmatch(each.name)
    ]
    assert len(found) == 1, (name, [each.name for each in found])
    return found[0]
