"""Runs in a process of its own: somebody's C through bcc into the kernel, its programs and maps back as descriptors.

usage: python -m tui.bpf.load_child SOCKET PARENT

Over the socket (its number; a stream) come and go lengths of 4 bytes and as much JSON. `{"source", "flags"}` is
answered by `{"functions", "maps"}`, or by `{"said"}` where it doesn't compile. Then `{"programs": [[function, type,
attach type], …]}` is answered by `{"loaded": n}` with the programs' descriptors (SCM_RIGHTS), then the maps'; or by
`{"refused": function, "errno", "log", "lines": [[instruction, line], …]}`.

Loading here, and not where the bytecode is wanted, keeps what libbcc knows: the BTF of maps, and the source's lines.
It prints to descriptors 1 and 2 as it likes; both are a file in memory of the parent's, which is what `said` holds:
also where LLVM ends this process. A source may be anybody's: memory, time and files are limited, and when the parent
(its process number) ends, the kernel ends this one.
"""

import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from tui.bpf.loading import line_table
from tui.bpf.loading.wire import receive, send

ARCHITECTURES: Final = {"x86_64": "x86", "aarch64": "arm64"}  # as libbcc wants them in the environment
_SAID: Final = 1  # the descriptor to which everything is printed
_LIMITS: Final = {
    resource.RLIMIT_AS: 1 << 30,  # bytes; Python, LLVM's library and a source of ours take 280 MB of it
    resource.RLIMIT_CPU: 60,  # seconds
    resource.RLIMIT_FSIZE: 16 << 20,  # bytes of what is said
    resource.RLIMIT_CORE: 0,
}
_MOST_SAID: Final = 1 << 20  # bytes
_PR_SET_PDEATHSIG: Final = 1
_LARGEST_REGION: Final = 1 << 28  # bytes of memory that are searched at a time
_LOG: Final = 16 << 20  # bytes for the verifier's log; it says more than a page only when it refuses


class Module:
    """What libbcc made of a source."""

    def __init__(self, source: str, flags: list[str]) -> None:
        """Compiles. Raises ValueError where libbcc refuses; it has said why."""
        import ctypes

        here = os.path.dirname(os.path.abspath(__file__))
        os.environ["BCC_KERNEL_SOURCE"] = f"{here}/loading"  # its include/ comes before ours, which flags name
        from bcc.libbcc import lib

        self._ctypes, self._lib = ctypes, lib
        for name in ("bpf_table_name", "bpf_function_name"):
            getattr(lib, name).restype = ctypes.c_char_p
            getattr(lib, name).argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        words = (ctypes.c_char_p * len(flags))(*map(os.fsencode, flags))
        self._module = lib.bpf_module_create_c_from_string(source.encode(), 0, words, len(flags), True, None)
        if not self._module:
            raise ValueError("libbcc refuses the source")

    def functions(self) -> list[tuple[str, int]]:
        """Programs and their sizes in instructions, in the order of the source."""
        lib, module = self._lib, self._module
        names = [lib.bpf_function_name(module, index) for index in range(lib.bpf_num_functions(module))]
        return [(name.decode(), lib.bpf_function_size(module, name) // 8) for name in names]

    def maps(self) -> Iterator[tuple[str, int, int, int, int, int]]:
        """Name, type, sizes of key and value, entries, and the descriptor, which stays ours."""
        lib, module = self._lib, self._module
        for index in range(lib.bpf_num_tables(module)):
            read = [lib.bpf_table_type_id, lib.bpf_table_key_size_id, lib.bpf_table_leaf_size_id]
            read += [lib.bpf_table_max_entries_id, lib.bpf_table_fd_id]
            kind, key, value, entries, fd = (function(module, index) for function in read)
            yield lib.bpf_table_name(module, index).decode(), kind, key, value, entries, fd

    def load(self, function: str, kind: int, attach_type: int) -> tuple[int, int, str]:
        """A program's descriptor, or -1; the error's number, and what the verifier says."""
        lib, module, name = self._lib, self._module, function.encode()
        code, size = lib.bpf_function_start(module, name), lib.bpf_function_size(module, name)
        terms, ctypes = lib.bpf_module_license(module) or b"GPL", self._ctypes
        ctypes.set_errno(0)
        fd = lib.bcc_func_load(module, kind, name, code, size, terms, 0, 0, None, 0, None, attach_type)
        if fd >= 0:
            return fd, 0, ""
        log = ctypes.create_string_buffer(_LOG)
        fd = lib.bcc_func_load(module, kind, name, code, size, terms, 0, 1, log, len(log), None, attach_type)
        return fd, ctypes.get_errno(), log.value.decode(errors="replace")


def serve(channel: socket.socket) -> None:
    """Compiles, answers, loads, answers. Whoever asks may go at any time: then this ends, and nothing is loaded."""
    request = receive(channel)
    try:
        module = Module(request["source"], request["flags"])
    except (ValueError, ImportError, OSError, AttributeError) as error:
        reason = "" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        send(channel, {"said": _read(), "reason": reason})
        return
    maps = list(module.maps())
    send(channel, {"functions": module.functions(), "maps": [each[:-1] for each in maps], "said": _read()})
    programs: list[int] = []
    for function, kind, attach_type in receive(channel)["programs"]:
        fd, number, log = module.load(function, kind, attach_type)
        if fd < 0:
            send(channel, {"refused": function, "errno": number, "log": log, "lines": _lines(function)})
            return
        programs.append(fd)
    send(channel, {"loaded": len(programs)}, [*programs, *(each[-1] for each in maps)])


def _lines(function: str) -> list[line_table.Place]:
    """Which lines the function's instructions are from; it is in this process's memory."""
    found: dict[bytes, list[bytes]] = {line_table.BTF: [], line_table.EXTENSION: []}
    for data in _memory():
        for head, places in found.items():
            at = -1
            while (at := data.find(head, at + 1)) >= 0:
                places.append(data[at : at + line_table.size(data[at : at + 40])])
    pairs = ((btf, ext) for ext in found[line_table.EXTENSION] for btf in found[line_table.BTF] if btf and ext)
    tables = (line_table.places(btf, ext, function) for btf, ext in pairs)
    return next(filter(None, tables), [])


def _memory() -> Iterator[bytes]:
    """What this process can write to, region by region; one that has gone meanwhile, or can't be read, is left out."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.read().splitlines():
            addresses, rights = line.split()[:2]
            start, end = (int(part, 16) for part in addresses.split("-"))
            if rights.startswith("rw") and end - start < _LARGEST_REGION:
                with suppress(OSError, ValueError, OverflowError):
                    memory.seek(start)
                    yield memory.read(end - start)


def _read() -> str:
    return os.pread(_SAID, _MOST_SAID, 0).decode(errors="replace")


def confine(parent: int) -> None:
    """Limits this process, and lets it end with its parent."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has gone already
        os._exit(1)
    for which, most in _LIMITS.items():
        resource.setrlimit(which, (most, most))


def main() -> None:
    """Serves one source."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    confine(int(sys.argv[2]))
    os.environ.setdefault("ARCH", ARCHITECTURES.get(os.uname().machine, ""))
    try:
        serve(channel)
    except (OSError, EOFError):  # nobody waits for it any more
        sys.exit(1)
    channel.close()
    os._exit(0)  # without taking LLVM apart


if __name__ == "__main__":
    main()
