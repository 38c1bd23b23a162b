"""What to do where the code that a JIT compiler made has no names, by language: who makes it can write them down.

By the compilers' own manuals (jcmd's Compiler.perfmap, since Java 17; Node.js, "Linux perf"; Python, "support for the
Linux perf profiler", since 3.12; .NET, "Runtime configuration options for debugging"; Erlang, "BeamAsm").
"""

from typing import Final

from tui.elf.languages import Languages

_ADVICE: Final = {
    "java": "jcmd {pid} Compiler.perfmap writes them down (Java 17 or newer)",
    "node": "start it as node --perf-basic-prof",
    "deno": "start it as deno run --v8-flags=--perf-basic-prof",
    "python": "start it as python3 -X perf (3.12 or newer)",
    "dotnet": "start it with DOTNET_PerfMapEnabled=1",
    "erlang": "start it as erl +JPperf true",
    "ruby": "start it as ruby --yjit-perf",
}
_OTHERS: Final = "its compiler must write them to /tmp/perf-{pid}.map"
_AGAIN: Final = "jcmd {pid} Compiler.perfmap, once more, for what was compiled since its map was written"


def advice(pid: int, *, has_map: bool) -> str:
    """For this process; `has_map`: it has written some names down."""
    language = Languages().of_process(pid).partition(" ")[0]
    said = _AGAIN if language == "java" and has_map else _ADVICE.get(language, _OTHERS)
    return said.format(pid=pid)
