"""What is said of programs equals what the kernel says, and what the tests did: runs, times, owners, tail calls."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.probing import BPFSCOPE, run, run_as_nobody, wait_until
from tui.bpf import kernel
from tui.bpf.btf.index import FUNC, Btf
from tui.bpf.extended import instructions as ops
from tui.bpf.extended.assembler import assemble, call, exit_, map_pointer, mov
from tui.bpf.extended.instructions import R0, R1, R2, R3, Instruction
from tui.bpf.inventory import info
from tui.bpf.inventory.tail_calls import PROG_ARRAY
from tui.collectors import program_pages
from tui.collectors.program_samples import TAIL_CALLED, ProgramFigures
from tui.collectors.program_words import held_by
from tui.collectors.programs import Programs, Watched

PRIME = 10_007
RETURNS_0 = assemble([mov(R0, 0), exit_()]).bytecode({})
HOLDS = (
    "import sys; from tui.bpf import kernel\n"
    f"fd = kernel.program_load(1, 0, bytes.fromhex('{RETURNS_0.hex()}'), 'held')\n"
    "print(kernel.program_id(fd), flush=True); sys.stdin.read()"
)


@contextlib.contextmanager
def loaded(name: str, code: bytes = RETURNS_0, kind: int = kernel.PROG_TYPE_SOCKET_FILTER) -> Iterator[tuple[int, int]]:
    """A program's file descriptor and number."""
    fd = kernel.program_load(kind, 0, code, name)
    try:
        yield fd, kernel.program_id(fd)
    finally:
        os.close(fd)


def figures(reader: Programs, number: int) -> ProgramFigures:
    return next(one for one in reader.read().programs if one.id == number)


def later(reader: Programs, number: int) -> ProgramFigures:
    """A reading that is not the one before."""
    time.sleep(0.06)  # a younger one would be given again
    return figures(reader, number)


@pytest.mark.guest
def test_runs_and_times_of_a_period_are_the_kernels() -> None:
    with loaded("counted") as (fd, number), Programs() as reader:
        first = figures(reader, number)
        assert first.seconds is None
        kernel.program_test_run(fd, bytes(64), PRIME)
        second = later(reader, number)
        described = info.Program.of(fd)
    assert (second.period_runs, second.runs - first.runs) == (PRIME, PRIME)
    assert (second.runs, second.run_time_ns) == (described.runs, described.run_time_ns)
    assert second.period_ns == second.run_time_ns - first.run_time_ns > 0
    assert second.seconds
    assert second.per_second == pytest.approx(PRIME / second.seconds)
    assert second.cpu_percent == pytest.approx(second.period_ns / second.seconds / 1e7)


def test_live_packets_are_counted_exactly() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far, loaded("counted") as (fd, number), Programs() as reader:
        far.setsockopt(socket.SOL_SOCKET, kernel.SO_ATTACH_BPF, fd)
        figures(reader, number)
        for _ in range(PRIME):
            near.send(b"x")  # the program lets none through
        assert later(reader, number).period_runs == PRIME


def test_a_program_loaded_meanwhile_counts_from_its_birth() -> None:
    with Programs() as reader:
        reader.read()
        time.sleep(0.06)
        reader.read()
        with loaded("young") as (fd, number):
            kernel.program_test_run(fd, bytes(64), PRIME)
            one = later(reader, number)
    assert one.period_runs == PRIME
    assert one.seconds
    assert 0 < one.seconds < 10


def test_rates_begin_anew_after_a_rest() -> None:
    with loaded("counted") as (fd, number), Programs() as reader:
        reader.read()
        reader.rest()
        kernel.program_test_run(fd, bytes(64), PRIME)  # counted only where somebody else looks
        assert later(reader, number).seconds is None
        kernel.program_test_run(fd, bytes(64), 97)
        assert later(reader, number).period_runs == 97


def test_history_goes_on_after_a_rest() -> None:
    with loaded("counted") as (fd, number), Programs() as reader:
        reader.read()
        kernel.program_test_run(fd, bytes(64), PRIME)
        one = later(reader, number)
        assert reader.history.last(number, 0, 20, 20)[-1] == pytest.approx(one.per_second)
        reader.rest()
        reader.read()
        assert reader.history.last(number, 0, 20, 20)
        assert later(reader, number).per_second == 0


def test_owners_and_what_is_ours() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout
        theirs = int(child.stdout.readline())
        with loaded("") as (_, unnamed), Programs() as reader:
            reader.read()
            assert not figures(reader, theirs).holders
            one, ours = later(reader, theirs), figures(reader, unnamed)
            assert ([holder.pid for holder in one.holders], one.ours, one.name) == ([child.pid], False, "held")
            assert ([holder.pid for holder in ours.holders], ours.ours, ours.name) == ([os.getpid()], True, "")
            child.kill()
            child.wait()
            wait_until(lambda: theirs not in {one.id for one in reader.read().programs}, "its program ends")


def test_a_program_whose_owner_is_dead_is_shown_with_what_keeps_it(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "bpf", "bpf", tmp_path], check=True)
    try:
        with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=-1, stdout=-1, text=True) as child:
            assert child.stdout
            number = int(child.stdout.readline())
            with info.program(number) as fd:
                kernel.pin(fd, os.fsencode(tmp_path / "kept"))
            child.kill()
            child.wait()
        with Programs() as reader:
            reader.read()
            one = later(reader, number)
        assert (one.holders, one.pins, held_by(one)) == ((), (f"{tmp_path}/kept",), f"pinned {tmp_path}/kept")
        assert listed(f"{tmp_path}/kept")[0]["id"] == number
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    wait_until(lambda: number not in {each.id for each in info.programs()}, "it ends with its name")


@pytest.mark.guest
def test_programs_that_others_jump_to_are_marked() -> None:
    array = kernel.map_create(PROG_ARRAY, 4, 4, 8, 0, "jumps")
    jumps = assemble([map_pointer(R2, "jumps"), mov(R3, 5), call("tail_call"), mov(R0, 1), exit_()])
    code = jumps.bytecode({"jumps": array})
    try:
        with (
            loaded("jumped_to") as (target, number),
            loaded("jumps", code) as (fd, jumping),
            Programs() as reader,
        ):
            kernel.map_update(array, struct.pack("I", 5), struct.pack("I", target))
            reader.read()
            assert kernel.program_test_run(fd, bytes(64), PRIME).result == 0
            one = later(reader, number)
            assert (one.runs, one.uncounted) == (0, TAIL_CALLED)
            other = figures(reader, jumping)
            assert (other.period_runs, other.uncounted) == (PRIME, "")
            kernel.map_delete(array, struct.pack("I", 5))  # the target's other hold on the map's program type goes
    finally:
        os.close(array)


def test_the_page_has_instructions_and_maps_by_name() -> None:
    array = kernel.map_create(kernel.MAP_TYPE_ARRAY, 4, 8, 7, 0, "numbers")
    code = assemble([map_pointer(R1, "numbers"), mov(R2, 0), call("get_prandom_u32"), exit_()])
    try:
        with loaded("paged", code.bytecode({"numbers": array})) as (_, number):
            page = program_pages.read(number)
            dumped = subprocess.run(
                ["bpftool", "prog", "dump", "xlated", "id", str(number)], capture_output=True, text=True, check=False
            ).stdout
        map_id = info.Map.of(array).id
    finally:
        os.close(array)
    assert [(one.id, one.type, one.name, one.entries) for one in page.maps] == [(map_id, "array", "numbers", 7)]
    assert [line.text for line in page.code if "call" not in line.text] == [
        f"r1 = map[id:{map_id} numbers]",
        "r2 = 0",
        "exit",
    ]
    assert page.code[2].text.startswith("call bpf_")
    if dumped:
        assert page.code[2].text in dumped


def test_calls_of_kernel_functions_are_named() -> None:
    with open("/sys/kernel/btf/vmlinux", "rb") as file:
        types = Btf(file.read())
    numbers = [number for what in ("lock", "unlock") for number in types.find(f"bpf_rcu_read_{what}", (FUNC,))]
    if len(numbers) < 2:
        pytest.skip("functions of the kernel that programs may call: bpf_rcu_read_lock (Linux 6.2)")
    calls = [Instruction(0x85, 0, ops.KERNEL, 0, number) for number in numbers]
    code = assemble([*calls, mov(R0, 0), exit_()]).bytecode({})
    with loaded("kfuncs", code, kernel.PROG_TYPE_SCHED_CLS) as (_, number):
        texts = [line.text for line in program_pages.read(number).code]
    assert texts == ["call bpf_rcu_read_lock", "call bpf_rcu_read_unlock", "r0 = 0", "exit"]


async def test_statistics_are_off_a_second_after_the_last_look() -> None:
    watched, looking = Watched(), asyncio.Event()
    with loaded("watched") as (fd, _):

        def counting() -> bool:
            before = info.Program.of(fd).runs
            kernel.program_test_run(fd, bytes(64), 1)
            return info.Program.of(fd).runs > before

        async def look() -> None:
            async for _ in watched.stream(0.1):
                looking.set()

        first, second = asyncio.create_task(look()), asyncio.create_task(look())
        await looking.wait()
        assert counting()
        first.cancel()
        await asyncio.sleep(1.2)
        assert counting()
        second.cancel()
        await asyncio.wait([first, second])
        assert counting()  # another screen may open
        due = time.monotonic() + 30
        while counting():
            assert time.monotonic() < due
            await asyncio.sleep(0.05)


def test_machine_code_is_whole_and_calls_are_named() -> None:
    with loaded("machine", assemble([call("get_prandom_u32"), exit_()]).bytecode({})) as (fd, number):
        page, jited = program_pages.read(number), info.Program.of(fd).jited
    if not jited:
        pytest.skip("programs as machine code (bpf_jit_enable)")
    assert 0 <= page.machine[-1].slot < jited
    called = page.code[0].text.removeprefix("call ")
    assert any(line.text.endswith(called) for line in page.machine)


def listed(*words: str) -> list[dict[str, Any]]:
    done = run("programs", "-d", "0.1", "--json", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_command_counts_what_runs_while_it_measures() -> None:
    with loaded("counted") as (fd, number):
        with subprocess.Popen([BPFSCOPE, "programs", "-d", "1.5", "--json"], stdout=-1, text=True) as command:
            before = info.Program.of(fd).runs

            def counting() -> bool:
                kernel.program_test_run(fd, bytes(64), 1)
                return info.Program.of(fd).runs > before

            wait_until(counting, "the command turns statistics on")
            kernel.program_test_run(fd, bytes(64), PRIME)
            rows = [json.loads(line) for line in command.communicate()[0].splitlines()]
        after = info.Program.of(fd)
    row = next(row for row in rows if row["id"] == number)
    assert (row["runs"], row["run_time_ns"]) == (after.runs, after.run_time_ns)
    assert row["runs"] >= PRIME
    assert (row["type"], row["name"], row["pids"], row["maps"]) == ("socket_filter", "counted", [os.getpid()], [])


def test_the_command_finds_a_program_by_number_name_and_tag() -> None:
    with loaded("very_own_name") as (_, number):
        by_number, by_name = listed(str(number)), listed("very_own_name")
        assert [row["id"] for row in (*by_number, *by_name)] == [number, number]
        assert [line["text"] for line in by_number[0]["instructions"]] == ["r0 = 0", "exit"]
        assert number in [row["id"] for row in listed(by_number[0]["tag"])]
        said = run("programs", str(number), "-d", "0.1").stdout
    assert "very_own_name" in said
    assert "     0 r0 = 0\n     1 exit\n" in said
    gone = run("programs", "very_own_name", "-d", "0.1")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "no BPF program has the number, tag, name or pinned path very_own_name" in gone.stderr


def test_the_command_tells_what_a_program_did_that_is_unloaded_meanwhile() -> None:
    with contextlib.ExitStack() as owned:
        fd, number = owned.enter_context(loaded("goes_soon"))
        words = [str(BPFSCOPE), "programs", str(number), "-d", "60", "--json"]
        with subprocess.Popen(words, stdout=-1, stderr=-1, text=True) as command:
            until = time.monotonic() + 3.0  # some readings
            while time.monotonic() < until:
                kernel.program_test_run(fd, bytes(64), 1)
            owned.close()
            out, said = command.communicate(timeout=20)
    row = json.loads(out)
    assert (row["id"], command.returncode) == (number, 0)
    assert [line["text"] for line in row["instructions"]] == ["r0 = 0", "exit"]
    assert row["period_runs"] > 0
    assert f"program {number} was unloaded meanwhile" in said


def test_without_the_right_it_says_what_is_missing() -> None:
    done = run_as_nobody(BPFSCOPE, "programs")
    assert (done.returncode, done.stdout) == (3, "")
    assert "CAP_SYS_ADMIN" in done.stderr
