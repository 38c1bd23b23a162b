import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.machinery import PathFinder

import cypcap
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.bpf import link_types
from tui.bpf.classic.instructions import Instruction
from tui.bpf.expressions import (
    Compiled,
    Compiler,
    ExpressionError,
    RejectsAll,
    compile_expression,
    for_hook,
    keywords,
)
from tui.errors import NotSupported, TargetError, UsageError
from tui.text import sanitise

IP = (
    Instruction(0x28, 0, 0, 12),
    Instruction(0x15, 0, 1, 0x800),
    Instruction(6, 0, 0, 262144),
    Instruction(6, 0, 0, 0),
)
HOSTS = " or ".join(f"host 10.{n >> 8}.{n & 255}.{n * 7 & 255}" for n in range(500))


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    with Compiler() as one:
        yield one


def outcome(compiler: Compiler, text: str) -> Compiled | ExpressionError:
    try:
        return compiler.compile(text)
    except ExpressionError as error:
        return error


def refused(compiler: Compiler, text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compiler.compile(text)
    return caught.value


def test_an_expression_becomes_a_program() -> None:
    compiled = compile_expression("ip")
    assert compiled == Compiled(IP, True, "EN10MB", "")
    assert not compiled.accepts_all


def test_what_is_asked_for_is_compiled(compiler: Compiler) -> None:
    assert compiler.compile("ip", snapshot=96).program[2] == Instruction(6, 0, 0, 96)
    assert compiler.compile("ip", link_type="raw").link_type == "RAW"
    assert compiler.compile("ip", link_type="DLT_RAW").program[0] == Instruction(0x30, 0, 0, 0)
    plain = compiler.compile("tcp port 22", optimise=False)
    assert not plain.optimised
    assert len(plain.program) > len(compiler.compile("tcp port 22").program)
    assert plain.note == ""


@pytest.mark.parametrize("text", ["", "  ", "1 = 1", "not (tcp and udp)"])
def test_what_accepts_every_packet_is_told_apart(compiler: Compiler, text: str) -> None:
    assert compiler.compile(text).accepts_all


@pytest.mark.parametrize("text", ["tcp and udp", "1 = 2", "ip and ip6"])
def test_what_rejects_every_packet_is_told_apart(compiler: Compiler, text: str) -> None:
    with pytest.raises(RejectsAll, match="no packet can match") as caught:
        compiler.compile(text)
    assert caught.value.column is None
    assert compiler.compile(text, optimise=False).program


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("tcp and prot 22", 8, "syntax error at 'prot'; did you mean 'proto' or 'port'?"),
        ("prot 22", 0, "syntax error at 'prot'; did you mean"),
        ("tcp and host 1.2.3.4 and prot 5", 25, "unknown host 'prot'; did you mean 'proto' or 'port'?"),
        ("tcp port 22 udp", 12, "syntax error at 'udp'"),
        ("tcp and", 7, "ends where more must follow"),
        ("tcp and  ", 7, "ends where more must follow"),
        ("not", 3, "ends where more must follow"),
        ("tcp and (port 22", 8, "this ( is not closed"),
        ("((tcp) and udp", 0, "this ( is not closed"),
        ("ip[0", 2, "this [ is not closed"),
        ("tcp) and udp", 3, "this ) closes nothing"),
        ("(tcp and )", 9, "syntax error at ')'"),
        ("and tcp", 0, "syntax error at 'and'"),
        ("tcp\nand\tprt 22", 8, "did you mean 'port'"),
        ("tcp and é", 8, "syntax error at 'é'"),
        ("tcp and \x1b[2J", 8, "syntax error at '␛'"),
        ("tcp and \udce9", 8, "syntax error at '?'"),
        ("tcp \0", 4, "zero byte"),
        ("host 1.2.3.400 and tcp", 5, "invalid IPv4 address '1.2.3.400'"),
        ("tcp and port httpx", 13, "unknown port 'httpx'"),
        ("ether proto \\foo", 12, "unknown ether proto 'foo'"),
        ("tcp host 1.2.3.4", 0, "'tcp' modifier applied to host"),
        ("len > 99999999999", 6, "a number is larger than 4,294,967,295"),
        ("len > " + "9" * 5000, 6, "a number is larger than 4,294,967,295"),
        ("ether host 1:2:3:4:5", 11, "bogus ethernet address"),
        ("tcp and 1:2:", 8, "bogus ethernet address"),
        ("ip[0:3] = 1", 6, "data size must be 1, 2, or 4"),
        ("port 1 and vlan 5000", 16, "VLAN tag 5000 greater than maximum 4095"),
        ("(" * 20_000 + "tcp", 9996, "nested too deep"),
        ("tcp " + "x" * 1000, 4, "syntax error at 'xxx"),
        ("tcp " + "x" * 10_000, 4, "too long for libpcap"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_caret_can_stand_under_the_error(compiler: Compiler, text: str, column: int, said: str) -> None:
    error = refused(compiler, text)
    assert said in error.reason
    assert "\n" not in error.reason
    assert len(error.reason) < 200
    assert error.column == pytest.approx(column, abs=10 if column > 1000 else 0)
    first, shown, caret = str(error).split("\n")
    assert first == error.reason
    assert max(len(shown), len(caret)) <= 73
    letter = text[column : column + 1].strip()
    if letter.isascii() and letter.isprintable():
        assert shown[caret.index("^") :][:1].strip() == letter


@pytest.mark.parametrize(
    "text",
    [
        " and ".join(["tcp"] * 30_000),  # libpcap's stack ends
        "tcp and " * 200_000,
        "not " * 60_000 + "tcp",
        "tcp[" * 60_000,
        "1" + "+1" * 20_000 + "=1",
        "protochain 6 and " * 1000 + "tcp",
        "\\" * 100_000,
        "1:" * 100_000,
    ],
    ids=lambda text: text[:8],
)
def test_hostile_expressions_are_a_sentence(text: str) -> None:
    with Compiler() as one:
        with pytest.raises(ExpressionError) as caught:
            one.compile(text, seconds=1.0)
        assert len(caught.value.reason) < 250
        assert one.compile("ip").program == IP


def test_an_optimiser_that_is_late_leaves_the_program_as_it_was() -> None:
    started = time.monotonic()
    with Compiler() as one:
        compiled = one.compile(HOSTS, seconds=3.0)
        assert one.compile("ip").program == IP
    assert not compiled.optimised
    assert compiled.note == "not optimised: libpcap didn't finish within 3 s"
    assert len(compiled.program) > 10_000
    assert time.monotonic() - started < 15


def test_from_another_thread_it_is_interrupted() -> None:
    with Compiler() as one:
        found = []

        def work() -> None:
            try:
                found.append(one.compile(HOSTS, seconds=60.0).optimised)
            except ExpressionError:
                found.append(False)

        waiting = threading.Thread(target=work)
        waiting.start()
        while one._libpcap._requests < 0:
            assert waiting.is_alive()
        while waiting.is_alive():
            one.interrupt()
            waiting.join(0.3)
        assert found == [False]
        assert one.compile("ip").program == IP


def child_of(one: Compiler) -> int:
    with open(f"/proc/self/fdinfo/{one._libpcap._ended}") as file:
        return int(next(line.split()[1] for line in file if line.startswith("Pid:")))


def test_one_child_serves_many_and_is_made_anew_if_it_dies() -> None:
    with Compiler() as one:
        one.start()
        first = child_of(one)
        for _ in range(50):
            one.compile("ip")
            refused(one, "tcp and prot")
        assert child_of(one) == first
        os.kill(first, 9)
        os.waitid(os.P_PIDFD, one._libpcap._ended, os.WEXITED | os.WNOWAIT)
        assert one.compile("ip").program == IP
        second = child_of(one)
        assert second != first
    assert not os.path.exists(f"/proc/{second}")
    one.close()


def test_nothing_stays_open() -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        compile_expression("ip")
    assert os.listdir("/proc/self/fd") == before


def test_a_child_whose_parent_was_killed_ends() -> None:
    program = (
        "import tests.unit.test_expressions as t\n"
        "one = t.Compiler(); one.start(); print(t.child_of(one), flush=True)\n"
        "one.compile(t.HOSTS, seconds=1.0)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    try:
        while os.path.exists("/proc/self/fd") and not _ended(child):
            assert time.monotonic() < deadline
    finally:
        os.close(child)


def _ended(pidfd: int) -> bool:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(100))


def test_a_user_with_a_lower_limit_of_memory_has_expressions_too() -> None:
    program = "from tui.bpf.expressions import compile_expression as c; print(len(c('ip').program))"
    done = subprocess.run(
        ["bash", "-c", f'ulimit -v 400000; exec "{sys.executable}" -c "{program}"'], capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"4\n", b"")


def test_a_missing_cypcap_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PathFinder, "find_spec", lambda name: None)
    with pytest.raises(NotSupported, match="cypcap is not installed"):
        compile_expression("ip")


def test_unknown_names_are_not_asked_for_over_the_network(compiler: Compiler) -> None:
    error = refused(compiler, "tcp and host zqzqzq.example")
    assert error.reason == (
        "unknown host 'zqzqzq.example': names are looked up in this machine's files only, so give the address"
    )
    assert error.column == 13


@pytest.mark.parametrize("name", ["nosuch0", "", "a/b", "x" * 16, "eth0\0", "\udce9", "dbus-session", "nflog"])
def test_unknown_interfaces_are_said(compiler: Compiler, name: str) -> None:
    with pytest.raises(TargetError, match="no such interface"):
        compiler.compile("ip", interface=name)


@pytest.mark.parametrize("snapshot", [0, -1, 1 << 31])
def test_snapshots_that_make_no_sense_are_said(compiler: Compiler, snapshot: int) -> None:
    with pytest.raises(UsageError, match="a snapshot has 1 to"):
        compiler.compile("ip", snapshot=snapshot)


def test_link_types_are_libpcaps() -> None:
    assert all(
        link_types.number(kind.name.rstrip("_")) == kind
        for kind in cypcap.DatalinkType
        if kind not in {2, 3, 4, 5, 143}
    )
    assert [link_types.name(number) for number in (1, 12, 9999)] == ["EN10MB", "RAW", "DLT 9999"]
    with pytest.raises(UsageError, match="there is no link type ethernet: give one of NULL, EN10MB"):
        link_types.number("ethernet")


@pytest.mark.parametrize("name", link_types.NUMBERS)
def test_every_link_type_compiles(compiler: Compiler, name: str) -> None:
    compiled = compiler.compile("len > 100", link_type=name)
    assert compiled.program
    assert compiled.link_type == name


def test_hooks_see_packets_differently() -> None:
    assert for_hook("socket", "eth1") == {"interface": "eth1"}
    assert for_hook("tcx-egress", None) == {"interface": "lo"}
    assert for_hook("xdp", "eth1") == {"link_type": "EN10MB"}
    assert for_hook("cgroup", None) == {"link_type": "RAW"}


def test_every_keyword_is_libpcaps(compiler: Compiler) -> None:
    """An ordinary word is an unknown host there."""
    for word in keywords():
        assert "unknown host" not in str(outcome(compiler, f"host {word}")), word


WORDS = [
    *keywords(),
    "22",
    "1.2.3.4",
    "10.0.0.0/8",
    "::1",
    "1:2:3:4:5:6",
    "foo",
    "\\tcp",
    "(",
    ")",
    "[",
    "]",
    "!",
    "&",
    "=",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_gives_a_program_or_a_sentence(text: str) -> None:
    found = outcome(shared(), text)
    if isinstance(found, ExpressionError):
        assert found.reason
        assert sanitise(found.reason) == found.reason
        assert found.column is None or 0 <= found.column <= len(text)


_SHARED: list[Compiler] = []


def shared() -> Compiler:
    if not _SHARED:
        _SHARED.append(Compiler())
    return _SHARED[0]


@pytest.fixture(scope="module", autouse=True)
def closes_shared() -> Iterator[None]:
    yield
    while _SHARED:
        _SHARED.pop().close()
