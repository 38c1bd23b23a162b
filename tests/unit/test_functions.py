from pathlib import Path

import pytest

from tests.unit.elf_files import (
    ABSOLUTE,
    CODE,
    CODE_AT,
    IFUNC,
    LOCAL,
    OBJECT,
    UNDEFINED,
    WEAK,
    Elf,
    Load,
    Symbol,
    module,
)
from tui.elf import functions
from tui.elf.names import Function
from tui.errors import BinaryError
from tui.screens.function_rows import spelt
from tui.widgets.words import words


def read(folder: Path, **parts: object) -> dict[str, Function]:
    """The functions of a made-up file, by name."""
    found = functions.read(module(folder, Elf(**parts).build()))  # type: ignore[arg-type]
    assert len({function.name for function in found}) == len(found)
    return {function.name: function for function in found}


@pytest.mark.parametrize(
    ("kind", "load", "address", "offset"),
    [
        (3, Load(CODE_AT, CODE_AT, len(CODE)), CODE_AT + 16, CODE_AT + 16),  # PIE
        (2, Load(CODE_AT, 0x401000, len(CODE)), 0x401010, CODE_AT + 16),  # not PIE
        (3, Load(CODE_AT, 0x5000, len(CODE)), 0x5010, CODE_AT + 16),  # unequal segment offsets
    ],
)
def test_offsets_in_the_file(tmp_path: Path, kind: int, load: Load, address: int, offset: int) -> None:
    found = read(tmp_path, symbols=[Symbol("run", address, 6)], kind=kind, loads=[load])
    assert found["run"] == Function("program", "run", "run", address, 6, "symtab", offset)


def test_only_functions_of_this_file_are_listed(tmp_path: Path) -> None:
    symbols = [
        Symbol("here", CODE_AT),
        Symbol("imported", 0, section=UNDEFINED),
        Symbol("absolute", CODE_AT + 16, section=ABSOLUTE),
        Symbol("variable", CODE_AT + 32, kind=OBJECT),
        Symbol("beyond", CODE_AT + len(CODE)),
        Symbol("", CODE_AT + 48),
    ]
    assert list(read(tmp_path, symbols=symbols)) == ["here"]


def test_one_address_is_one_function_with_aliases(tmp_path: Path) -> None:
    symbols = [Symbol("__libc_malloc"), Symbol("malloc"), Symbol("_m", size=0), Symbol("free", CODE_AT + 16)]
    found = read(tmp_path, symbols=symbols)
    assert set(found) == {"malloc", "free"}
    assert found["malloc"].aliases == ("__libc_malloc", "_m")
    assert found["free"].aliases == ()


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (Symbol("write"), Symbol("__write")),
        (Symbol("zoo"), Symbol("ant", binding=WEAK)),
        (Symbol("zoo", binding=WEAK), Symbol("ant", binding=LOCAL)),
        (Symbol("run"), Symbol("runner")),
        (Symbol("ab"), Symbol("ba")),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_the_name_that_people_use_comes_first(tmp_path: Path, first: Symbol, other: Symbol, *, swapped: bool) -> None:
    found = read(tmp_path, symbols=[other, first] if swapped else [first, other])
    assert [(function.name, function.aliases) for function in found.values()] == [(first.name, (other.name,))]


def test_sizes_are_taken_from_whoever_says(tmp_path: Path) -> None:
    symbols = [Symbol("run", size=0), Symbol("runner", size=48), Symbol("start", CODE_AT + 64, size=0)]
    found = read(tmp_path, symbols=symbols)
    assert (found["run"].size, found["start"].size) == (48, 0)


def test_indirect_functions_say_why_they_are_not_probed(tmp_path: Path) -> None:
    found = read(tmp_path, symbols=[Symbol("memcpy", kind=IFUNC), Symbol("memcpy_sse", CODE_AT + 16)])
    assert "resolver" in found["memcpy"].unprobeable
    assert not found["memcpy_sse"].unprobeable


def test_dynamic_symbols_add_what_the_table_lacks(tmp_path: Path) -> None:
    found = read(
        tmp_path, symbols=[Symbol("run")], dynamic=[Symbol("run"), Symbol("api", CODE_AT + 16), Symbol("x", CODE_AT)]
    )
    assert {name: function.origin for name, function in found.items()} == {"run": "symtab", "api": "dynsym"}
    assert {name: function.origin for name, function in read(tmp_path, dynamic=[Symbol("api")]).items()} == {
        "api": "dynsym"
    }


def test_what_begins_inside_a_function_of_another_table_is_not_probed(tmp_path: Path) -> None:
    found = read(
        tmp_path, symbols=[Symbol("run")], dynamic=[Symbol("inner", CODE_AT + 2), Symbol("inside", CODE_AT + 4)]
    )
    reasons = {name: function.unprobeable for name, function in found.items()}  # push, mov of three bytes, pop
    assert reasons == {"run": "", "inside": "", "inner": "it begins inside an instruction of another function"}


def test_readable_names_beside_raw_ones(tmp_path: Path) -> None:
    symbols = [
        Symbol("_ZN4test3runEv"),
        Symbol("main", CODE_AT + 16),
        Symbol("_ZN4test3runEi", CODE_AT + 16),
        Symbol("i", CODE_AT + 32),
    ]
    found = read(tmp_path, symbols=symbols)
    assert found["test::run()"].raw_name == "_ZN4test3runEv"
    assert found["main"].aliases == ("_ZN4test3runEi", "test::run(int)")
    assert found["i"].raw_name == "i"


def test_versions_are_no_part_of_a_readable_name(tmp_path: Path) -> None:
    names = ["memcpy@@GLIBC_2.14", "_ZN4test3runEv@V1", "@V1", "a@b c", "@@"]
    found = read(tmp_path, symbols=[Symbol(name, CODE_AT + 16 * index) for index, name in enumerate(names)])
    assert {name: function.raw_name for name, function in found.items()} == dict(
        zip(["memcpy", "test::run()", "@V1", "a@b c", "@@"], names, strict=True)
    )


def test_names_from_outside_are_harmless(tmp_path: Path) -> None:
    hostile = [b"\x1b[2J", b"\xff\xfe", "gpj\u202eexe".encode(), b"[@click=app.quit]x", b"two\nlines"]
    found = read(tmp_path, symbols=[Symbol(name, CODE_AT + 16 * index) for index, name in enumerate(hostile)])
    assert set(found) == {"␛[2J", "\ufffd\ufffd", "gpj\ufffdexe", "[@click=app.quit]x", "two␊lines"}


def test_a_file_without_symbols_has_no_functions(tmp_path: Path) -> None:
    assert read(tmp_path) == {}


def test_a_name_offset_past_the_strings_is_no_name(tmp_path: Path) -> None:
    data = Elf(symbols=[Symbol("run")]).build()
    at = data.index(b"run\0") - 24  # of the symbol's entry
    changed = data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
    assert functions.read(module(tmp_path, changed)) == ()


def test_a_missing_string_table_is_damage(tmp_path: Path) -> None:
    data = bytearray(Elf(symbols=[Symbol("run")]).build())
    link = len(data) - 3 * 64 + 40  # of .symtab; its names and the sections' names follow
    assert data[link] == 3
    data[link] = 200
    with pytest.raises(BinaryError, match="names no string table"):
        functions.read(module(tmp_path, bytes(data)))


def test_the_second_reading_of_a_large_file_is_the_same(tmp_path: Path, own_cache: Path) -> None:
    code = CODE * 600
    symbols = [
        Symbol(f"_ZN1c{len(str(n)) + 1}f{n}Ev", CODE_AT + 16 * n, kind=IFUNC if n % 7 == 0 else 2) for n in range(6000)
    ]
    symbols += [Symbol(f"other{n}", CODE_AT + 16 * n) for n in range(0, 6000, 5)]
    made = module(tmp_path, Elf(symbols=symbols, code=code, loads=[Load(CODE_AT, CODE_AT, len(code))]).build())
    first = functions.read(made)
    kept = [path for path in own_cache.rglob("*") if path.is_file()]
    assert len(first) == 6000
    assert len(kept) == 1
    assert functions.read(made) == first
    for cut in (0, 1, 100, kept[0].stat().st_size - 1):
        kept[0].write_bytes(kept[0].read_bytes()[:cut])
        assert functions.read(made) == first


def test_what_a_function_returns_is_said_beside_its_name() -> None:
    fib = Function("program", "fib<5>()", "_Z3fibILi5EEjv", 0x1000, 16, "symtab", 0x1000, returns="unsigned int")
    assert spelt(fib) == ("fib<5>()", "returns unsigned int · _Z3fibILi5EEjv")
    assert words(fib).splitlines() == ["fib<5>()", "_Z3fibILi5EEjv", "returns unsigned int fib<5>()"]
    place = Function("program", "program+0x1000", "program+0x1000", 0x1000, 16, "unwind", 0x1000)
    assert spelt(place) == ("program+0x1000", "a function without a name, or a part of one")
