import os
import resource
import select
import subprocess
import tracemalloc

import pytest

from tui.elf import demangle
from tui.elf.demangle import Demangler


def readable(names: list[str]) -> list[str]:
    with Demangler() as demangler:
        return list(demangler.begin(names)().names)


def bomb(depth: int) -> str:
    """A name of some hundred letters that stands for 2^depth of them: each template has the one before twice."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    before = ["S_", *(f"S{digits[n // 36] if n >= 36 else ''}{digits[n % 36]}_" for n in range(depth))]
    return "_Z1f1AIiiE" + "".join(f"S_I{one}{one}E" for one in before[1:])


def test_cpp_names_become_readable() -> None:
    assert readable(["_ZN4test3runEv", "_ZNSt6vectorIiSaIiEE9push_backEOi", "_ZTV3Foo"]) == [
        "test::run()",
        "std::vector<int, std::allocator<int> >::push_back(int&&)",
        "vtable for Foo",
    ]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (["r1", "slowish"], "r1::slowish"),
        (["_$LT$r1..Dog$u20$as$u20$r1..Animal$GT$", "speak"], "<r1::Dog as r1::Animal>::speak"),
        (["_$LT$$RF$T$C$$BP$const$u20$$LP$$RP$$GT$", "{{closure}}"], "<&T,*const ()>::{{closure}}"),
        (["a", "$u7b$$u7b$closure$u7d$$u7d$"], "a::{{closure}}"),
        (["a", "b$ua$$u1b$$u202e$$uffffff$$XX$"], "a::b$ua$$u1b$$u202e$$uffffff$$XX$"),
    ],
)
def test_rust_names_have_their_own_letters_and_no_hash(parts: list[str], name: str) -> None:
    mangled = "_ZN" + "".join(f"{len(part)}{part}" for part in [*parts, "h516b6be81fca1515"]) + "E"
    assert readable(["_Z1fv", mangled, "_ZN1a17h516b6be81fca1515Ev"]) == ["f()", name, "a::h516b6be81fca1515()"]
    assert readable([f"{mangled}.llvm.7"]) == [name]


def test_what_a_function_returns_is_no_part_of_its_name() -> None:
    names = ["main", "_Z3fibILi5EEjv", "_Z1fv", *["plain"] * 25_000, "_ZN1a3genIiEEDTplfp_fp_ET_", "_Z1gIiEv\tT_"]
    with Demangler() as demangler:
        found = demangler.begin(names)()
    assert [*found.names[:3], *found.names[-2:]] == ["main", "fib<5>()", "f()", "a::gen<int>(int)", "_Z1gIiEv␉T_"]
    assert found.returns == {1: "unsigned int", 25_003: "decltype ({parm#1}+{parm#1})"}


@pytest.mark.parametrize(
    "name", ["i", "v", "main", "main.Map[...]", "_Z", "_Zzzz", "_ZN4test", "␛[2J", "日本", "\ufffd", "_R", ""]
)
def test_other_names_stay(name: str) -> None:
    assert readable(["_Z1fv", name, "_Z1gv"]) == ["f()", name, "g()"]


def test_children_that_were_expected_but_not_needed_are_ended() -> None:
    with Demangler() as demangler:
        demangler.expect(b"\0_Z1fv\0", 50_000)
        idle = [part.child for part in demangler._idle]
        assert idle
        assert demangler.begin(["main"])().names == ["main"]
        ended = [os.dup(child._ended) for child in idle]
    for child in ended:
        assert select.select([child], [], [], 0)[0]  # a pidfd is readable once the process has ended
        os.close(child)
    with Demangler() as demangler:
        demangler.expect(b"\0main\0_init\0", 50_000)
        assert not demangler._idle


def test_without_a_mangled_name_no_process_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demangle, "_Part", None)
    names = ["main", "i"]
    assert readable(names) == names
    assert readable([]) == []


def test_many_names_in_several_parts_keep_their_order() -> None:
    names = [f"_Z{len(str(number)) + 1}f{number}v" if number % 3 else f"plain{number}" for number in range(35_001)]
    expected = [f"f{number}()" if number % 3 else f"plain{number}" for number in range(35_001)]
    assert readable(names) == expected


def test_a_name_that_grows_without_bound_stays_and_so_does_memory() -> None:
    names = ["_Z1fv", *[bomb(16)] * 8, bomb(19), "_Z1gv"]
    tracemalloc.start()
    try:
        found = readable(names)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == ["f()", *names[1:-1], "g()"]
    assert peak < 8 << 20
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 700 << 10


def test_readable_names_that_would_fill_the_memory_stay() -> None:
    names = [bomb(8)] * 15_000  # 8 kB each
    found = readable(names)
    assert found[0] != names[0]
    assert found[-1] == names[-1]
    assert sum(map(len, found)) < 128 << 20


def test_readable_names_are_harmless() -> None:
    assert readable(["_Z3\x1b[mv".replace("\x1b", "\x9b"), "_Z1fv"])[1] == "f()"
    assert readable(["_Z4\u202eav"])[0] in {"_Z4\u202eav", "\ufffda()"}


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.kill(os.getpid(), 11)",
        "import os; os.write(1, b'half')",
        "import sys; sys.exit(1)",
        "syntax error",
    ],
)
def test_where_the_child_dies_names_stay(program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    child = f"{tmp_path}/child.py"
    with open(child, "w") as file:
        file.write(program)
    monkeypatch.setattr(demangle, "_CHILD", child)
    assert readable(["_Z1fv", "_Z1gv"]) == ["_Z1fv", "_Z1gv"]


def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    child = f"{tmp_path}/child.py"
    with open(child, "w") as file:
        file.write("import os, time\nos.write(1, b'f()\\n')\ntime.sleep(1000)\n")
    monkeypatch.setattr(demangle, "_CHILD", child)
    monkeypatch.setattr(demangle, "_SECONDS", 0.3)
    assert readable(["_Z1fv", "_Z1gv"]) == ["f()", "_Z1gv"]
    left = subprocess.run(["pgrep", "-f", child], capture_output=True, text=True, check=False)
    assert left.stdout == ""
