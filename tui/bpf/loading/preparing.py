"""What a source needs of this kernel: its tracepoints and its types. Reads tracefs and /sys/kernel/btf."""

import os
from collections.abc import Sequence
from functools import cache
from typing import Final

from tui.bpf.btf.index import Btf
from tui.bpf.loading import formats
from tui.bpf.loading.declarations import declarations, declared
from tui.bpf.loading.source import INCLUDES, Prepared, prepare
from tui.errors import BpfscopeError

KERNEL: Final = "/sys/kernel/btf/vmlinux"
_LARGEST: Final = 1 << 20  # bytes of a source


def read(path: str) -> str:
    """A source file's text. Raises BpfscopeError."""
    try:
        if not os.path.lexists(path):
            raise BpfscopeError(f"there is no file {path}: give load a C file, or a name of `load --list`")
        if not os.path.isfile(path):
            raise BpfscopeError(f"{path} is no file: give load a C file, or a name of `load --list`")
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
    except UnicodeDecodeError:
        raise BpfscopeError(f"{path} is no C source: it isn't text in UTF-8") from None
    except OSError as error:
        raise BpfscopeError(f"cannot read {path}: {error.strerror}") from None
    if len(text) > _LARGEST or "\0" in text:
        raise BpfscopeError(f"{path} is no C source: it is larger than 1 MiB, or has NULs in it")
    return text


def ready(source: str, path: str, more: Sequence[str] = (), *, floats: bool = False) -> Prepared:
    """The source made ready for this kernel, with `more` lines in front; `floats` as `prepare` has it.

    Raises NotSupported (no such tracepoint), NotPermitted, BinaryError.
    """
    return prepare(
        source, path, lambda tag, *name: formats.struct_of(tag, formats.read(*name)), _declared, more, floats=floats
    )


def _declared(source: str) -> list[str]:
    """Types out of the kernel's BTF; none where it has no BTF, which only sources that name such types miss."""
    try:
        with open(KERNEL, "rb") as file:
            types = Btf(file.read())
    except OSError:
        return []
    return declarations(types, source, _known())


@cache
def _known() -> frozenset[str]:
    """What our own headers declare."""
    names: set[str] = set()
    for include in INCLUDES:
        for folder, _, files in os.walk(include):
            for name in files:
                with open(f"{folder}/{name}", encoding="utf-8") as file:
                    names |= declared(file.read())
    return frozenset(names)
