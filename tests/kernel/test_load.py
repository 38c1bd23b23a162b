"""Under full load, no call is lost and none counted twice, whatever is added or removed meanwhile."""

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import Command, calls, counted, pick, resolve, wait_until
from tests.targets.running import Running
from tui.bpf.counting import main_thread_ended
from tui.bpf.features import Method
from tui.collectors.probe import CountingProbe
from tui.elf.names import Function

HOT = [f"hot{number}" for number in range(8)]
ROUNDS = 7919
TIMES = {Method.MULTI: 12, Method.MULTI_FILTERED: 12, Method.PERF_EVENT: 3}  # a perf event takes 0.1 s to detach


@pytest.mark.guest
def test_two_busy_cpus_lose_nothing(start: Start, method: Method) -> None:
    process = start("hammer", 2, 1009)
    target = resolve(process.pid)
    with CountingProbe(target) as probe:
        probe.add(pick(target, *HOT))
        truth = process.work()
        assert calls(probe) == dict.fromkeys(HOT, 2 * 1009) == {name: truth[name] for name in HOT}


def test_command_loses_nothing_on_two_busy_cpus(start: Start) -> None:
    process = start("hammer", 2, ROUNDS)
    with Command(process.pid, "hot*") as command:
        process.work()
        process.end()
        assert counted(command.finish()) == dict.fromkeys(HOT, 2 * ROUNDS)


def test_removing_again_and_again_keeps_the_others_exact(start: Start, method: Method) -> None:
    process = start("hammer", 2)
    target = resolve(process.pid)
    stays, goes = pick(target, *HOT[:4]), pick(target, *HOT[4:])
    with CountingProbe(target) as probe:
        probe.add([*stays, *goes])
        process.send("go")
        for turn in range(TIMES[method]):
            gone = [goes[turn % len(goes)]]
            probe.remove(gone)
            assert gone[0] not in probe.read().functions
            _wait_for_calls(probe, stays)
            probe.add(gone)
        truth = _stop(process)
        assert {name: calls(probe)[name] for name in HOT[:4]} == {name: truth[name] for name in HOT[:4]}


def test_removing_one_after_the_other_from_one_batch(start: Start, method: Method) -> None:
    process = start("hammer", 4)
    target = resolve(process.pid)
    every = pick(target, *HOT)
    with CountingProbe(target) as probe:
        probe.add(every)
        process.send("go")
        for function in every[:0:-1]:
            probe.remove([function])
            _wait_for_calls(probe, every[:1])
        truth = _stop(process)
        assert calls(probe) == {"hot0": truth["hot0"]}


def test_adding_while_running_keeps_the_others_exact(start: Start, method: Method) -> None:
    process = start("hammer", 2)
    target = resolve(process.pid)
    there, late = pick(target, *HOT), pick(target, "late")
    with CountingProbe(target) as probe:
        probe.add(there)
        process.send("go")
        _wait_for_calls(probe, there)
        assert probe.add(late).attached == tuple(late)
        process.send("late")
        _wait_for_calls(probe, late)
        truth = _stop(process)
        assert calls(probe) == truth


def test_adding_what_is_probed_already_changes_nothing(start: Start) -> None:
    process = start("plain-pie")
    target = resolve(process.pid)
    alpha, beta = pick(target, "alpha", "beta")
    with CountingProbe(target) as probe:
        probe.add([alpha])
        assert probe.add([alpha, beta]).attached == (beta,)
        assert probe.add([alpha]).attached == ()
        process.work()
        assert calls(probe) == {"alpha": 997, "beta": 7919}


def test_two_probes_count_the_same_calls(start: Start) -> None:
    process = start("plain-pie")
    target = resolve(process.pid)
    with CountingProbe(target) as first, CountingProbe(target) as second:
        first.add(pick(target, "alpha"))
        second.add(pick(target, "alpha", "beta"))
        process.work()
        assert calls(first) == {"alpha": 997}
        assert calls(second) == {"alpha": 997, "beta": 7919}


def _wait_for_calls(probe: CountingProbe, functions: list[Function]) -> None:
    """Until each of these was called some more."""
    before = _numbers(probe, functions)

    def called() -> bool:
        return all(now > then for now, then in zip(_numbers(probe, functions), before, strict=True))

    wait_until(called, "calls")


def _numbers(probe: CountingProbe, functions: list[Function]) -> list[int]:
    sample = probe.read()
    by_function = dict(zip(sample.functions, sample.calls, strict=True))
    return [by_function[function] for function in functions]


def _stop(process: Running) -> dict[str, int]:
    process.send("stop")
    return process.truth()


def test_removing_and_adding_after_the_main_thread_has_ended(start: Start, method: Method) -> None:
    process = start("leaderless")
    target = resolve(process.pid)
    stays, goes = pick(target, "stays", "goes")
    with CountingProbe(target) as probe:
        probe.add([stays, goes])
        assert calls(probe) == {"stays": 0, "goes": 0}
        assert process.work() == {"stays": 499, "goes": 499}
        wait_until(lambda: main_thread_ended(process.pid), "the main thread ends")
        if method is Method.PERF_EVENT:
            assert "lost its main thread" in probe.read().ended
            return
        assert calls(probe) == {"stays": 499, "goes": 499}
        probe.remove([goes])
        probe.add([goes])
        assert process.work() == {"stays": 997, "goes": 997}
        assert calls(probe) == {"stays": 499 + 997, "goes": 997}


def test_a_process_whose_main_thread_has_ended_is_opened(start: Start, method: Method) -> None:
    process = start("leaderless")
    process.work()
    wait_until(lambda: main_thread_ended(process.pid), "the main thread ends")
    target = resolve(process.pid)
    functions = pick(target, "stays", "goes")
    if method is Method.MULTI:
        with CountingProbe(target) as probe:
            probe.add(functions)
            assert process.work() == {"stays": 997, "goes": 997}
            assert calls(probe) == {"stays": 997, "goes": 997}
