"""bpf(2), perf_event_open(2) and their numbers, through ctypes; nothing else knows them.

Layouts are those of include/uapi/linux/bpf.h and perf_event.h as of Linux 6.18; a field that an older kernel doesn't
know is zero, which it accepts (bpf(2): trailing zeroes).
"""

import contextlib
import ctypes
import errno
import functools
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

MAP_CREATE: Final = 0
MAP_LOOKUP_ELEM: Final = 1
MAP_UPDATE_ELEM: Final = 2
MAP_DELETE_ELEM: Final = 3
MAP_GET_NEXT_KEY: Final = 4
PROG_LOAD: Final = 5
OBJ_PIN: Final = 6
OBJ_GET: Final = 7
PROG_ATTACH: Final = 8
PROG_DETACH: Final = 9
PROG_TEST_RUN: Final = 10
PROG_GET_NEXT_ID: Final = 11
MAP_GET_NEXT_ID: Final = 12
PROG_GET_FD_BY_ID: Final = 13
MAP_GET_FD_BY_ID: Final = 14
OBJ_GET_INFO_BY_FD: Final = 15
PROG_QUERY: Final = 16
BTF_GET_FD_BY_ID: Final = 19
TASK_FD_QUERY: Final = 20
BTF_GET_NEXT_ID: Final = 23
MAP_LOOKUP_BATCH: Final = 24
MAP_LOOKUP_AND_DELETE_BATCH: Final = 25
RAW_TRACEPOINT_OPEN: Final = 17
LINK_CREATE: Final = 28
LINK_UPDATE: Final = 29
LINK_GET_FD_BY_ID: Final = 30
LINK_GET_NEXT_ID: Final = 31
ENABLE_STATS: Final = 32

MAP_TYPE_HASH: Final = 1
MAP_TYPE_ARRAY: Final = 2
MAP_TYPE_PROG_ARRAY: Final = 3
MAP_TYPE_PERF_EVENT_ARRAY: Final = 4
MAP_TYPE_PERCPU_HASH: Final = 5
MAP_TYPE_PERCPU_ARRAY: Final = 6
MAP_TYPE_STACK_TRACE: Final = 7
MAP_TYPE_CGROUP_ARRAY: Final = 8
MAP_TYPE_LRU_HASH: Final = 9
MAP_TYPE_LRU_PERCPU_HASH: Final = 10
MAP_TYPE_LPM_TRIE: Final = 11
MAP_TYPE_ARRAY_OF_MAPS: Final = 12
MAP_TYPE_HASH_OF_MAPS: Final = 13
MAP_TYPE_DEVMAP: Final = 14
MAP_TYPE_SOCKMAP: Final = 15
MAP_TYPE_CPUMAP: Final = 16
MAP_TYPE_XSKMAP: Final = 17
MAP_TYPE_SOCKHASH: Final = 18
MAP_TYPE_REUSEPORT_SOCKARRAY: Final = 20
MAP_TYPE_PERCPU_CGROUP_STORAGE: Final = 21
MAP_TYPE_QUEUE: Final = 22
MAP_TYPE_STACK: Final = 23
MAP_TYPE_SK_STORAGE: Final = 24
MAP_TYPE_DEVMAP_HASH: Final = 25
MAP_TYPE_STRUCT_OPS: Final = 26
MAP_TYPE_RINGBUF: Final = 27
MAP_TYPE_INODE_STORAGE: Final = 28
MAP_TYPE_TASK_STORAGE: Final = 29
MAP_TYPE_BLOOM_FILTER: Final = 30
MAP_TYPE_USER_RINGBUF: Final = 31
MAP_TYPE_CGRP_STORAGE: Final = 32
MAP_TYPE_ARENA: Final = 33
F_MMAPABLE: Final = 1 << 10

LINK_INFO: Final = 64  # bytes of struct bpf_link_info
LINK_CGROUP: Final = 3
LINK_PERF_EVENT: Final = 7  # kinds of links: enum bpf_link_type
LINK_UPROBE_MULTI: Final = 12

PROG_TYPE_SOCKET_FILTER: Final = 1
PROG_TYPE_KPROBE: Final = 2  # uprobes too
PROG_TYPE_SCHED_CLS: Final = 3
PROG_TYPE_TRACEPOINT: Final = 5
PROG_TYPE_XDP: Final = 6
PROG_TYPE_PERF_EVENT: Final = 7
PROG_TYPE_CGROUP_SKB: Final = 8
PROG_TYPE_CGROUP_DEVICE: Final = 15
PROG_TYPE_RAW_TRACEPOINT: Final = 17
PROG_TYPE_CGROUP_SOCK_ADDR: Final = 18
ATTACH_CGROUP_INGRESS: Final = 0
ATTACH_CGROUP_EGRESS: Final = 1
ATTACH_CGROUP_DEVICE: Final = 6
ATTACH_XDP: Final = 37
ATTACH_PERF_EVENT: Final = 41
ATTACH_LSM_CGROUP: Final = 43
ATTACH_TCX_INGRESS: Final = 46
ATTACH_TCX_EGRESS: Final = 47
ATTACH_UPROBE_MULTI: Final = 48
ATTACH_TCX: Final = (ATTACH_TCX_INGRESS, ATTACH_TCX_EGRESS)
ATTACH_NETKIT: Final = (54, 55)  # primary, peer
CGROUP_ATTACH_TYPES: Final = {  # by the type of the program, where those of that type go to cgroups
    8: (ATTACH_CGROUP_INGRESS, ATTACH_CGROUP_EGRESS),
    9: (2, 34, 12, 13),  # sockets: made, released, bound
    13: (3,),  # what happens to TCP connections
    15: (ATTACH_CGROUP_DEVICE,),
    18: (8, 9, 10, 11, 14, 15, 19, 20, 29, 30, 31, 32, 49, 50, 51, 52, 53),  # addresses: bind, connect, sendmsg, …
    23: (18,),  # sysctl
    25: (21, 22),  # socket options
    29: (ATTACH_LSM_CGROUP,),
}
F_ALLOW_OVERRIDE: Final = 1 << 0  # of cgroups: a program further down replaces it there; without a flag there is none
F_ALLOW_MULTI: Final = 1 << 1  # all run, one after the other
UPROBE_MULTI_RETURN: Final = 1
F_BEFORE: Final = 1 << 3  # of tcx: in front of what is there
XDP_GENERIC: Final = 1 << 1
XDP_NATIVE: Final = 1 << 2
MPROG_MAX: Final = 64  # programs at one place (BPF_MPROG_MAX, BPF_CGROUP_MAX_PROGS)

SO_ATTACH_FILTER: Final = 26  # include/uapi/asm-generic/socket.h
SO_ATTACH_BPF: Final = 50

ENOTSUPP: Final = 524  # the kernel's own; it leaks out of uprobes for instructions that can't be probed

_PERF_FORMAT_LOST: Final = 1 << 4  # 6.0
_AF_PACKET: Final = 17
_SOL_SOCKET: Final = 1
_PIDFD_GETFD: Final = 438  # the same on all machines
_SYSCALLS: Final = {"x86_64": (321, 298), "aarch64": (280, 241)}  # bpf, perf_event_open
_libc = ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


@functools.cache
def _number(which: int) -> int:
    machine = os.uname().machine
    if machine not in _SYSCALLS:
        raise OSError(errno.ENOSYS, f"bpfscope runs on x86-64 and arm64, not on {machine}")
    return _SYSCALLS[machine][which]


def bpf(command: int, attributes: bytes) -> int:
    """Makes one call; returns what it returns, often a file descriptor (close-on-exec). Raises OSError."""
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _syscall(_number(0), command, buffer, len(attributes))


def perf_event_open(attributes: bytes, pid: int, cpu: int) -> int:
    """A perf event's file descriptor, close-on-exec. Raises OSError."""
    flag_cloexec = 8
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _syscall(_number(1), buffer, ctypes.c_int(pid), ctypes.c_int(cpu), -1, ctypes.c_ulong(flag_cloexec))


def map_create(kind: int, key_size: int, value_size: int, entries: int, flags: int, name: str, inner: int = 0) -> int:
    """A map's file descriptor. `inner`: of a map of maps, one that those it will hold are like."""
    sizes = (kind, key_size, value_size, entries, flags)
    return bpf(MAP_CREATE, struct.pack("5I2I16s", *sizes, inner, 0, name.encode()[:15]))


def map_first_key(fd: int, key_size: int) -> bytes | None:
    """Some key of a hash map; None where it is empty."""
    key = ctypes.create_string_buffer(key_size)
    try:
        bpf(MAP_GET_NEXT_KEY, struct.pack("I4x3Q", fd, 0, ctypes.addressof(key), 0))
    except FileNotFoundError:
        return None
    return key.raw


def map_keys(fd: int, key_size: int, most: int, after: bytes = b"") -> list[bytes]:
    """At most so many keys of a map, from the first or the one behind `after` on.

    Of a hash map, one that is deleted meanwhile begins the walk anew: keys may come twice.
    """
    keys: list[bytes] = []
    key = ctypes.create_string_buffer(after, key_size)
    following = ctypes.create_string_buffer(key_size)
    before = ctypes.addressof(key) if after else 0
    while len(keys) < most:
        try:
            bpf(MAP_GET_NEXT_KEY, struct.pack("I4x3Q", fd, before, ctypes.addressof(following), 0))
        except FileNotFoundError:
            break
        keys.append(following.raw)
        ctypes.memmove(key, following, key_size)
        before = ctypes.addressof(key)
    return keys


def map_lookup(fd: int, key: bytes, value_size: int) -> bytes | None:
    """A key's value; None where it isn't there. Without a key (b""): what a queue or stack would give next."""
    buffer = ctypes.create_string_buffer(key, len(key))
    value = ctypes.create_string_buffer(value_size)
    where = ctypes.addressof(buffer) if key else 0
    try:
        bpf(MAP_LOOKUP_ELEM, struct.pack("I4x3Q", fd, where, ctypes.addressof(value), 0))
    except FileNotFoundError:
        return None
    return value.raw


def map_update(fd: int, key: bytes, value: bytes) -> None:
    """Puts a value in. For a map of maps it returns when no program that runs still has the one before (4.20)."""
    keys, values = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    bpf(MAP_UPDATE_ELEM, struct.pack("I4x3Q", fd, ctypes.addressof(keys), ctypes.addressof(values), 0))


def map_items(
    fd: int, key_size: int, value_size: int, *, drain: bool = False, portion: int = 1024
) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a hash map (5.6); what is added meanwhile may be missed.

    `drain` takes them out, of a map that nobody writes to; without, nothing may be deleted meanwhile.
    """
    batch, more = Batch(fd, key_size, value_size, portion), True
    while more:
        number, more = batch.next(drain=drain)
        yield from batch.entries(number)


class Batch:
    """Walks a map, many entries at a call (5.6; arrays too, per-CPU ones 5.13, maps of maps 5.14)."""

    def __init__(self, fd: int, key_size: int, value_size: int, portion: int) -> None:
        """Of an open map; `value_size`: of a per-CPU map all CPUs', each rounded up to 8. `portion`: entries a call."""
        self._fd, self._key_size, self._value_size = fd, key_size, value_size
        self._after = ctypes.create_string_buffer(max(4, key_size))  # where the next portion begins
        self._before = 0
        self.take(portion)

    def take(self, portion: int) -> None:
        """So many entries at a call from now on."""
        self.portion = portion
        self._keys = ctypes.create_string_buffer(self._key_size * portion)
        self._values = ctypes.create_string_buffer(self._value_size * portion)

    def go_on(self, fd: int) -> None:
        """With another descriptor of the same map."""
        self._fd = fd

    def next(self, *, drain: bool = False) -> tuple[int, bool]:
        """How many the next call gave, and whether there may be more. `drain` takes them out.

        Raises OSError: ENOSPC where a hash map's bucket has more than a portion, ENOTSUPP where a map has no such call.
        """
        command = MAP_LOOKUP_AND_DELETE_BATCH if drain else MAP_LOOKUP_BATCH
        where = (self._before, *map(ctypes.addressof, (self._after, self._keys, self._values)))
        attributes = ctypes.create_string_buffer(struct.pack("4Q2I2Q", *where, self.portion, self._fd, 0, 0), 56)
        more = True
        try:
            _syscall(_number(0), command, attributes, 56)
        except FileNotFoundError:  # that was the last one
            more = False
        self._before = ctypes.addressof(self._after)
        number: int = struct.unpack_from("I", attributes, 32)[0]
        return number, more

    def entries(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """The keys and values that the last call gave."""
        keys = ctypes.string_at(self._keys, number * self._key_size)
        values = ctypes.string_at(self._values, number * self._value_size)
        return zip(_cut(keys, self._key_size, number), _cut(values, self._value_size, number), strict=True)


def _cut(data: bytes, size: int, number: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, number * size, size)]


def map_delete(fd: int, key: bytes) -> None:
    """Takes an entry out; one that isn't there is out already."""
    buffer = ctypes.create_string_buffer(key, len(key))
    with contextlib.suppress(FileNotFoundError):
        bpf(MAP_DELETE_ELEM, struct.pack("I4x3Q", fd, ctypes.addressof(buffer), 0, 0))


def program_load(kind: int, attach_type: int, instructions: bytes, name: str, log_size: int = 0) -> int:
    """A program's file descriptor. With `log_size`, an OSError carries the verifier's log as its third argument."""
    code = ctypes.create_string_buffer(instructions, len(instructions))
    license_text = ctypes.create_string_buffer(b"Dual MIT/GPL")
    log = ctypes.create_string_buffer(log_size or 1)
    attributes = struct.pack(
        "2I2Q2IQ2I16s2I",
        kind,
        len(instructions) // 8,
        ctypes.addressof(code),
        ctypes.addressof(license_text),
        1 if log_size else 0,
        log_size,
        ctypes.addressof(log) if log_size else 0,
        0,
        0,
        name.encode()[:15],
        0,
        attach_type,
    )
    try:
        return bpf(PROG_LOAD, attributes)
    except OSError as error:
        raise OSError(error.errno, error.strerror, log.value.decode(errors="replace")) from None


class TestRun(NamedTuple):
    """What a program did with a made-up packet."""

    result: int  # what it returned, unsigned
    duration: int  # nanoseconds a run, on average


def program_test_run(program: int, packet: bytes, repeat: int = 1, context: bytes = b"") -> TestRun:
    """Runs a packet program on bytes that no interface has seen; `context` is put into its context beforehand.

    A program for XDP sees at most one page less 576 bytes, one for tc at least 14; one for sockets sees what is behind
    the first 14. Raises OSError: EINVAL where there are fewer or more.
    """
    data = ctypes.create_string_buffer(packet, len(packet))
    given = ctypes.create_string_buffer(context, len(context))
    attributes = struct.pack(
        "4I2Q4I2Q4I",
        program,
        0,
        len(packet),
        0,
        ctypes.addressof(data),
        0,
        repeat,
        0,
        len(context),
        0,
        ctypes.addressof(given) if context else 0,
        *(0, 0, 0, 0, 0),
    )
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    _syscall(_number(0), PROG_TEST_RUN, buffer, len(attributes))
    result, duration = struct.unpack_from("I28xI", buffer.raw, 4)
    return TestRun(result, duration)


def link_uprobe_multi(
    program: int, path: str, offsets: list[int], cookies: list[int], pid: int, flags: int = 0,
    counters: list[int] | None = None,
) -> int:  # fmt: skip
    """A link of one program to many file offsets, all or none (6.6). `pid` 0: in every process.

    `counters`: for each the offset of two bytes that are above 0 meanwhile (semaphores of USDT probes), or 0.

    With UPROBE_MULTI_RETURN the program runs when the function that was entered there returns.

    Raises OSError: ENOTSUPP or EINVAL where one of the instructions can't be probed, EINVAL too where somebody else
    probes one with another counter or without.
    """
    where = ctypes.create_string_buffer(os.fsencode(path))
    sites = (ctypes.c_uint64 * len(offsets))(*offsets)
    values = (ctypes.c_uint64 * len(cookies))(*cookies)
    counted = (ctypes.c_uint64 * len(counters))(*counters) if counters else None
    attributes = struct.pack(
        "4I4Q2Ii4x",
        program,
        0,
        ATTACH_UPROBE_MULTI,
        0,
        ctypes.addressof(where),
        ctypes.addressof(sites),
        ctypes.addressof(counted) if counted else 0,
        ctypes.addressof(values),
        len(offsets),
        flags,
        pid,
    )
    return bpf(LINK_CREATE, attributes)


def link_perf_event(program: int, event: int, cookie: int) -> int:
    """A link of a program to a perf event, with a cookie (5.15)."""
    return bpf(LINK_CREATE, struct.pack("4IQ", program, event, ATTACH_PERF_EVENT, 0, cookie))


def link_create(program: int, target: int, attach_type: int, flags: int = 0) -> int:
    """A link of a program to an interface (its number; XDP 5.9, tcx 6.6) or a cgroup (its file descriptor; 5.7)."""
    return bpf(LINK_CREATE, struct.pack("4I", program, target, attach_type, flags))


def link_update(link: int, program: int) -> None:
    """Puts another program in place of a link's, with no moment without one (5.7)."""
    bpf(LINK_UPDATE, struct.pack("4I", link, program, 0, 0))


def attached_programs(target: int, attach_type: int) -> tuple[list[int], int]:
    """The ids of the programs at an interface's tcx (6.6), a cgroup or a sockmap, in the order in which they run; and
    flags.
    """
    ids, each = (ctypes.c_uint32 * MPROG_MAX)(), (ctypes.c_uint32 * MPROG_MAX)()
    flags_at = ctypes.addressof(each) if attach_type == ATTACH_LSM_CGROUP else 0  # it demands them (6.0)
    attributes = struct.pack(
        "4IQ2I4Q", target, attach_type, 0, 0, ctypes.addressof(ids), MPROG_MAX, 0, flags_at, 0, 0, 0
    )
    buffer = ctypes.create_string_buffer(attributes, len(attributes))  # the kernel writes all of it, however short
    _syscall(_number(0), PROG_QUERY, buffer, len(attributes))
    flags, number = struct.unpack_from("I8xI", buffer.raw, 12)
    return list(ids[:number]), each[0] if flags_at else flags


def chained_programs(ifindex: int, attach_type: int) -> list[tuple[int, int]]:
    """The programs at an interface's tcx (6.6) or netkit (6.7), in the order in which they run, and the number of the
    link that holds each; 0: none does. Raises OSError.
    """
    programs, links = (ctypes.c_uint32 * MPROG_MAX)(), (ctypes.c_uint32 * MPROG_MAX)()
    where = (ctypes.addressof(programs), MPROG_MAX, 0, 0, ctypes.addressof(links), 0, 0)
    buffer = ctypes.create_string_buffer(struct.pack("4IQ2I4Q", ifindex, attach_type, 0, 0, *where), 64)
    _syscall(_number(0), PROG_QUERY, buffer, 64)
    (number,) = struct.unpack_from("I", buffer.raw, 24)
    return list(zip(programs[:number], links[:number], strict=True))


def new_network_namespace() -> None:
    """Puts this thread into a network namespace of its own, which ends with it. Needs CAP_SYS_ADMIN; raises OSError."""
    clone_newnet = 0x40000000
    if _libc.unshare(clone_newnet) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def uprobe_event(path: str, offset: int, pid: int, *, returns: bool = False, counter: int = 0) -> int:
    """A perf event of the `uprobe` PMU at a file offset, in one process (`pid`) or in all (-1); or of its returns.

    `counter` (below 2^32): the offset of two bytes that are above 0 meanwhile (4.20).
    """
    with open("/sys/bus/event_source/devices/uprobe/type", encoding="ascii") as file:
        kind = int(file.read())
    where = ctypes.create_string_buffer(os.fsencode(path))
    size = 112  # PERF_ATTR_SIZE_VER5
    attributes = struct.pack(
        "2I5Q2I2Q", kind, size, counter << 32 | returns, 0, 0, 0, 0, 0, 0, ctypes.addressof(where), offset
    )
    return perf_event_open(attributes.ljust(size, b"\0"), pid, 0 if pid == -1 else -1)


def clock_event(cpu: int, period: int) -> int:
    """A perf event that ticks every so many ns on a CPU (cpu-clock), whatever runs there. Raises OSError."""
    software, cpu_clock, size = 1, 0, 112  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, PERF_ATTR_SIZE_VER5
    return perf_event_open(struct.pack("2I2Q", software, size, cpu_clock, period).ljust(size, b"\0"), -1, cpu)


def tracepoint_event(number: int) -> int:
    """A perf event of a tracepoint by its number (events/…/id in tracefs): a program linked to it sees all CPUs."""
    tracepoint, size = 2, 112  # PERF_TYPE_TRACEPOINT, PERF_ATTR_SIZE_VER5
    return perf_event_open(struct.pack("2I2Q", tracepoint, size, number, 1).ljust(size, b"\0"), -1, 0)


def kprobe_event(function: str, *, returns: bool) -> int:
    """A perf event of the `kprobe` PMU at a kernel function, or of its returns (4.17)."""
    with open("/sys/bus/event_source/devices/kprobe/type", encoding="ascii") as file:
        kind = int(file.read())
    name, size = ctypes.create_string_buffer(function.encode()), 112
    attributes = struct.pack("2I5Q2I2Q", kind, size, int(returns), 0, 0, 0, 0, 0, 0, ctypes.addressof(name), 0)
    return perf_event_open(attributes.ljust(size, b"\0"), -1, 0)


def counting_event(kind: int, config: int, cpu: int, *, period: int = 0, hertz: int = 0) -> int:
    """A perf event that overflows, and runs its program, every so many events on a CPU, or so many times a second.

    `kind`: PERF_TYPE_HARDWARE (0) or PERF_TYPE_SOFTWARE (1); `config`: its number (perf_event_open(2)).
    """
    size, by_frequency = 112, 1 << 10 if hertz else 0
    attributes = struct.pack("2I5Q", kind, size, config, hertz or period, 0, 0, by_frequency)
    return perf_event_open(attributes.ljust(size, b"\0"), -1, cpu)


def sampling_event(kind: int, config: int, cpu: int) -> int:
    """A perf event of a CPU each of whose samples has the thread, the time (CLOCK_MONOTONIC) and the raw data.

    For what programs put out (PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT), or for what a tracepoint says.
    """
    thread, moment, raw, use_clockid, wake_each, size = 1 << 1, 1 << 2, 1 << 10, 1 << 25, 1, 112

    def opened(read_format: int) -> int:
        flags = (config, 1, thread | moment | raw, read_format, use_clockid)
        attributes = struct.pack("2I5QI", kind, size, *flags, wake_each).ljust(92, b"\0") + struct.pack("i", 1)
        return perf_event_open(attributes.ljust(size, b"\0"), -1, cpu)

    try:
        return opened(_PERF_FORMAT_LOST)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return opened(0)


def lost_samples(event: int) -> int | None:
    """How many samples of a `sampling_event` have found no room; None before Linux 6.0."""
    data = os.read(event, 16)
    return int(struct.unpack("2Q", data)[1]) if len(data) == 16 else None


def raw_tracepoint_open(program: int, name: str) -> int:
    """A link of a program to a raw tracepoint by its event's name (4.17). Raises OSError (ENOENT: there is none)."""
    where = ctypes.create_string_buffer(name.encode())
    return bpf(RAW_TRACEPOINT_OPEN, struct.pack("QI4x", ctypes.addressof(where), program))


def info(fd: int, size: int, given: bytes = b"") -> bytes:
    """The first bytes of what the kernel says of a program, map, link or BTF (struct bpf_prog_info, bpf_map_info, …).

    `given`: the same struct with where to write lists and texts, and how much of them. What an older kernel doesn't
    know is zero. Raises OSError.
    """
    buffer = ctypes.create_string_buffer(given, size)
    bpf(OBJ_GET_INFO_BY_FD, struct.pack("2IQ", fd, size, ctypes.addressof(buffer)))
    return buffer.raw


def program_id(program: int) -> int:
    """The number by which the kernel lists the program."""
    number: int = struct.unpack_from("I", info(program, 8), 4)[0]
    return number


def linked_program(link: int) -> int:
    """The number of the program that a link holds."""
    number: int = struct.unpack_from("I", info(link, 12), 8)[0]
    return number


def program_name(number: int) -> str:
    """A program's name by its number, at most 15 characters, as whoever loaded it chose it; needs CAP_SYS_ADMIN."""
    fd = by_id(PROG_GET_FD_BY_ID, number)
    try:
        return info(fd, 80)[64:].split(b"\0")[0].decode(errors="replace")
    finally:
        os.close(fd)


def program_misses(program: int) -> int:
    """Times the kernel skipped the program since one ran on that CPU (bpf_prog_info.recursion_misses, 5.12)."""
    misses: int = struct.unpack_from("Q", info(program, 224), 208)[0]
    return misses


def packet_bind(fd: int, protocol: int, interface: int) -> None:
    """Binds a packet socket by the interface's number, where Python's own bind wants a name. Raises OSError."""
    swapped = (protocol & 0xFF) << 8 | protocol >> 8  # network order
    address = struct.pack("HHiHBB8s", _AF_PACKET, swapped, interface, 0, 0, 0, b"")
    if _libc.bind(fd, address, len(address)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def pidfd_getfd(process: int, fd: int) -> int:
    """A copy of another process's file descriptor (5.6; ptrace(2)'s rights). Raises OSError."""
    return _syscall(_PIDFD_GETFD, process, fd, 0)


def socket_filter(fd: int, code: int, most: int) -> int:
    """Writes a socket's classic filter, at most so many instructions, to an address; how many it has, 0: no filter.

    Raises OSError: EACCES of an eBPF one.
    """
    size = ctypes.c_uint32(most)  # in instructions, not bytes
    if _libc.getsockopt(fd, _SOL_SOCKET, SO_ATTACH_FILTER, ctypes.c_void_p(code), ctypes.byref(size)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return size.value


def ids(command: int) -> Iterator[int]:
    """The numbers of all objects of a kind (`command`: PROG_, MAP_, LINK_ or BTF_GET_NEXT_ID), ascending.

    One that is made or ends meanwhile may be there or not. Raises OSError: EPERM without CAP_SYS_ADMIN.
    """
    attributes = ctypes.create_string_buffer(12)  # the kernel writes the next one's number into the second word
    number = 0
    while True:
        struct.pack_into("3I", attributes, 0, number, 0, 0)
        try:
            _syscall(_number(0), command, attributes, 12)
        except FileNotFoundError:
            return
        (number,) = struct.unpack_from("I", attributes, 4)
        yield number


def by_id(command: int, number: int) -> int:
    """A file descriptor of an object by its number (`command`: PROG_, MAP_, LINK_ or BTF_GET_FD_BY_ID).

    Raises OSError: ENOENT where it ended, EAGAIN of a link that only begins, EPERM without CAP_SYS_ADMIN.
    """
    if number >> 32:  # numbers have 32 bits: there is none
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return bpf(command, struct.pack("3I", number, 0, 0))


def pinned(path: bytes) -> int:
    """A file descriptor of what is pinned at a path of a BPF file system; a map for reading. Raises OSError."""
    read_only = 1 << 3  # BPF_F_RDONLY
    where = ctypes.create_string_buffer(path)
    try:
        return bpf(OBJ_GET, struct.pack("Q2I", ctypes.addressof(where), 0, read_only))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return bpf(OBJ_GET, struct.pack("Q2I", ctypes.addressof(where), 0, 0))  # links have no such flag


def pin(fd: int, path: bytes) -> None:
    """Gives a program, map or link a name in a BPF file system, which keeps it. Raises OSError."""
    where = ctypes.create_string_buffer(path)
    bpf(OBJ_PIN, struct.pack("Q2I", ctypes.addressof(where), fd, 0))


def enable_statistics() -> int:
    """The kernel counts runs and run times of all programs while this file descriptor is open (5.8; CAP_SYS_ADMIN)."""
    return bpf(ENABLE_STATS, struct.pack("I", 0))  # BPF_STATS_RUN_TIME


def links() -> Iterator[int]:
    """A descriptor of each BPF link that there is, until the next is asked for (5.8; CAP_SYS_ADMIN)."""
    with contextlib.suppress(OSError):  # this user may not know
        for number in ids(LINK_GET_NEXT_ID):
            try:
                fd = by_id(LINK_GET_FD_BY_ID, number)
            except (FileNotFoundError, BlockingIOError):  # gone meanwhile, or only beginning
                continue
            try:
                yield fd
            finally:
                os.close(fd)


def task_fd_query(pid: int, fd: int) -> tuple[int, bytes, int, int]:
    """Of a process's perf event with a BPF program: its kind (enum bpf_task_fd_type), of a uprobe path and offset; and
    the program's number.

    Raises OSError where it is something else.
    """
    name = ctypes.create_string_buffer(4096)
    attributes = struct.pack("4IQ2I2Q", pid, fd, 0, len(name), ctypes.addressof(name), 0, 0, 0, 0)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    _syscall(_number(0), TASK_FD_QUERY, buffer, len(attributes))
    program, kind, offset = struct.unpack_from("2IQ", buffer.raw, 24)
    return kind, name.value, offset, program
