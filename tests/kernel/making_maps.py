"""Maps with types, made for tests; closing them leaves nothing behind."""

import ctypes
import json
import os
import struct
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from tests.unit.btf_files import Maker
from tui.bpf import kernel
from tui.bpf.btf import index
from tui.bpf.inventory.info import Map
from tui.owner import Owner

BTF_LOAD = 18
MAP_UPDATE_BATCH = 26
NO_PREALLOC = 1


class Types:
    """The types that test maps have, and where they are."""

    def __init__(self) -> None:
        make = Maker()
        self.u32 = make.integer("unsigned int", 4)
        self.u64 = make.integer("unsigned long long", 8)
        self.int = make.integer("int", 4, index.SIGNED)
        char = make.integer("char", 1, index.SIGNED)
        byte = make.integer("unsigned char", 1)
        name = make.array(char, 16)
        self.state = make.enumeration("state", [("CLOSED", 0), ("OPEN", 1)])
        pair = make.struct("", 8, [("low", self.u32, 0), ("high", self.u32, 32)])
        either = make.struct("", 8, [("whole", self.u64, 0), ("halves", pair, 0)], index.UNION)
        flags = make.struct("flags", 4, [("three", self.u32, 0, 3), ("rest", self.int, 3, 5)])
        bytes_ = make.array(byte, 4)
        numbers = make.array(self.u32, 3)
        self.key = make.struct("flow", 24, [("comm", name, 0), ("port", self.u32, 128), ("state", self.state, 160)])
        self.value = make.struct(
            "stats",
            48,
            [
                ("packets", self.u64, 0), ("", either, 64), ("delta", self.int, 128), ("flags", flags, 160),
                ("mac", bytes_, 192), ("numbers", numbers, 224), ("pointer", make.pointer(self.u32), 320),
            ],
        )  # fmt: skip
        address = make.array(byte, 4)
        self.prefix = make.struct("prefix", 8, [("prefixlen", self.u32, 0), ("address", address, 32)])
        self.blob = make.build()


class Made(Owner):
    """Makes maps, and a BTF object for them."""

    def __init__(self) -> None:
        self._owned = ExitStack()
        self.types = Types()
        self._btf = self._keep(load_btf(self.types.blob))

    def close(self) -> None:
        """Lets all go."""
        self._owned.close()

    def _keep(self, fd: int) -> int:
        self._owned.callback(os.close, fd)
        return fd

    def map(
        self, kind: int, key: int, value: int, entries: int, *, name: str = "made", flags: int = 0, types: bool = True,
        key_type: int = 0, value_type: int = 0, inner: int = 0,
    ) -> int:  # fmt: skip
        """A map's file descriptor."""
        btf = self._btf if types and (key_type or value_type) else 0
        attributes = struct.pack(
            "5I2I16s4I", kind, key, value, entries, flags, inner, 0, name.encode(), 0, btf,
            key_type if btf else 0, value_type if btf else 0,
        )  # fmt: skip
        return self._keep(kernel.bpf(kernel.MAP_CREATE, attributes))


def load_btf(blob: bytes) -> int:
    """A BTF object's file descriptor; the verifier's log where the kernel refuses."""
    data, log = ctypes.create_string_buffer(blob, len(blob)), ctypes.create_string_buffer(1 << 16)
    where = (ctypes.addressof(data), ctypes.addressof(log), len(blob), len(log), 1)
    try:
        return kernel.bpf(BTF_LOAD, struct.pack("2Q3I", *where))
    except OSError as error:
        raise OSError(error.errno, log.value.decode()) from None


def fill(fd: int, entries: Iterable[tuple[bytes, bytes]]) -> None:
    """Puts entries in, in one go."""
    pairs = list(entries)
    keys = ctypes.create_string_buffer(b"".join(key for key, _ in pairs))
    values = ctypes.create_string_buffer(b"".join(value for _, value in pairs))
    where = (0, 0, ctypes.addressof(keys), ctypes.addressof(values), len(pairs), fd, 0, 0)
    kernel.bpf(MAP_UPDATE_BATCH, struct.pack("4Q2I2Q", *where))


def number_of(fd: int) -> int:
    """The map's number."""
    return Map.of(fd).id


def bpftool(number: int) -> list[dict[str, Any]]:
    """What `bpftool map dump` says of it."""
    found: list[dict[str, Any]] = _bpftool("dump", number)
    return found


def shown(number: int) -> dict[str, Any]:
    """What `bpftool map show` says of it."""
    found: dict[str, Any] = _bpftool("show", number)
    return found


def _bpftool(word: str, number: int) -> Any:  # noqa: ANN401 - JSON
    words = ["bpftool", "-j", "map", word, "id", str(number)]
    return json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
