"""Signatures of real programs: names, types and kinds, and that all of a target's truth can be read."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.targets.running import Running
from tests.targets.truth import function_of
from tui.elf import debug_files, functions, languages, modules, signatures
from tui.elf.names import Module
from tui.elf.reader import ElfFile
from tui.elf.values import Fetch, Kind, Signature, Value
from tui.errors import NotSupported, TargetError, UsageError

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="registers of x86-64")
PROGRAMS = ("arguments", "arguments-optimised", "arguments-cc", "arguments-go")


def read(path: Path, *names: str) -> dict[str, Signature]:
    module = modules.of_file(str(path))
    listed = functions.read(module)
    wanted = {name: function_of(listed, name) for name in names}
    found = signatures.read(module, list(wanted.values()), go=languages.of_file(module.file) == "go")
    return {name: found[function] for name, function in wanted.items()}


def shown(values: tuple[Value, ...]) -> list[tuple[str, str, str]]:
    return [(each.name, each.type, each.kind) for each in values]


def by_name(values: tuple[Value, ...]) -> dict[str, Value]:
    return {each.name: each for each in values}


@pytest.mark.parametrize("program", PROGRAMS)
def test_whatever_a_target_tells_can_be_read(targets: Path, program: str) -> None:
    with Running(targets / program) as running:
        running.send("go")
        truth: dict[str, list[Any]] = json.loads(running.read_line())
    found = read(targets / program, *truth)
    for name, rows in truth.items():
        assert sum(row[2] for row in rows) == 101
        signature = found[name]
        for row in rows:
            parameters = by_name(signature.parameters + signature.fields)
            results = by_name(signature.results + signature.result_fields)
            variant = "the compiler made this variant" in signature.note  # whose result may be gone
            assert not (variant and any(value.at for value in signature.results))
            for told, values in ((row[0], parameters), ({} if variant else row[1], results)):
                for key, value in told.items():
                    readable = key != "unreadable" and values[key].at is not None
                    assert readable or (key == "unreadable" and not any(each.at for each in values.values()))
                    assert key == "unreadable" or fits(value, values[key]), (name, key, value, values[key])


def fits(value: object, read_as: Value) -> bool:
    """Whether such a value is what that kind shows."""
    kinds: dict[type, tuple[Kind, ...]] = {
        bool: (Kind.BOOL, Kind.ERROR),
        int: (Kind.INT, Kind.UINT, Kind.POINTER, Kind.SLICE, Kind.FLOAT),
        float: (Kind.FLOAT,),
        str: (Kind.CSTRING, Kind.STRING),
    }
    return read_as.kind in kinds[type(value)]


def test_types_of_c_read_as_in_the_source(targets: Path) -> None:
    found = read(targets / "arguments", "integers", "letters", "colors", "through", "called", "nothing", "small", "odd")
    assert shown(found["integers"].parameters)[:3] == [
        ("a", "int8_t", "int"),
        ("b", "uint8_t", "uint"),
        ("c", "int16_t", "int"),
    ]
    assert [each.size for each in found["integers"].parameters] == [1, 1, 2, 2, 4, 4, 8, 8]
    assert shown(found["letters"].parameters) == [
        ("yes", "bool", "bool"),
        ("c", "char", "int"),
        ("text", "const char *", "cstring"),
        ("name", "unsigned char *", "cstring"),
        ("byte", "uint8_t *", "pointer"),
        ("*byte", "uint8_t", "uint"),
    ]
    assert shown(found["letters"].results) == [("return", "bool", "bool")]
    assert shown(found["colors"].parameters) == [("color", "enum color", "int"), ("n", "unsigned long long", "uint")]
    assert found["colors"].parameters[0].names == ((0, "RED"), (7, "GREEN"), (-2, "BLUE"))
    assert shown(found["through"].parameters)[0] == ("node", "struct node *", "pointer")
    assert shown(found["through"].fields)[:4] == [
        ("node->next", "struct node *", "pointer"),
        ("node->name", "const char *", "cstring"),
        ("node->id", "uint16_t", "uint"),
        ("node->weight", "double", "float"),
    ]
    assert by_name(found["through"].fields)["node->tag"].why == "an array"
    assert by_name(found["through"].result_fields)["return->id"].at == Fetch("ax", (16,))
    assert shown(found["called"].parameters)[0] == ("function", "int (*)(int, const char *)", "pointer")
    assert (found["nothing"].parameters, found["nothing"].results) == ((), ())
    odd = by_name(found["odd"].parameters)
    assert (odd["b.low"].why, odd["wide"].why, odd["huge"].why) == ("a bit-field", *["a number of 128 bits"] * 2)
    assert [each.name for each in found["odd"].fields] == ["w.n", "w.c[0]", "w.c[1]", "w.c[2]", "w.c[3]"]


def test_floats_are_read_where_they_are_in_memory(targets: Path) -> None:
    found = read(targets / "arguments", "floats", "vectors")
    floats = by_name(found["floats"].parameters)
    assert floats["d"].kind is Kind.POINTER
    assert (floats["*d"].kind, floats["*d"].size, floats["*d"].at) == (Kind.FLOAT, 8, Fetch("di", (0,)))
    assert (floats["*f"].size, floats["*n"].kind) == (4, Kind.INT)
    assert floats["x"].why == found["floats"].results[0].why == "in a vector register, which BPF can't read"
    assert by_name(found["vectors"].parameters)["i"].at == Fetch("sp", (8,))


def test_notes(targets: Path) -> None:
    assert "more arguments" in read(targets / "arguments", "variadic")["variadic"].note
    variant = read(targets / "arguments-optimised", "specialised")["specialised"]
    assert "variant" in variant.note
    values = by_name(variant.parameters)
    assert (values["first"].at, values["last"].at) == (Fetch("di"), Fetch("si"))
    assert "took it away" in values["factor"].why
    assert read(targets / "arguments", "specialised")["specialised"].note == ""


def test_types_of_cpp_read_as_in_the_source(targets: Path) -> None:
    names = ("shop::Till::add", "shop::Till::open", "shop::texts", "shop::repeated", "shop::references", "shop::passed")
    found = read(targets / "arguments-cc", *names)
    assert shown(found["shop::Till::add"].parameters) == [
        ("this", "shop::Till *", "pointer"),
        ("amount", "int", "int"),
        ("reason", "const std::string &", "string"),
    ]
    assert by_name(found["shop::Till::add"].fields)["this->total"].at == Fetch("di", (40,))
    assert shown(found["shop::Till::open"].parameters)[1] == ("level", "shop::Level", "uint")
    texts = by_name(found["shop::texts"].parameters)
    assert {name: each.kind for name, each in texts.items()} == {
        "value": Kind.STRING,
        "view": Kind.STRING,
        "pointer": Kind.POINTER,
        "*pointer": Kind.STRING,
        "moved": Kind.STRING,
    }
    assert (texts["view"].type, texts["view"].at, texts["view"].length) == (
        "std::string_view",
        Fetch("dx"),
        Fetch("si"),
    )
    assert shown(found["shop::repeated"].results) == [("return", "std::string", "string")]
    assert by_name(found["shop::repeated"].parameters)["c"].at == Fetch("si")  # di has the result's address
    assert shown(found["shop::references"].parameters)[:2] == [
        ("number", "int &", "pointer"),
        ("*number", "int", "int"),
    ]
    assert by_name(found["shop::passed"].parameters)["counted.value"].at == Fetch("dx", (0,))


def test_types_of_go_read_as_in_the_source(targets: Path) -> None:
    names = ("texts", "failing", "interfaces", "point.moved", "mapped[go.shape.int,go.shape.string]", "many", "structs")
    found = dict(zip(names, read(targets / "arguments-go", *(f"main.{name}" for name in names)).values(), strict=True))
    assert shown(found["texts"].parameters) == [
        ("yes", "bool", "bool"),
        ("text", "string", "string"),
        ("bytes", "[]byte", "slice"),
        ("r", "int32", "int"),
    ]
    assert shown(found["texts"].results) == [("return0", "string", "string"), ("return1", "bool", "bool")]
    assert shown(found["failing"].results) == [("return0", "int", "int"), ("return1", "error", "error")]
    assert shown(found["interfaces"].parameters) == [
        ("s", "main.shape", "pointer"),
        ("a", "interface {}", "pointer"),
        ("m", "map[string]int", "pointer"),
        ("c", "chan int", "pointer"),
        ("f", "func(int) int", "pointer"),
    ]
    assert [each.name for each in found["point.moved"].results] == ["to.x", "to.y", "far"]
    mapped = by_name(found["mapped[go.shape.int,go.shape.string]"].parameters)
    assert (mapped[".dict"].at, mapped["in"].at, mapped["in"].length) == (Fetch("ax"), Fetch("bx"), Fetch("cx"))
    many = by_name(found["many"].parameters)
    assert many["h"].why == "in a vector register, which BPF can't read"
    assert many["k"].why == "it is empty"
    assert by_name(found["structs"].parameters)["who"].why == "40 bytes: ask for a field, such as who.name"


def test_without_debug_information_there_are_registers(targets: Path) -> None:
    found = read(targets / "arguments-plain", "integers")["integers"]
    assert [each.at for each in found.parameters] == [Fetch(name) for name in ("di", "si", "dx", "cx", "r8", "r9")]
    assert shown(found.results) == [("return", "uint64", "uint")]
    assert found.note == "no debug information: registers, of which some are no arguments"


def test_assembly_of_go(targets: Path) -> None:
    module = modules.of_file(str(targets / "arguments-go"))
    chosen = {each.name: each for each in functions.read(module)}
    names = ("internal/bytealg.Count.abi0", "runtime.memmove", "runtime.newproc.abi0", "main.main")
    stacked, raw, wrapper, described = signatures.read(module, [chosen[name] for name in names], go=True).values()
    assert [each.at for each in stacked.parameters[:2]] == [Fetch("sp", (8,)), Fetch("sp", (16,))]
    assert stacked.note.endswith("written in assembly: the first words of the stack")
    assert stacked.results == ()
    assert [each.at for each in raw.parameters[:3]] == [Fetch("ax"), Fetch("bx"), Fetch("cx")]
    assert raw.note.endswith("written in assembly: registers, of which some are no arguments")
    assert [(each.name, each.at) for each in wrapper.parameters] == [("fn", Fetch("sp", (8,)))]
    assert described == Signature((), ())


def strip(targets: Path, folder: Path, *flags: str) -> Path:
    """A copy of a target with its debug information apart, as distributions have it."""
    whole, stripped, apart = targets / "arguments", folder / "stripped", folder / "apart"
    subprocess.run(["objcopy", "--strip-debug", whole, stripped], check=True)
    with ElfFile.open(str(stripped)) as elf:
        build_id = debug_files.build_id(elf).hex()
    place = folder / f".build-id/{build_id[:2]}/{build_id[2:]}.debug"
    place.parent.mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", *flags, whole, apart], check=True)
    apart.rename(place)
    return stripped


@pytest.mark.parametrize("flags", [[], ["--compress-debug-sections=zlib"], ["--compress-debug-sections=zlib-gnu"]])
def test_debug_information_that_is_kept_apart(
    targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    stripped = strip(targets, tmp_path, *flags)
    assert "no debug information" in read(stripped, "integers")["integers"].note
    monkeypatch.setattr(debug_files, "_FOLDER", str(tmp_path))
    assert read(stripped, "integers") == read(targets / "arguments", "integers")


def test_what_is_known_is_read_once(targets: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(targets / "arguments", "integers", "floats")
    monkeypatch.setattr(signatures, "Child", None)
    assert read(targets / "arguments", "floats", "integers") == first
    (kept,) = (own_cache / "bpfscope/signatures").iterdir()
    whole = kept.read_bytes()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_cache))
    for damaged in (
        b"",
        whole[:-100],
        whole.replace(b'"di"', b'"zz"'),
        b"0" + whole,
        whole.replace(b"[", b"{"),
        b"[" * 99999,
    ):
        kept.write_bytes(damaged)
        assert read(targets / "arguments", "integers", "floats") == first


def test_a_child_that_dies_or_hangs_costs_only_time(targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "_SECONDS", 0.3)
    for program in ("raise SystemExit(1)", "import os; os.write(1, b'[[]')", "import time; time.sleep(999)"):
        monkeypatch.setattr(signatures, "_CHILD", ["-c", program])
        found = read(targets / "arguments", "integers")["integers"]
        assert found.note.endswith("registers, of which some are no arguments")
        assert len(found.parameters) == 6
    monkeypatch.undo()


def test_nothing_of_the_current_folder_is_run(targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tui", "elftools", "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert read(targets / "arguments", "integers")["integers"].note == ""


def test_without_pyelftools_the_remedy_is_said(targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.machinery.PathFinder.find_spec", lambda _: None)
    with pytest.raises(NotSupported, match="with what it depends on"):
        read(targets / "arguments", "integers")
    assert read(targets / "arguments-plain", "integers")["integers"].parameters


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="is gone"):
        signatures.read(Module("none", "none", str(tmp_path / "none"), 0, 0), [], go=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n", Value("n", "int", Kind.INT, 4, Fetch("di"))),
        ("n:uint8", Value("n", "uint8", Kind.UINT, 1, Fetch("di"))),
        ("n:pointer", Value("n", "pointer", Kind.POINTER, 8, Fetch("di"))),
        ("n:str", Value("n", "str", Kind.CSTRING, 8, Fetch("di"))),
        ("s:cstring", Value("s", "cstring", Kind.CSTRING, 8, Fetch("si"))),
        ("p->x", Value("p->x", "bool", Kind.BOOL, 1, Fetch("dx", (8,)))),
        ("r10", Value("r10", "uint64", Kind.UINT, 8, Fetch("r10"), raw=True)),
        ("ax:bool", Value("ax", "bool", Kind.BOOL, 1, Fetch("ax"))),
    ],
)
def test_what_somebody_asks_for(text: str, expected: Value) -> None:
    assert signatures.asked(text, AMONG) == expected


AMONG = [
    Value("n", "int", Kind.INT, 4, Fetch("di")),
    Value("s", "string", Kind.STRING, 8, Fetch("si"), Fetch("dx")),
    Value("p->x", "bool", Kind.BOOL, 1, Fetch("dx", (8,))),
    Value("d", "double", Kind.UNREADABLE, why="in a vector register"),
]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m", r"there is no m: this function has n, s, p->x, d; registers are ax, bx"),
        ("", r"there is no : this"),
        ("n:float128", r"there is no type float128: types are int8, int16"),
        ("d:int8", r"d can't be read as int8: it is in a vector register"),
        ("\x1b[m", r"there is no ␛\[m"),
    ],
)
def test_what_cannot_be_asked_for(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        signatures.asked(text, AMONG)


def test_registers_without_debug_information() -> None:
    found = signatures.untyped(go=True)
    assert [each.name for each in found.parameters] == [f"arg{number}" for number in range(9)]
    assert [each.at for each in found.parameters[:4]] == [Fetch(name) for name in ("ax", "bx", "cx", "di")]
    assert len(signatures.untyped(go=False).parameters) == 6
    assert signatures.untyped(go=False).results == (Value("return", "uint64", Kind.UINT, 8, Fetch("ax"), raw=True),)
