"""How to show what is in a map: by its BTF where it has some, otherwise by its kind and sizes.

LPM tries give addresses with the length of their prefix; arrays of programs or maps give numbers; stacks give
addresses. What nothing is known of is a number where it has the size of one, text where it is text, else bytes.
"""

import ipaddress
import os
import struct
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from tui.bpf import kernel
from tui.bpf.btf.decoder import Address, Octets, Plan, Reference, Value, Word, plan
from tui.bpf.btf.index import Btf
from tui.bpf.btf.names import name_of
from tui.bpf.inventory import at_cgroups, info
from tui.bpf.inventory.contents import PER_CPU, RINGS, cpus, per_cpu
from tui.bpf.inventory.info import Map
from tui.bpf.inventory.kernel_symbols import kernel_symbols
from tui.errors import BpfscopeError
from tui.text import sanitise

Decode = Callable[[bytes], Value]
_NUMBERS: Final = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_OF_DEVICES: Final = (kernel.MAP_TYPE_DEVMAP, kernel.MAP_TYPE_DEVMAP_HASH)
_OF_MAPS: Final = (kernel.MAP_TYPE_ARRAY_OF_MAPS, kernel.MAP_TYPE_HASH_OF_MAPS)
_SAYING: Final = {  # by type and size: what a value is
    (kernel.MAP_TYPE_CPUMAP, 4): "queue size",
    (kernel.MAP_TYPE_SOCKMAP, 8): "socket cookie",
    (kernel.MAP_TYPE_SOCKHASH, 8): "socket cookie",
    (kernel.MAP_TYPE_REUSEPORT_SOCKARRAY, 8): "socket cookie",
}
_BUILD_IDS: Final = 1 << 5  # BPF_F_STACK_BUILD_ID
_BUILD_ID: Final = struct.Struct("<i20sQ")  # struct bpf_stack_build_id: status, build id, offset or address
_LARGEST: Final = 1 << 16  # bytes without types that are kept as a list of numbers: that takes eight times as much
_SHORTEST_TEXT: Final = 2
STORED: Final = ("thread", "cgroup")  # types of keys that are ours, not the map's
_VMLINUX: Final = "vmlinux"


class Layout(NamedTuple):
    """How to read keys and values of a map."""

    key: Decode
    value: Decode  # of one CPU, where the map is per CPU
    key_type: str  # "struct flow"; "" where the map has no keys
    value_type: str
    typed: bool  # by BTF
    note: str = ""  # why the map's BTF doesn't tell
    per_cpu: bool = False

    def values(self, one: Map, data: bytes) -> tuple[Value, ...]:
        """An entry's value, or of a per-CPU map those of all CPUs."""
        return tuple(map(self.value, per_cpu(one, data))) if self.per_cpu else (self.value(data),)


def layout(one: Map) -> Layout:
    """Of a map. Where its BTF can't be read, or lies, the note says so."""
    found = _untyped(one)
    if not (one.btf_id or one.btf_vmlinux_value_type):
        return found
    try:
        return _typed(one, found)
    except BpfscopeError as error:
        return found._replace(note=f"shown without types: {error}")


def _typed(one: Map, otherwise: Layout) -> Layout:
    """By the map's BTF. Raises BinaryError, TargetError, NotPermitted."""
    if one.btf_vmlinux_value_type:
        types = _kernels(one.btf_vmlinux_id)
        made = plan(types, one.btf_vmlinux_value_type, one.value_size)
        return otherwise._replace(
            value=_functions_by_number(_whole(made)), value_type=name_of(types, one.btf_vmlinux_value_type), typed=True
        )
    types = Btf(info.btf_of(one.btf_id)[1])
    found = otherwise
    if one.btf_key_type and one.key_size and otherwise.key_type not in STORED:
        key = _whole(plan(types, one.btf_key_type, one.key_size))
        if one.type == kernel.MAP_TYPE_LPM_TRIE:
            key = _prefixes(key, otherwise.key)
        found = found._replace(key=key, key_type=name_of(types, one.btf_key_type))
    if one.btf_value_type and not otherwise.typed:
        value = plan(types, one.btf_value_type, one.value_size)
        found = found._replace(value=_whole(value), value_type=name_of(types, one.btf_value_type))
    return found._replace(typed=True)


def _kernels(number: int) -> Btf:
    """The kernel's own types, or a module's, which go on from them. Raises TargetError, NotPermitted, BinaryError."""
    if not number:
        with open(f"/sys/kernel/btf/{_VMLINUX}", "rb") as file:
            return Btf(file.read())
    name, data = info.btf_of(number)
    return Btf(data) if name == _VMLINUX else Btf(data, _kernels(0))


def _whole(made: Plan) -> Decode:
    return lambda data: made.read(data, 0)


def _functions_by_number(decode: Decode) -> Decode:
    """Of struct_ops: where a function is expected, the kernel gives the number of the program that is it."""

    def plain(value: Value) -> Value:
        if isinstance(value, dict):
            return {name: plain(member) for name, member in value.items()}
        return Reference(value) if isinstance(value, Address) else value

    return lambda data: plain(decode(data))


def _prefixes(decode: Decode, as_address: Decode) -> Decode:
    """A key of nothing but a length and an address is that; others stay what their type says."""

    def read(data: bytes) -> Value:
        value = decode(data)
        return as_address(data) if isinstance(value, dict) and len(value) == 2 and len(data) in (8, 20) else value

    return read


def _untyped(one: Map) -> Layout:
    """By kind and sizes. `typed` is set where the kind says all about the value."""
    key: Decode = _plain
    key_type = _sized(one.key_size)
    if one.type == kernel.MAP_TYPE_LPM_TRIE:
        key, key_type = _prefix, "prefix"
    elif one.type == kernel.MAP_TYPE_TASK_STORAGE:
        key, key_type = _task, "thread"
    elif one.type == kernel.MAP_TYPE_CGRP_STORAGE:
        key, key_type = _cgroup(), "cgroup"
    elif not one.key_size:
        key_type = ""
    value, value_type = _value(one)
    if one.type in RINGS:
        value_type = "events"
    known = value_type != _sized(one.value_size)
    return Layout(key, value, key_type, value_type, known, per_cpu=one.type in PER_CPU and len(cpus()) > 0)


def _value(one: Map) -> tuple[Decode, str]:
    """How to read a value, and what it is."""
    if one.type == kernel.MAP_TYPE_STACK_TRACE:
        return (_build_ids if one.flags & _BUILD_IDS else _stack), "stack"
    if one.type == kernel.MAP_TYPE_CPUMAP and one.value_size == 8:
        return _cpu, "queue size and program"
    if one.type in _OF_DEVICES:
        return (_device, "interface and program") if one.value_size == 8 else (_reference, "interface")
    if one.type == kernel.MAP_TYPE_PROG_ARRAY:
        return _program, "program"
    if one.type in _OF_MAPS:
        return _map, "map"
    return _plain, _SAYING.get((one.type, one.value_size), _sized(one.value_size))


def _task(data: bytes) -> Value:
    """A thread's number and name."""
    number = int.from_bytes(data, "little")
    try:
        with open(f"/proc/{number}/comm", "rb") as file:
            name = sanitise(os.fsdecode(file.read(64)).rstrip("\n"))
    except OSError:  # it has ended since
        name = ""
    return {"tid": Reference(number), "name": name}


def _cgroup() -> Decode:
    """A cgroup's path below the root of cgroup v2, as the tree is now; otherwise its number."""
    paths = at_cgroups.tree().paths

    def read(data: bytes) -> Value:
        number = Reference.from_bytes(data, "little")
        return sanitise(os.fsdecode(paths[number])) if number in paths else number

    return read


def _sized(size: int) -> str:
    return f"{size:,} byte{'' if size == 1 else 's'}"


def _plain(data: bytes) -> Value:
    """What it looks like."""
    if len(data) in _NUMBERS:
        return int(struct.unpack(_NUMBERS[len(data)], data)[0])
    text, _, rest = data.partition(b"\0")
    if len(text) >= _SHORTEST_TEXT and text.isascii() and text.decode("ascii").isprintable() and not any(rest):
        return text.decode("ascii")
    return Octets(data) if len(data) <= _LARGEST else data.hex()


def with_text_keys(found: Layout, keys: Iterable[bytes]) -> Layout:
    """The same where keys that nothing is known of are text, all of them: then what is one letter long is, too."""
    if found.key is not _plain:
        return found
    shown = [(key, _plain(key)) for key in keys]
    some = any(isinstance(value, str) for _, value in shown)
    if some and all(isinstance(value, str) or _is_text(key) for key, value in shown):
        return found._replace(key=_text)
    return found


def _is_text(data: bytes) -> bool:
    """One letter, or none, and noughts behind it."""
    return data[:1].isascii() and (data[:1].decode("ascii").isprintable() or not data[0]) and not any(data[1:])


def _text(data: bytes) -> Value:
    """Text in front of noughts; whatever isn't what it looks like."""
    return data[:1].rstrip(b"\0").decode("ascii") if _is_text(data) else _plain(data)


def _prefix(data: bytes) -> Value:
    """Of an LPM trie: 10.0.0.0/8, or whatever isn't an address in hexadecimal."""
    (length,), rest = struct.unpack_from("<I", data), data[4:]
    if len(rest) in (4, 16) and length <= 8 * len(rest):
        return f"{ipaddress.ip_address(rest)}/{length}"
    return f"{rest.hex()}/{length}"


def _program(data: bytes) -> Value:
    """The program's number and name."""
    number = Reference.from_bytes(data, "little")
    try:
        return {"program": number, "name": sanitise(kernel.program_name(number))}
    except OSError:  # it has ended since
        return {"program": number, "name": ""}


def _map(data: bytes) -> Value:
    """The map's number and name."""
    number = Reference.from_bytes(data, "little")
    try:
        with info.map_of(number) as fd:
            return {"map": number, "name": info.Map.of(fd).name}
    except (BpfscopeError, OSError):  # it has ended since
        return {"map": number, "name": ""}


def _reference(data: bytes) -> Value:
    return Reference.from_bytes(data, "little")


def _device(data: bytes) -> Value:
    interface, program = struct.unpack_from("<2I", data)
    return {"interface": Reference(interface), "program": Reference(program)}


def _cpu(data: bytes) -> Value:
    size, program = struct.unpack_from("<2I", data)
    return {"queue_size": size, "program": Reference(program)}


def _stack(data: bytes) -> Value:
    """A stack, innermost first: functions of the kernel by name, others by address, since whose they are isn't told."""
    addresses = [address for (address,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8]) if address]
    return [_frame(address) for address in addresses]


def _frame(address: int) -> Value:
    name = kernel_symbols().name(address) if address >> 63 else ""
    return Word(name) if name else Address(address)


def _build_ids(data: bytes) -> Value:
    """The same by build id and offset."""
    frames: list[Value] = []
    for status, build_id, where in _BUILD_ID.iter_unpack(data[: len(data) // _BUILD_ID.size * _BUILD_ID.size]):
        if status == 1:  # BPF_STACK_BUILD_ID_VALID
            frames.append(f"{build_id.hex()}+{where:#x}")
        elif status == 2:  # BPF_STACK_BUILD_ID_IP
            frames.append(Address(where))
    return frames
