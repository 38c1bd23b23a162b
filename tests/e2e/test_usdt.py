"""USDT probes in the console: found by typing, counted, with arguments, call by call; no latency, with the reason."""

import os

import pytest

from tests.e2e import walk
from tests.e2e.conftest import Open, Start


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="a target with instructions of x86-64")
def test_counts_arguments_and_events(console: Open, start: Start) -> None:
    target = start("usdt")
    terminal = console(target.pid)
    walk.wait_functions(terminal, target.pid)
    walk.to_calls(terminal, "usdt:shop:asked")
    for letter, shown in (("g", "together|arg0 ▸|arg0"), ("v", "DURATION")):
        terminal.keys(letter)
        terminal.wait_for(rf"live ●[\s\S]*({shown})")
    assert target.work()["usdt:shop:asked"] == 29
    terminal.wait_for(r"29 events[\s\S]*usdt:shop:asked\(arg0=42\)")
    terminal.keys("g")
    terminal.wait_for(r"Arguments[\s\S]* 42 +29 ")
    terminal.keys("l")
    terminal.wait_for(r"a place in a function")
    terminal.keys("c")
    walk.wait_calls(terminal, "usdt:shop:asked", 29)
    walk.quit_detaching(terminal)
    assert target.work()["semaphores"] == 0
