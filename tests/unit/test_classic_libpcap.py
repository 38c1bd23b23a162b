"""Against tcpdump and libpcap: the listings of what tcpdump compiles, and our machine in libpcap's dialect."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from random import Random

from tests import expressions, programs
from tests.engines import LibpcapFilter
from tui.bpf.classic import Dialect, Machine, Packet, assemble, c_array, decimal, listing, parse, source


def dumped(expression: expressions.Expression, form: str) -> str:
    """What tcpdump prints; every other one isn't optimised."""
    plain = ["-O"] if len(expression.text) % 2 else []
    command = ["tcpdump", *plain, "-y", expression.link_type, form, expression.text]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def all_forms(expression: expressions.Expression) -> tuple[str, str, str]:
    listed, array, numbers = (dumped(expression, form) for form in ("-d", "-dd", "-ddd"))
    return listed, array, numbers


def test_500_listings_are_tcpdumps_own() -> None:
    chosen = expressions.generate(500, seed=4)
    with ThreadPoolExecutor(2) as pool:  # 1,500 processes in 3 s
        for expression, (listed, array, numbers) in zip(chosen, pool.map(all_forms, chosen), strict=True):
            program = parse(numbers)
            assert "\n".join([*listing(program), ""]) == listed, expression
            assert "\n".join([*c_array(program), ""]) == array, expression
            assert "\n".join([*decimal(program), ""]) == numbers, expression
            assert parse(array) == program
            assert listing(assemble("\n".join(source(program)))) == listing(program)


def test_programs_by_chance_give_what_libpcap_gives() -> None:
    dice = Random(7)
    results = set()
    for _ in range(1500):
        program = programs.valid(dice)
        machine, libpcap = Machine(program, Dialect.LIBPCAP), LibpcapFilter(program)
        for _ in range(20):
            data = programs.data(dice)
            length = len(data) + dice.choice((0, 0, 1000))
            result = machine.run(Packet(data, length))
            assert libpcap.result(data, length) == result, "\n".join([*listing(program), data.hex()])
            results.add(result)
    assert len(results) > 1000
