"""Programs that are attached by maps: those of sockmaps and sockhashes (BPF_PROG_QUERY, 5.17), and of struct_ops, whose
functions the kernel calls while a link holds the map or the map itself was registered.
"""

import contextlib
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from tui.bpf import kernel
from tui.bpf.btf import index
from tui.bpf.btf.index import Btf
from tui.bpf.inventory import info, kinds
from tui.bpf.inventory.attachment import Attachment
from tui.errors import BpfscopeError

TYPES: Final = frozenset({"sk_skb", "sk_msg", "struct_ops"})  # of programs that are attached so
_SOCKMAPS: Final = ("sockmap", "sockhash")
_HOOKS: Final = ("sk_skb_stream_parser", "sk_skb_stream_verdict", "sk_skb_verdict", "sk_msg_verdict")
_IN_USE: Final = 1  # enum bpf_struct_ops_state: registered by the map; a link makes it READY (3)
_STATE_AT: Final = 4  # of struct bpf_struct_ops_common_value, behind a reference count
_VMLINUX: Final = 1
_WRAPPED: Final = "bpf_struct_ops_"  # the kernel's name of a struct with such a value in front


def by_maps() -> Iterator[Attachment]:
    """All; those of sockmaps with the ones that a link holds, which the caller knows already.

    A struct_ops map gives a row for each of its functions that is a program. Raises NotPermitted, NotSupported.
    """
    for each in info.maps():
        kind = kinds.map_type(each.type)
        if kind in _SOCKMAPS or kind == "struct_ops":
            with contextlib.suppress(BpfscopeError, OSError), info.map_of(each.id) as fd:  # it ended meanwhile
                yield from _struct_ops(fd, each) if kind == "struct_ops" else _sockmap(fd, each)


def map_text(found: info.Map) -> str:
    """Its name and number."""
    return f"{found.name} (map {found.id})" if found.name else f"map {found.id}"


def _sockmap(fd: int, found: info.Map) -> Iterator[Attachment]:
    for hook in _HOOKS:
        with contextlib.suppress(OSError):  # a hook that this kind doesn't have
            for program in kernel.attached_programs(fd, kinds.attach_number(hook))[0]:
                yield Attachment(hook.replace("_", "-"), map_text(found), program, map=found.id)


def _struct_ops(fd: int, found: info.Map) -> Iterator[Attachment]:
    value = kernel.map_lookup(fd, bytes(4), found.value_size) or b""
    state = struct.unpack_from("I", value.ljust(8, b"\0"), _STATE_AT)[0]
    name, functions = _functions(found.btf_vmlinux_value_type)
    for function, at in functions:
        if at + 8 <= len(value) and (program := struct.unpack_from("Q", value, at)[0]):
            detail = "" if state == _IN_USE else _STATES.get(state, f"state {state}")
            where = f"{name} {map_text(found)}: {function}"
            yield Attachment("struct-ops", where, program, map=found.id, detail=detail)


_STATES: Final = {0: "not registered", 2: "being removed", 3: "ready"}


@lru_cache(64)
def _functions(number: int) -> tuple[str, tuple[tuple[str, int], ...]]:
    """The name of a struct of functions and where these lie in the map's value, by the value's type in the kernel."""
    try:
        types = Btf(info.btf_of(_VMLINUX)[1])
        outer = types.resolved(number)
        data = next(each for each in outer.members if each.name == "data")
        inner = types.resolved(data.type)
        found = [(each.name, (data.offset + each.offset) // 8) for each in inner.members if _is_function(types, each)]
    except (BpfscopeError, StopIteration):
        return f"type {number}", ()
    return outer.name.removeprefix(_WRAPPED), tuple(found)


def _is_function(types: Btf, member: index.Member) -> bool:
    kind = types.resolved(member.type)
    return kind.kind == index.PTR and types.resolved(kind.target).kind == index.FUNC_PROTO
