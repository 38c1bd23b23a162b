"""C to objects: our own programs come compiled, others are cached, or bcc makes them in a child process.

What comes compiled makes bcc and LLVM unnecessary on a server; a test proves that it is what the sources give. The
cache may be deleted at any time and is never needed: full, read-only or somebody else's, it is passed over.
"""

import os
import sys
from typing import NamedTuple

from tui import cache
from tui.bpf.objects import ObjectSpec
from tui.errors import CompileError

HERE = os.path.dirname(os.path.abspath(__file__))
_FORMAT = b"1"
_SECONDS = 60


class Compiled(NamedTuple):
    """An object, and what a person should know about how it was got."""

    spec: ObjectSpec
    note: str = ""


def shipped(name: str, machine: str = "") -> ObjectSpec:
    """The object of programs/NAME.c for a machine, this one by default, compiled before.

    Raises CompileError where the installation is damaged.
    """
    own = f"{HERE}/objects/{machine or os.uname().machine}/{name}.json"
    path = own if os.path.exists(own) else f"{HERE}/objects/{name}.json"  # those of x86-64, and what is the same
    spec = ObjectSpec.from_json(_read(path) or "")
    if spec is None:
        raise CompileError(f"{path} is missing or damaged: install bpfscope again")
    return spec


def compile_source(source: str) -> Compiled:
    """The object of a C file. Raises CompileError."""
    key = object_key(source)
    cached = cache.kept("objects", key)
    if cached and (spec := ObjectSpec.from_json(cached.decode("ascii", "replace"), key)) is not None:
        return Compiled(spec)
    text = run_child(source, key)
    spec = ObjectSpec.from_json(text, key)
    if spec is None:
        raise CompileError(f"bcc gave no object for {os.path.basename(source)}: {text[:200]!r}")
    return Compiled(spec, cache.keep("objects", key, text.encode("ascii")))


def object_key(source: str) -> str:
    """Names what an object depends on: the C, our headers, bcc's version and this format. Raises CompileError."""
    import hashlib
    from importlib.metadata import PackageNotFoundError, version

    try:
        bcc = version("bcc")
    except PackageNotFoundError:
        bcc = ""
    digest = hashlib.sha256(_FORMAT + bcc.encode())
    for path in [source, *_headers()]:
        try:
            with open(path, "rb") as file:
                digest.update(os.path.basename(path).encode() + b"\0" + file.read())
        except OSError as error:
            raise CompileError(f"cannot read {path}: {error.strerror}") from None
    return digest.hexdigest()


def _headers() -> list[str]:
    return sorted(f"{folder}/{name}" for folder, _, names in os.walk(f"{HERE}/include") for name in names)


def run_child(source: str, key: str, machine: str = "") -> str:
    """What the compiling child prints; `machine`: for another than this one.

    Raises CompileError with bcc's own words, or the remedy where bcc is missing.
    """
    import subprocess

    name = os.path.basename(source)
    command = [sys.executable, "-P", "-m", "tui.bpf.compile_child", source, key, *filter(None, [machine])]
    environment = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(HERE)), "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise CompileError(f"bcc did not finish {name} within {_SECONDS} s: is the machine out of memory?") from None
    except OSError as error:
        raise CompileError(f"cannot start the compiler for {name}: {error.strerror}") from None
    if done.returncode == 0:
        return done.stdout
    if "No module named 'bcc'" in done.stderr:
        raise CompileError(
            f"{name} must be compiled and bcc is not here: apt install python3-bpfcc,"
            " and use a Python that sees it (scripts/setup makes one)"
        )
    said = "\n".join(line for line in done.stderr.splitlines() if line.strip())[-2000:]
    raise CompileError(f"bcc cannot compile {name}:\n{said or f'it ended with status {done.returncode}'}")


def _read(path: str) -> str | None:
    """The text, or None: a file that isn't there, isn't ours or isn't text is no object."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None
