"""Who holds what: held by us, by a child, through a link, through a perf event; and by nobody any more."""

import fcntl
import os
import struct
import subprocess
import sys

import pytest

from tests.kernel.probing import wait_until
from tui.bpf import kernel
from tui.bpf.inventory import holders as holding
from tui.bpf.inventory import info
from tui.bpf.inventory.holders import Holder, holders

PERF_EVENT_IOC_SET_BPF = 0x40042408
RETURNS_0 = struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)
LOADS = (
    "import sys, struct; from tui.bpf import kernel;"
    "code = struct.pack('=BBhi', 0xB7, 0, 0, 0) + struct.pack('=BBhi', 0x95, 0, 0, 0);"
    "fd = kernel.program_load(1, 0, code, 'held'); print(kernel.program_id(fd), fd, flush=True); sys.stdin.read()"
)


def places(held: tuple[Holder, ...]) -> list[tuple[int, int]]:
    return [(one.pid, one.fd) for one in held]


def comm(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().rstrip()


def test_a_program_of_another_process_is_held_by_it_as_long_as_it_lives() -> None:
    with subprocess.Popen([sys.executable, "-c", LOADS], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout
        number, fd = map(int, child.stdout.readline().split())
        assert holders().programs[number] == (Holder(child.pid, comm(child.pid), fd),)
        child.kill()
        child.wait()
        assert number not in holders().programs


@pytest.mark.guest
def test_who_holds_a_link_holds_its_program() -> None:
    program = kernel.program_load(kernel.PROG_TYPE_PERF_EVENT, 0, RETURNS_0, "held")
    number = kernel.program_id(program)
    event = kernel.clock_event(0, 1_000_000_000)
    link = kernel.link_perf_event(program, event, 0)
    os.close(program)
    try:
        found = holders()
        link_number = struct.unpack_from("4xI", kernel.info(link, 8))[0]
        assert places(found.links[link_number]) == places(found.programs[number]) == [(os.getpid(), link)]
    finally:
        os.close(link)
        os.close(event)
    assert number not in holders().programs


def test_who_holds_a_probe_holds_its_program() -> None:
    program = kernel.program_load(kernel.PROG_TYPE_KPROBE, 0, RETURNS_0, "held")
    number = kernel.program_id(program)
    event = kernel.uprobe_event(sys.executable, 0x1000, os.getpid())
    fcntl.ioctl(event, PERF_EVENT_IOC_SET_BPF, program)
    os.close(program)
    try:
        assert places(holders().programs[number]) == [(os.getpid(), event)]
    finally:
        os.close(event)
    assert number not in holders().programs


def test_maps_are_held() -> None:
    fd = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 1, 0, "held")
    try:
        assert places(holders().maps[info.Map.of(fd).id]) == [(os.getpid(), fd)]
    finally:
        os.close(fd)


def test_what_we_open_only_to_list_it_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", LOADS], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout
        number = int(child.stdout.readline().split()[0])
        listing = [kernel.by_id(kernel.PROG_GET_FD_BY_ID, number)]
        assert {one.pid for one in holders().programs[number]} == {child.pid, os.getpid()}
        look = holding._held

        def closed_after_a_look(pid: int) -> dict[int, tuple[holding._Held, ...]]:
            found = look(pid)
            if pid == os.getpid() and listing:
                os.close(listing.pop())
            return found

        monkeypatch.setattr(holding, "_held", closed_after_a_look)
        assert {one.pid for one in holders().programs[number]} == {child.pid}
        child.kill()


def test_a_process_whose_main_thread_has_ended_holds_what_its_threads_do() -> None:
    ends = f"import threading, ctypes; threading.Thread(target=lambda: exec({LOADS!r})).start();"
    ends += "ctypes.CDLL(None).pthread_exit(None)"
    with subprocess.Popen([sys.executable, "-c", ends], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout
        number, fd = map(int, child.stdout.readline().split())
        wait_until(lambda: not os.listdir(f"/proc/{child.pid}/fd"), "the main thread ends")
        assert places(holders().programs[number]) == [(child.pid, fd)]
        child.kill()
