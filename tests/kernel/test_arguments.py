"""What debug information says of calls, read from real ones: programs tell what they were called with, and gave.

tests/targets/truth.h has the form in which they do.
"""

import os
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from tests.kernel.conftest import Start
from tests.kernel.probing import resolve
from tests.targets.truth import function_of
from tui.bpf.plans import VALUES
from tui.collectors import signatures
from tui.collectors.reading import Wanted
from tui.collectors.samples import Read, Word
from tui.collectors.values import ValuesProbe
from tui.elf import functions

Row = tuple[dict[str, Any], dict[str, Any], int]  # arguments, results, calls
# As the targets tell what has a name: errors, numbers of enumerations.
NAMED = {"nil": False, "not nil": True, "RED": 0, "GREEN": 7, "BLUE": -2, "low": 1, "high": 200}


@pytest.mark.parametrize("program", ["arguments", "arguments-optimised", "arguments-cc", "arguments-go"])
def test_every_value_of_every_call(start: Start, program: str) -> None:
    earlier = told(start(program))  # its addresses are others
    process = start(program)
    target = resolve(process.pid)
    listed = functions.read(target.modules[0])
    found = {name: function_of(listed, name) for name in earlier}
    known = signatures.read(target, list(found.values()))
    with ExitStack() as stack:
        probes: list[tuple[str, tuple[str, ...], ValuesProbe]] = []
        for name, rows in earlier.items():
            signature = known[found[name]]
            gone = {
                each.name
                for each in (*signature.results, *signature.result_fields)
                if "variant" in signature.note or "in memory whose address" in each.why
            }  # can't be read
            for portion in portions(rows):
                names = tuple(each for each in portion if each not in gone)
                probe = ValuesProbe(target, found[name], signature, Wanted(names))
                stack.enter_context(probe).add()
                probes.append((name, names, probe))
        truth = told(process)
        for name, names, probe in probes:
            sample = probe.read()
            read = Counter[tuple[Read, ...]]()
            for values, calls in sample.rows:
                read[tuple(NAMED[value] if isinstance(value, Word) else value for value in values)] += calls
            assert read == expected(truth[name], names), (name, names)
            assert (sample.calls, sample.unmatched, sample.lost) == (101, 0, 0)


def told(process: Any) -> dict[str, list[Row]]:  # noqa: ANN401 - a Running whose truth has rows
    truth: dict[str, list[Row]] = process.work()
    return truth


def portions(rows: list[Row]) -> list[tuple[str, ...]]:
    """The names of what is told, as many at a time as can be read at the entry and at the return."""
    arguments, results = ([name for name in side if name != "unreadable"] for side in rows[0][:2])
    most = max(len(arguments), len(results))
    return [(*arguments[at : at + VALUES], *results[at : at + VALUES]) for at in range(0, most, VALUES)]


def expected(rows: list[Row], names: tuple[str, ...]) -> Counter[tuple[Read, ...]]:
    counts = Counter[tuple[Read, ...]]()
    for arguments, results, calls in rows:
        values = arguments | results
        counts[tuple(values[name] for name in names)] += calls
    return counts


def test_registers_without_debug_information(start: Start) -> None:
    process = start("arguments-plain")
    target = resolve(process.pid)
    function = function_of(functions.read(target.modules[0]), "integers")
    signature = signatures.read(target, [function])[function]
    registers = ("x0", "x1", "x2", "x3", "x4") if os.uname().machine == "aarch64" else ("di", "si", "dx", "cx", "r8")
    kinds = ("int8", "uint8", "int16", "uint16", "int32")
    typed = (f"{register}:{kind}" for register, kind in zip(registers, kinds, strict=True))
    named = (*typed, "arg5:uint32", "return:int64")
    with ValuesProbe(target, function, signature, Wanted(named)) as probe:
        attached = probe.add()
        truth = told(process)["integers"]
        read = Counter({row.values: row.calls for row in probe.read().rows})
    assert read == expected(truth, ("a", "b", "c", "d", "e", "f", "return"))
    assert [each.reason for each in attached.inexact] == [
        "no debug information: registers, of which some are no arguments"
    ]
    assert signatures.described(signature).parameters == ()
