"""Runs in a process of its own: libpcap, which compiles expressions and reads capture files.

usage: python -m tui.bpf.pcap_child    with requests on standard input and answers on standard output, a JSON object a
line; a capture file is descriptor 3. What a request gets is below, at its function; the last is {"done": true}.

The only module that imports cypcap. An expression can make libpcap's optimiser take minutes, or recurse until the stack
ends; a file can be anything. So there is little memory, and an alarm ends what takes too long.
"""

import ctypes
import fcntl
import json
import math
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import cypcap

from tui.bpf.expression_errors import column
from tui.bpf.pcap import ASK_THE_NETWORK, END, FILE, LONGEST, RECORD

_PATH: Final = f"/proc/self/fd/{FILE}"
_MEMORY: Final = 512 << 20  # bytes
_PORTION: Final = 1 << 16  # bytes that are gathered before they are written
_PATIENCE: Final = 10  # seconds for a portion of a file
_NOBODYS_PROTOCOL: Final = 0x88B5  # an EtherType for local experiments: a handle bound to it gets no packets
_SIOCGIFHWADDR: Final = 0x8927  # (linux/sockios.h)
_LINK_TYPES: Final = {1: 1, 772: 1, **dict.fromkeys((519, 768, 769, 776, 778, 65534), 12)}  # by ARPHRD_…: EN10MB, RAW
_TABLES: Final = ("hosts", "networks", "services", "protocols", "ethers")

Request = dict[str, Any]
Compile = Callable[[str, bool], cypcap.BpfProgram]  # what compiles a text, optimised or not


def main() -> None:
    """Answers until there are no more requests."""
    for limit, most in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CORE, 0)):
        allowed = resource.getrlimit(limit)[1]
        most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(limit, (most, most))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who pressed Ctrl-C decides about us
    answers = os.dup(1)
    os.dup2(2, 1)
    if ASK_THE_NETWORK not in sys.argv:
        _files_only()
    server = Server(answers)
    with open(0, encoding="utf-8") as requests:
        for line in requests:
            server.serve(json.loads(line))


def _files_only() -> None:
    """Names are looked up in files, never over the network: glibc's own switch for one process (nss.h)."""
    configure = ctypes.CDLL(None)["__nss_configure_lookup"]
    for table in _TABLES:
        configure(table.encode(), b"files")


class Server:
    """Answers requests; what is learned of interfaces is kept."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._interfaces: dict[tuple[str, int], tuple[int, int]] = {}  # name and index: link type, netmask

    def serve(self, request: Request) -> None:
        """Answers one request. Where it can't even begin: {"failed": why}."""
        kinds = {"compile": self._compile, "open": self._open, "packets": self._packets}
        signal.alarm(math.ceil(request["seconds"]) + 1)
        with ExitStack() as handles:
            try:
                kinds[request["kind"]](request, handles)
            except cypcap.Error as error:
                self._answer({"failed": error.msg})
            except MemoryError:
                self._answer({"failed": "there is not enough memory for this"})
            self._answer({"done": True})  # closing a live handle takes longer than compiling
            signal.alarm(_PATIENCE)
        signal.alarm(0)

    def _compile(self, request: Request, handles: ExitStack) -> None:
        """{"program": [[code, jt, jf, k], …], "optimised": …, "link_type": …}, once or, with "optimise", twice.

        Or {"error": libpcap's words}, and then {"column": where in the text, from 0, or null}. Before either may come
        {"plain": why the program isn't made for the interface that was asked for}, if that makes a difference.
        """
        compile_text, link_type = self._compiler(request, handles)
        text = request["text"]
        for optimised in (False, True) if request["optimise"] else (False,):
            program, reason = _tried(compile_text, text, optimised)
            if reason:
                self._answer({"error": reason})
                self._answer({"column": column(lambda part: _tried(compile_text, part, False)[1], text, reason)})
                return
            self._answer({"program": program, "optimised": optimised, "link_type": link_type})

    def _compiler(self, request: Request, handles: ExitStack) -> tuple[Compile, int]:
        """What compiles, and for which link type: for that of an interface, of the capture file, or one by number."""
        name, netmask = request["interface"], int(cypcap.NETMASK_UNKNOWN)
        if request["file"]:
            handle = handles.enter_context(cypcap.open_offline(_PATH))
            return _compile_by(handle, netmask), int(handle.datalink())
        link_type = request["link_type"]
        if name:
            identity = name, _index(name)
            known = self._interfaces.get(identity)
            if known is None or _has_tags(request):
                handle, link_type = self._live_or_plain(name, request)
                known = self._interfaces[identity] = link_type, _netmask(name)
                handles.enter_context(handle)
                return _compile_by(handle, known[1]), link_type
            link_type, netmask = known
        handle = handles.enter_context(cypcap.open_dead(link_type, request["snapshot"]))
        return _compile_by(handle, netmask), link_type

    def _live_or_plain(self, name: str, request: Request) -> tuple[cypcap.Pcap, int]:
        """An active handle of the interface, and its link type; one that isn't where the kernel refuses."""
        try:
            handle = _live(name, request["snapshot"])
        except cypcap.Error as error:
            link_type = _link_type(name)
            if link_type is None:
                raise
            if _has_tags(request):
                self._answer({"plain": error.msg})
            return cypcap.open_dead(link_type, request["snapshot"]), link_type
        return handle, int(handle.datalink())

    def _open(self, _request: Request, handles: ExitStack) -> None:
        """{"link_type": …} of the capture file."""
        handle = handles.enter_context(cypcap.open_offline(_PATH))
        self._answer({"link_type": int(handle.datalink())})

    def _packets(self, request: Request, handles: ExitStack) -> None:
        """{"reading": true}, then every packet: a RECORD and the bytes; then a RECORD of nothing but ones.

        After that {"failed": why}, where the file breaks off; or that at once, for a program that libpcap refuses.
        """
        program = cypcap.BpfProgram([tuple(row) for row in request["program"]])
        refusing = handles.enter_context(cypcap.open_offline(_PATH))
        refusing.setfilter(program)  # checks the program, which calling it doesn't
        handle = handles.enter_context(cypcap.open_offline(_PATH))
        self._answer({"reading": True})
        try:
            for portion in _portions(_records(handle, program)):
                self._write(portion)
                signal.alarm(_PATIENCE)
        finally:
            self._write(END)

    def _answer(self, row: dict[str, Any]) -> None:
        self._write(json.dumps(row).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._answers, data) :]


def _has_tags(request: Request) -> bool:
    """Whether it has the one word that a live handle makes something else of (BPF_SPECIAL_VLAN_HANDLING, 1.10.6)."""
    return "vlan" in request["text"]


def _compile_by(handle: cypcap.Pcap, netmask: int) -> Compile:
    return lambda text, optimised: handle.compile(text, optimised, netmask)


def _tried(compile_text: Compile, text: str, optimised: bool) -> tuple[list[tuple[int, int, int, int]], str]:
    """The program, or why there is none."""
    try:
        return [*compile_text(text, optimised)], ""
    except cypcap.Error as error:
        return [], str(error.msg)
    except UnicodeDecodeError as error:  # libpcap cut its own sentence within a letter
        return [], bytes(error.object).decode(errors="replace")


def _index(name: str) -> int:
    """The interface's number; another number is another interface. Raises cypcap.Error."""
    if name == "any":
        return 0
    try:
        return socket.if_nametoindex(name)
    except (OSError, ValueError):
        raise cypcap.Error(cypcap.ErrorCode.NO_SUCH_DEVICE, "there is no such interface") from None


def _live(name: str, snapshot: int) -> cypcap.Pcap:
    """An active handle that gets no packets. It needs CAP_NET_RAW, and 8 ms; closing it takes 30 (6.18)."""
    handle = cypcap.create(name)
    try:
        handle.set_snaplen(snapshot)
        handle.set_buffer_size(1 << 16)
        handle.set_protocol_linux(_NOBODYS_PROTOCOL)
        handle.activate()
    except BaseException:
        handle.close()
        raise
    return handle


def _link_type(name: str) -> int | None:
    """What a live handle would have, for the usual kinds of interfaces."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFHWADDR, struct.pack("40s", name.encode()))
        except OSError:
            return None
    return _LINK_TYPES.get(struct.unpack_from("H", answer, 16)[0])


def _netmask(name: str) -> int:
    """As pcap_compile wants it: not in network order, in which pcap_lookupnet gives it, and tcpdump passes it on."""
    try:
        return socket.ntohl(cypcap.lookupnet(name)[1])
    except cypcap.Error:
        return int(cypcap.NETMASK_UNKNOWN)


def _records(handle: cypcap.Pcap, program: cypcap.BpfProgram) -> Iterator[bytes]:
    """Each packet with its RECORD. Raises cypcap.Error where the file breaks off."""
    for header, data in handle:
        if header.caplen > LONGEST:
            raise cypcap.Error(-1, f"a packet of {header.caplen:,} bytes is more than a network's")
        yield RECORD.pack(header.caplen, header.len, program.offline_filter(header, data)) + data


def _portions(records: Iterator[bytes]) -> Iterator[bytes]:
    """The same in pieces worth writing; what was gathered before an error comes before it."""
    gathered: list[bytes] = []
    size = 0
    try:
        for record in records:
            gathered.append(record)
            size += len(record)
            if size >= _PORTION:
                yield b"".join(gathered)
                gathered, size = [], 0
    except cypcap.Error:
        yield b"".join(gathered)
        raise
    yield b"".join(gathered)


if __name__ == "__main__":
    main()
