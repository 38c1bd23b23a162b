import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.elf_files import CODE, CODE_AT, Elf, Load, Symbol
from tui import __version__, cli

COMMAND = [sys.executable, "-m", "tui.cli"]


def run(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | changes
    return subprocess.run(
        [*COMMAND, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A program with more functions than a pipe holds."""
    code = CODE * 700
    symbols = [
        Symbol(f"a_function_with_quite_a_long_name_{number}_日本", CODE_AT + 16 * number) for number in range(10_000)
    ]
    path = tmp_path / "program"
    path.write_bytes(Elf(symbols=symbols, code=code, loads=[Load(CODE_AT, CODE_AT, len(code))]).build())
    return str(path)


def test_raw_names_are_listed_as_the_file_has_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "program"
    path.write_bytes(Elf(symbols=[Symbol("_ZN4shop4sellEi", CODE_AT + 16), Symbol("main")]).build())
    rows = {}
    for words in ([], ["--raw"], ["*", "--raw"], ["*sell*", "--raw"]):
        assert cli.main(["symbols", str(path), *words]) == 0
        rows[tuple(words)] = [line.split(maxsplit=3)[3] for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == {
        (): ["main", "shop::sell(int)"],
        ("--raw",): ["main", "_ZN4shop4sellEi"],
        ("*", "--raw"): ["main", "_ZN4shop4sellEi"],
        ("*sell*", "--raw"): ["_ZN4shop4sellEi"],
    }


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["symbols", "4194305"], 1, "there is no process 4194305"),
        (["symbols", "no-such-name"], 1, "no process is called no-such-name"),
        (["symbols", "/etc/passwd"], 1, "is not an ELF file"),
        (["symbols", "/dev/null"], 1, "is not a regular file"),
        (["symbols", "/etc"], 1, "is not a regular file"),
        (["symbols", os.path.realpath(sys.executable), "/(/"], 2, "is not a regular expression"),
        (["count", "4194305", "main"], 1, "there is no process"),
        (["symbols"], 2, "usage:"),
        (["symbols", "/bin/sh", "--raw", "--sites"], 2, "--raw is for the plain list"),
        (["count", "1"], 2, "usage:"),
        (["count", "1", "main", "-d", "0"], 2, "not a number of seconds"),
        (["count", "1", "main", "-d", "nan"], 2, "not a number of seconds"),
        (["count", "1", "main", "-i", "-1"], 2, "not a number of seconds"),
        (["count", "1", "main", "-i", "1e300"], 2, "not a number of seconds"),
        (["ps", "-d", "inf"], 2, "not a number of seconds"),
        (["ps", "extra"], 2, "unrecognized arguments"),
        (["--nonsense"], 2, "unrecognized arguments"),
        (["4194305"], 1, "there is no process"),
        (["/bin/sh"], 2, "the console opens a process; for a file, `bpfscope count /bin/sh PATTERN`"),
        ([""], 2, "TARGET is empty"),
        (["\x1b[2J"], 1, "no process is called ␛"),
        (["ps", "\x1b[2J"], 2, "unrecognized arguments: ␛[2J"),
        (["maps", "\x1b[2J"], 2, "␛[2J"),
        (["programs", "\x1b[2J"], 1, "␛[2J"),
    ],
)
def test_known_failures_are_one_sentence_with_a_status(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    got = cli.main(words)
    err = capsys.readouterr().err
    assert got == status
    assert said in err
    assert "\x1b" not in err
    assert "Traceback" not in err
    assert err.count("\n") == 1 or "usage:" in err


@pytest.mark.parametrize("words", [[], ["demo"], [str(os.getpid())]])
def test_without_a_terminal_the_console_names_the_commands(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert all(command in done.stderr for command in cli._LISTING)
    assert done.stdout == ""


def test_not_permitted_is_status_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    assert cli.main(["symbols", "/bin/sh"]) == 3
    assert "CAP_DAC_READ_SEARCH" in capsys.readouterr().err


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(f"  {command} " in done.stdout for command in cli.COMMANDS)
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"usage: bpfscope {command}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"bpfscope {__version__}\n"


@pytest.mark.parametrize(
    "command", ["symbols {} | head -1", "symbols {} --json | head -1", "ps | true", "symbols {} main2 | true"]
)
def test_a_reader_that_has_seen_enough(program: str, command: str) -> None:
    line = " ".join(COMMAND) + " " + command.format(program)
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert done.returncode == (1 if "main2" in command else 0)


@pytest.mark.parametrize("word", ["ps", "doctor", "--help", "--version"])
def test_a_full_disk_is_said(word: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, word], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_cannot_be_told_gets_a_status() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "symbols", "/nowhere"], stderr=full, check=False)
    assert done.returncode == 1


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def exhaust(path: str, flags: int) -> int:
        raise MemoryError

    monkeypatch.setattr(os, "open", exhaust)
    assert cli.main(["symbols", "/bin/sh"]) == 1
    assert capsys.readouterr().err == "bpfscope: there is not enough memory for this\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_names_are_shown_in_any_locale(program: str, encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([*COMMAND, "symbols", program], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"_name_9999_??") == 1


@pytest.mark.parametrize("stream", ["<&-", ">&-", "2>&-"])
def test_closed_streams_are_no_crash(stream: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(COMMAND)} ps {stream}"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (stream == ">&-")
    assert done.stderr == ("bpfscope: cannot write the output: it is closed\n" if stream == ">&-" else "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_output_is_buffered_whatever_the_environment_says(unbuffered: str) -> None:
    code = "import sys; from tui import cli; cli.main(['ps', '--json']); print(type(sys.stdout.buffer).__name__)"
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "BufferedWriter"


def test_an_early_interrupt_says_nothing() -> None:
    code = (
        "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler); import tui.start;"
        " os.kill(os.getpid(), signal.SIGINT)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
