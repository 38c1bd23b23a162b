"""Attaching programs in every way that the kernel has, for the tests of the list of attachments.

    with Attaching() as made:
        program = made.program("cgroup_skb")
        made.link(program, cgroup, "cgroup_inet_ingress")

Everything goes when it is left: programs, links, maps, events. What isn't a file descriptor, the caller takes off.
"""

import contextlib
import ctypes
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

from tui.bpf import kernel
from tui.bpf.btf.index import FUNC, STRUCT, Btf
from tui.bpf.inventory import info, kinds
from tui.owner import Owner

RAW_TRACEPOINT_OPEN, PROG_ATTACH, PROG_DETACH, BTF_LOAD, OBJ_PIN = 17, 8, 9, 18, 6
PERF_EVENT_IOC_SET_BPF: Final = 0x40042408
F_LINK: Final = 1 << 13
_PROGRAM_TYPES: Final = {kinds.program_type(number): number for number in range(33)}
RETURN_0: Final = bytes.fromhex("b700000000000000" + "9500000000000000")
RETURN_1: Final = bytes.fromhex("b700000001000000" + "9500000000000000")
NEXT: Final = bytes.fromhex("b7000000ffffffff" + "9500000000000000")


def kernel_types() -> Btf:
    """The kernel's own BTF."""
    return Btf(info.btf_of(1)[1])


class Attaching(Owner):
    """Owns what was made."""

    def __init__(self) -> None:
        self._owned = contextlib.ExitStack()

    def close(self) -> None:
        self._owned.close()

    def own(self, fd: int) -> int:
        self._owned.callback(os.close, fd)
        return fd

    def program(
        self, kind: str, attach: str = "", code: bytes = RETURN_0, name: str = "", *, of: int = 0, flags: int = 0
    ) -> int:
        """A loaded program; `of`: the type of the kernel that it is to be attached to."""
        instructions = ctypes.create_string_buffer(code, len(code))
        license_text = ctypes.create_string_buffer(b"GPL")
        log = ctypes.create_string_buffer(1 << 16)
        attributes = struct.pack(
            "2I2Q2IQ2I16s2I2IQ2IQ4I",
            *(_PROGRAM_TYPES[kind], len(code) // 8, ctypes.addressof(instructions), ctypes.addressof(license_text)),
            *(1, len(log), ctypes.addressof(log), 0, flags, (name or kind).encode()[:15]),
            *(0, kinds.attach_number(attach) if attach else 0, 0, 0, 0, 0, 0, 0, 0, of, 0, 0),
        )
        try:
            return self.own(kernel.bpf(kernel.PROG_LOAD, attributes))
        except OSError as error:
            raise AssertionError(f"{kind} {attach}: {error} {log.value.decode()}") from None

    def traced(self, attach: str, function: str, kind: str = "tracing", code: bytes = RETURN_0, flags: int = 0) -> int:
        """A program at a function of the kernel."""
        number = next(kernel_types().find(function, {FUNC}))
        return self.program(kind, attach, code, function[:15], of=number, flags=flags)

    def link(self, program: int, target: int, attach: str, flags: int = 0) -> int:
        return self.own(kernel.link_create(program, target, kinds.attach_number(attach), flags))

    def link_with(self, program: int, attach: str, *more: int, target: int = 0) -> int:
        """With numbers of 32 bits of the link's own type behind the four that all have."""
        words = (program, target, kinds.attach_number(attach), 0, *more)
        return self.own(kernel.bpf(kernel.LINK_CREATE, struct.pack(f"{len(words)}I", *words).ljust(64, b"\0")))

    def raw_tracepoint(self, program: int, name: str = "") -> int:
        """A link to a raw tracepoint, or to what the program was loaded for."""
        text = ctypes.create_string_buffer(name.encode())
        given = struct.pack("QI4xQ", ctypes.addressof(text) if name else 0, program, 0)
        return self.own(kernel.bpf(RAW_TRACEPOINT_OPEN, given))

    def pin(self, fd: int, path: str) -> None:
        """Gives it a name in a BPF file system."""
        text = ctypes.create_string_buffer(path.encode())
        kernel.bpf(OBJ_PIN, struct.pack("Q2I", ctypes.addressof(text), fd, 0))

    def attach(self, program: int, target: int, attach: str, flags: int = 0) -> None:
        """Without a link; the caller detaches."""
        kernel.bpf(PROG_ATTACH, struct.pack("5I", target, program, kinds.attach_number(attach), flags, 0))

    def detach(self, program: int, target: int, attach: str) -> None:
        kernel.bpf(PROG_DETACH, struct.pack("5I", target, program, kinds.attach_number(attach), 0, 0))

    def tracepoint_event(self, category: str, name: str) -> int:
        """A perf event of a tracepoint, of this process."""
        number = int(Path(f"/sys/kernel/tracing/events/{category}/{name}/id").read_text())
        return self.own(kernel.perf_event_open(struct.pack("2IQ", 2, 112, number).ljust(112, b"\0"), -1, 0))

    def kprobe_event(self, function: str) -> int:
        """A perf event of a function of the kernel. Raises FileNotFoundError where the kernel has no kprobes."""
        kind = int(Path("/sys/bus/event_source/devices/kprobe/type").read_text())
        name = ctypes.create_string_buffer(function.encode())
        attributes = struct.pack("2I5Q2I2Q", kind, 112, 0, 0, 0, 0, 0, 0, 0, ctypes.addressof(name), 0)
        return self.own(kernel.perf_event_open(attributes.ljust(112, b"\0"), -1, 0))

    def kprobe_multi(self, program: int, *functions: str) -> int:
        """A link to several functions of the kernel (5.18)."""
        names = [ctypes.create_string_buffer(function.encode()) for function in functions]
        pointers = struct.pack(f"{len(names)}Q", *map(ctypes.addressof, names))
        listed = ctypes.create_string_buffer(pointers, len(pointers))
        head = (program, 0, kinds.attach_number("trace_kprobe_multi"), 0, 0, len(names))
        return self.own(kernel.bpf(kernel.LINK_CREATE, struct.pack("6I3Q", *head, ctypes.addressof(listed), 0, 0)))

    def set_bpf(self, event: int, program: int) -> None:
        """Attaches by ioctl, as before Linux 5.15."""
        fcntl.ioctl(event, PERF_EVENT_IOC_SET_BPF, program)

    def struct_ops(self, name: str, *, linked: bool) -> int:
        """A registered TCP congestion control of three programs, by a link or by its map, which the caller empties."""
        types = kernel_types()
        ops = types.type(next(types.find("tcp_congestion_ops", {STRUCT})))
        outer = types.type(next(types.find("bpf_struct_ops_tcp_congestion_ops", {STRUCT})))
        data = next(each.offset for each in outer.members if each.name == "data") // 8
        value = bytearray(outer.size)
        for index, member in enumerate(ops.members):
            at = data + member.offset // 8
            if member.name in {"ssthresh", "undo_cwnd", "cong_avoid"}:
                program = self._struct_op(member.name, ops.number, index)
                struct.pack_into("I", value, at, program)
            elif member.name == "name":
                value[at : at + len(name)] = name.encode()
        sizes = (26, 4, outer.size, 1, F_LINK if linked else 0, 0, 0)  # BPF_MAP_TYPE_STRUCT_OPS
        attributes = struct.pack("7I16s5I8x", *sizes, name.encode()[:15], 0, self._btf(), 0, 0, outer.number)
        made = self.own(kernel.bpf(kernel.MAP_CREATE, attributes))
        kernel.map_update(made, bytes(4), bytes(value))
        if linked:
            self.link(made, 0, "struct_ops")
        return made

    def _btf(self) -> int:
        """Some types: a map of struct_ops must come with its program's, whatever they are."""
        texts, types = b"\0int\0", struct.pack("<4I", 1, 1 << 24, 4, 32)
        data = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(texts)) + types + texts
        given = ctypes.create_string_buffer(data, len(data))
        return self.own(kernel.bpf(BTF_LOAD, struct.pack("2Q4I", ctypes.addressof(given), 0, len(data), 0, 0, 0)))

    def _struct_op(self, name: str, of: int, index: int) -> int:
        code = ctypes.create_string_buffer(RETURN_0, 16)
        license_text = ctypes.create_string_buffer(b"GPL")
        attributes = struct.pack(
            "2I2Q2IQ2I16s2I2IQ2IQ4I",
            *(_PROGRAM_TYPES["struct_ops"], 2, ctypes.addressof(code), ctypes.addressof(license_text)),
            *(0, 0, 0, 0, 0, name.encode(), 0, index, 0, 0, 0, 0, 0, 0, 0, of, 0, 0),
        )
        return self.own(kernel.bpf(kernel.PROG_LOAD, attributes))
