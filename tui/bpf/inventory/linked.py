"""Attachments told by links (struct bpf_link_info, include/uapi/linux/bpf.h, Linux 6.18).

A link says where it is attached since 5.8 to 6.10, depending on its type; of one that doesn't say, or is newer than we
are, its type is all that is shown. Which network namespace an interface is in no link tells (`Surroundings.interface`).
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from typing import Final

from tui.bpf import kernel
from tui.bpf.inventory import kinds
from tui.bpf.inventory.attachment import Attachment
from tui.bpf.inventory.surroundings import Surroundings, event_text
from tui.bpf.objects import refusal
from tui.text import sanitise

_HEAD: Final = 16  # bytes of bpf_link_info before what depends on the type
_TEXT: Final = 4_096  # bytes of a path or name
_MOST: Final = 4_096  # places of a multi link that are listed
_EVENT_PLACES: Final = ("", "uprobe", "uretprobe", "kprobe", "kretprobe", "tracepoint", "perf-event")
_FAMILIES: Final = {2: "ip", 3: "arp", 7: "bridge", 10: "ip6", 1: "inet", 5: "netdev"}  # NFPROTO_…
_NF_HOOKS: Final = ("prerouting", "input", "forward", "output", "postrouting")

_Reader = Callable[[int, bytes, Surroundings], Iterator[Attachment]]


def linked(around: Surroundings) -> Iterator[Attachment]:
    """All that links hold, by their numbers; names and holders of programs are left out. Raises NotPermitted, …"""
    try:
        for number in kernel.ids(kernel.LINK_GET_NEXT_ID):
            try:
                fd = kernel.by_id(kernel.LINK_GET_FD_BY_ID, number)
            except (FileNotFoundError, BlockingIOError):  # ended meanwhile, or only begins
                continue
            try:
                yield from _of(fd, around)
            finally:
                os.close(fd)
    except OSError as error:
        raise refusal(error, "list what is attached") from None


def _of(fd: int, around: Surroundings) -> Iterator[Attachment]:
    raw = kernel.info(fd, kernel.LINK_INFO)
    kind, number, program = struct.unpack_from("3I", raw)
    reader = _READERS.get(kinds.link_type(kind), _unknown)
    for each in reader(fd, raw, around):
        yield each._replace(link=number, program=program)


def _unknown(_fd: int, raw: bytes, _around: Surroundings) -> Iterator[Attachment]:
    yield Attachment(_hook(kinds.link_type(struct.unpack_from("I", raw)[0])), "")


def _raw_tracepoint(fd: int, _raw: bytes, _around: Surroundings) -> Iterator[Attachment]:
    raw, name = _with_text(fd, _HEAD, _HEAD + 8)
    yield Attachment("raw-tracepoint", _text(name), detail=_cookie(raw, _HEAD + 16))


def _tracing(_fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    kind, target, place = struct.unpack_from("3I", raw, _HEAD)
    cookie = _cookie(raw, _HEAD + 16)
    (program,) = struct.unpack_from("8xI", raw)
    hook = _hook(kinds.attach_type(kind)).removeprefix("trace-").replace("lsm-mac", "lsm")
    if around.type(program) == "ext":
        hook = "freplace"
    where = around.traced(program, target, place)
    yield Attachment(hook, where.removeprefix("bpf_lsm_") if hook == "lsm" else where, detail=cookie)


def _cgroup(_fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    number, kind = struct.unpack_from("QI", raw, _HEAD)
    yield Attachment(_hook(kinds.attach_type(kind)), around.cgroup(number), cgroup=number)


def _iterator(fd: int, _raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    raw, text = _with_text(fd, _HEAD, _HEAD + 8)
    name = _text(text)
    number, cgroup, order = struct.unpack_from("=IQI", raw, _HEAD + 12) if name == "cgroup" else (0, 0, 0)
    detail = ""
    if "map" in name:
        (number,) = struct.unpack_from("I", raw, _HEAD + 12)
        detail = f"map {number}"
    elif name == "cgroup" and cgroup:
        detail = f"{around.cgroup(cgroup)}, {_ORDERS.get(order, f'order {order}')}"
    elif name.startswith("task") and any(raw[_HEAD + 16 : _HEAD + 24]):
        thread, process = struct.unpack_from("2I", raw, _HEAD + 16)
        detail = f"process {process}" if process else f"thread {thread}"
    yield Attachment("iter", name, detail=detail, map=number, cgroup=cgroup)


_ORDERS: Final = {1: "itself only", 2: "downwards", 3: "downwards, children first", 4: "upwards"}


def _network_namespace(_fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    inode, kind = struct.unpack_from("2I", raw, _HEAD)
    yield Attachment(_hook(kinds.attach_type(kind)), around.namespace(inode))


def _xdp(_fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    (ifindex,) = struct.unpack_from("I", raw, _HEAD)
    (program,) = struct.unpack_from("8xI", raw)
    place = around.xdp(ifindex, program)
    yield Attachment("xdp", place.text, ifindex=ifindex, detail=place.detail)


def _chain(_fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    """Of tcx and netkit, which have several programs one after the other."""
    (number,) = struct.unpack_from("4xI", raw)
    ifindex, kind = struct.unpack_from("2I", raw, _HEAD)
    place = around.chain(ifindex, kind, number)
    yield Attachment(_hook(kinds.attach_type(kind)), place.text, ifindex=ifindex, detail=place.detail)


def _struct_ops(_fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    (number,) = struct.unpack_from("I", raw, _HEAD)
    yield Attachment("struct-ops", around.map_text(number), map=number)


def _netfilter(_fd: int, raw: bytes, _around: Surroundings) -> Iterator[Attachment]:
    """It doesn't tell of which network namespace."""
    family, hook, priority, flags = struct.unpack_from("2IiI", raw, _HEAD)
    named = _NF_HOOKS[hook] if hook < len(_NF_HOOKS) else f"hook {hook}"
    detail = f"priority {priority}" + (", defragmented" if flags & 1 else "")
    yield Attachment("netfilter", f"{_FAMILIES.get(family, f'family {family}')} {named}", detail=detail)


def _sockmap(_fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    number, kind = struct.unpack_from("2I", raw, _HEAD)
    yield Attachment(_hook(kinds.attach_type(kind)), around.map_text(number), map=number)


def _perf_event(fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    """What it is attached to is told since 6.6."""
    (kind,) = struct.unpack_from("I", raw, _HEAD)
    hook = _EVENT_PLACES[kind] if kind < len(_EVENT_PLACES) else f"perf-event type {kind}"
    if hook == "perf-event":
        config, event, cookie = struct.unpack_from("QI4xQ", raw, _HEAD + 8)
        yield Attachment(hook, event_text(event, config), detail=_cookie_text(cookie))
    elif hook:
        raw, text = _with_text(fd, _HEAD + 8, _HEAD + 16)
        (offset,) = struct.unpack_from("I", raw, _HEAD + 20)
        if hook == "tracepoint":
            yield Attachment(hook, around.tracepoint(_text(text)), detail=_cookie(raw, _HEAD + 24))
        elif hook.startswith("k"):
            yield Attachment(
                hook, f"{_text(text)}+{offset}" if offset else _text(text), detail=_cookie(raw, _HEAD + 40)
            )
        else:
            yield _uprobe(hook, text, offset, detail=_cookie(raw, _HEAD + 24))
    else:
        yield Attachment("perf-event", "", detail="the kernel tells where since Linux 6.6")


def _uprobe(hook: str, file: bytes, offset: int, pid: int = 0, detail: str = "") -> Attachment:
    where = f"{_text(file)}+{offset:#x}"
    return Attachment(hook, where, file=os.fsdecode(file), offset=offset, pid=pid, detail=detail)


_UPROBES: Final = struct.Struct("4Q4I")  # path, offsets, counters, cookies; the path's size, count, flags, pid
_KPROBES: Final = struct.Struct("QIIQQ")  # addresses, count, flags, missed, cookies


def _uprobe_multi(fd: int, raw: bytes, _around: Surroundings) -> Iterator[Attachment]:
    *_, number, flags, pid = _UPROBES.unpack_from(raw, _HEAD)
    path = ctypes.create_string_buffer(_TEXT)
    offsets, cookies = (ctypes.c_uint64 * min(number, _MOST))(), (ctypes.c_uint64 * min(number, _MOST))()
    where = (ctypes.addressof(path), ctypes.addressof(offsets), 0, ctypes.addressof(cookies))
    _fill(fd, _UPROBES.pack(*where, len(path), len(offsets), 0, 0))
    hook, file = "uretprobe" if flags & kernel.UPROBE_MULTI_RETURN else "uprobe", path.value
    for offset, cookie in zip(offsets, cookies, strict=True):
        yield _uprobe(hook, file, offset, pid, _cookie_text(cookie))
    if number > _MOST or not number:  # of which older kernels (before 6.8) tell nothing
        rest = f"{number - _MOST:,} more places" if number else "the kernel tells where since Linux 6.8"
        yield Attachment(hook, _text(file), pid=pid, detail=rest)


def _kprobe_multi(fd: int, raw: bytes, around: Surroundings) -> Iterator[Attachment]:
    _, number, flags, _, _ = _KPROBES.unpack_from(raw, _HEAD)
    addresses = (ctypes.c_uint64 * min(number, _MOST))()
    _fill(fd, _KPROBES.pack(ctypes.addressof(addresses), len(addresses), 0, 0, 0))
    hook = "kretprobe" if flags & 1 else "kprobe"  # BPF_F_KPROBE_MULTI_RETURN
    for address in addresses:
        yield Attachment(hook, around.symbol(address))
    if number > _MOST or not number:
        rest = f"{number - _MOST:,} more functions" if number else "the kernel tells where since Linux 6.6"
        yield Attachment(hook, "", detail=rest)


def _fill(fd: int, given: bytes) -> None:
    """Lets the kernel write its lists; ENOSPC says that there was more than room."""
    with contextlib.suppress(OSError):
        kernel.info(fd, kernel.LINK_INFO, bytes(_HEAD) + given)


def _with_text(fd: int, where: int, size: int) -> tuple[bytes, bytes]:
    """The struct, and a text whose address and size stand there in it."""
    text = ctypes.create_string_buffer(_TEXT)
    given = bytearray(kernel.LINK_INFO)
    struct.pack_into("Q", given, where, ctypes.addressof(text))
    struct.pack_into("I", given, size, len(text))
    return kernel.info(fd, kernel.LINK_INFO, bytes(given)), text.value


def _cookie(raw: bytes, at: int) -> str:
    return _cookie_text(struct.unpack_from("Q", raw, at)[0])


def _cookie_text(cookie: int) -> str:
    return f"cookie {cookie}" if cookie else ""


def _hook(name: str) -> str:
    return name.replace("_", "-")


def _text(data: bytes) -> str:
    return sanitise(data.decode("utf-8", "replace"))


_READERS: Final[dict[str, _Reader]] = {
    "raw_tracepoint": _raw_tracepoint,
    "tracing": _tracing,
    "cgroup": _cgroup,
    "iter": _iterator,
    "netns": _network_namespace,
    "xdp": _xdp,
    "perf_event": _perf_event,
    "kprobe_multi": _kprobe_multi,
    "struct_ops": _struct_ops,
    "netfilter": _netfilter,
    "tcx": _chain,
    "uprobe_multi": _uprobe_multi,
    "netkit": _chain,
    "sockmap": _sockmap,
}
