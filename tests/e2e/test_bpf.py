"""The BPF mode in a terminal of its own: exact run counts; statistics that end with the console, however it ends."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Open
from tests.e2e.terminal import Terminal
from tests.kernel.probing import wait_until
from tui.bpf import kernel
from tui.bpf.extended.assembler import assemble, exit_, mov
from tui.bpf.extended.instructions import R0
from tui.bpf.inventory import info

PRIME = 10_007


@pytest.fixture
def program() -> Iterator[int]:
    """One that nobody runs but the test."""
    code = assemble([mov(R0, 0), exit_()]).bytecode({})
    fd = kernel.program_load(kernel.PROG_TYPE_SOCKET_FILTER, 0, code, "run_by_a_test")
    yield fd
    os.close(fd)


def counting(program: int) -> bool:
    """Whether statistics are on: told by a run."""
    before = info.Program.of(program).runs
    kernel.program_test_run(program, bytes(64), 1)
    return info.Program.of(program).runs > before


def listed(console: Open, program: int) -> Terminal:
    """The console with the program in its list, statistics on."""
    wait_until(lambda: not counting(program), "nobody else has statistics on")
    terminal = console()
    terminal.wait_for("3 BPF")
    terminal.keys("3")
    terminal.wait_for(r"watching [\d.]+ %")
    terminal.keys("/")
    terminal.type("run_by_a_test")
    terminal.keys("Enter")
    terminal.wait_for(r"\b1 (of [\d,]+ )?program")
    return terminal


def test_a_prime_number_of_runs_is_shown_exactly_in_the_list_and_on_the_page(console: Open, program: int) -> None:
    terminal = listed(console, program)
    before = info.Program.of(program).runs
    kernel.program_test_run(program, bytes(64), PRIME)
    assert info.Program.of(program).runs == before + PRIME
    terminal.wait_for(rf"{before + PRIME:,} runs")
    terminal.keys("Enter")
    terminal.wait_for(rf"run_by_a_test \d+ · socket_filter[\s\S]*{before + PRIME:,} runs[\s\S]*0 +r0 = 0")
    kernel.program_test_run(program, bytes(64), PRIME)
    terminal.wait_for(rf"{before + 2 * PRIME:,} runs")  # none was lost between the two screens
    terminal.keys("Escape")
    terminal.wait_for(rf"{before + 2 * PRIME:,} runs · ")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_statistics_end_with_the_console(console: Open, program: int, number: signal.Signals) -> None:
    terminal = listed(console, program)
    assert counting(program)
    os.kill(terminal.pid(), number)
    wait_until(lambda: not counting(program), "statistics end")
