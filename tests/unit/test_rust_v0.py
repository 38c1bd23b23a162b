"""Rust's newer names, against RFC 2603, rustc-demangle's own examples, and binutils' reader of them."""

import shutil
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_demangle import readable as by_child
from tui.elf.rust_v0 import readable

GENERIC = "_RMCs4fqI2P2rA04_13const_genericINtB0_"
NAMES = {  # of rustc-demangle and of the RFC; binutils 2.40 reads them too
    "_RNvC6_123foo3bar": "123foo::bar",
    "_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y": "utf8_idents::საჭმელად_გემრიელი_სადილი",
    "_RNvC1au8gdel_5qa": "a::gödel",
    "_RNCNCNgCs6DXkGYLi8lr_2cc5spawn00B5_": "cc::spawn::{closure#0}::{closure#0}",
    "_RNCINkXs25_NgCsbmNqQUJIY6D_4core5sliceINyB9_4IterhENuNgNoBb_4iter8iterator8Iterator9rpositionNCNgNpB9_6memchr7me"
    "mrchrs_0E0Bb_": "<core::slice::Iter<u8> as core::iter::iterator::Iterator>::rposition::<core::slice::memchr::memrc"
    "hr::{closure#1}>::{closure#0}",
    "_RINbNbCskIICzLVDPPb_5alloc5alloc8box_freeDINbNiB4_5boxed5FnBoxuEp6OutputuEL_ECs1iopQbuBiw2_3std": "alloc::alloc:"
    ":box_free::<dyn alloc::boxed::FnBox<(), Output = ()>>",
    f"{GENERIC}8UnsignedKhb_E": "<const_generic::Unsigned<11>>",
    f"{GENERIC}6SignedKs98_E": "<const_generic::Signed<152>>",
    f"{GENERIC}6SignedKanb_E": "<const_generic::Signed<-11>>",
    f"{GENERIC}4BoolKb0_E": "<const_generic::Bool<false>>",
    f"{GENERIC}4CharKc76_E": "<const_generic::Char<'v'>>",
    "_RNvNvMCs4fqI2P2rA04_13const_genericINtB4_3FooKpE3foo3FOO": "<const_generic::Foo<_>>::foo::FOO",
    "_RINvC1a1fPhOtRjQSlAmj5_TEThETcbEE": "a::f::<*const u8, *mut u16, &usize, &mut [i32], [u32; 5], (), (u8,), (char, "
    "bool)>",
    "_RINvC1a1fFUKCaEuFK6systemjEzE": 'a::f::<unsafe extern "C" fn(i8), extern "system" fn(usize) -> !>',
    "_RINvC1a1fFG0_RL1_hRL0_tEuE": "a::f::<for<'a, 'b> fn(&'a u8, &'b u16)>",
    "_RINvC1a1fDG_INtC1b1TRL0_hEEL_E": "a::f::<dyn for<'a> b::T<&'a u8>>",
    "_RNvYNtC1a1SNtC1b1T1m": "<a::S as b::T>::m",
    "_RNSC1a4shim": "a::{shim:shim#0}",
    "_RC3foo.llvm.9D1C9369": "foo",
}
OURS = {  # binutils 2.40 doesn't know these, or writes them otherwise
    f"{GENERIC}4CharKc2202_E": "<const_generic::Char<'∂'>>",
    "_RNvC1a1f.cold": "a::f [clone .cold]",
    "_RNvC1a1f.part.0.cold": "a::f [clone .part.0] [clone .cold]",
    "_RNvC1a1f.7.llvm.123": "a::f [clone .7]",
    "_RIC0KRe616263_E": '::<"abc">',
    "_RIC0Ke27220a_E": '::<{*"\'\\"\\n"}>',
    "_RIC0KRAh1_h2_h3_EE": "::<{&[1, 2, 3]}>",
    "_RIC0KTb1_EE": "::<{(true,)}>",
    "_RIC0KVUNtC1a1EE": "::<{a::E}>",
    "_RIC0KVTNtC1a1Ph1_h2_EE": "::<{a::P(1, 2)}>",
    "_RIC0KVSNtC1a1S1xh1_1yb0_EE": "::<{a::S { x: 1, y: false }}>",
    "_RIC1aKnn80000000000000000000000000000000_E": "a::<-0x80000000000000000000000000000000>",
    "_RIC1aKo10000000000000000_E": "a::<0x10000000000000000>",
    "_RNvMNtC1a1bNtB2_1S1f": "<a::b::S>::f",
}
BROKEN = (
    "_R", "_RN", "_RNvC1a", "_RNvC1a9f", "_RNvC1a1fx", "_RB_", "_RNvB9_1f", "_R1NvC1a1f", "_RINvC1a1fRL0_hE", "",
    "_RNvC1a1f-", "_RNvC1a1f.", "_RIC0Kb2_E", "_RIC0Kc110000_E", "_RIC0Kcd800_x", "_RNvC1a99999999999991f", "_RIC0KjE",
    "_RNvC1a\udcff1f", "_RIC0Ke6_E", "_RIC0KeffE", "_RIC0KTneb1_E", "_RIC0KVNtC1a1EUE",
)  # fmt: skip


@pytest.mark.parametrize(("name", "meaning"), (NAMES | OURS).items())
def test_what_a_name_means(name: str, meaning: str) -> None:
    assert readable(name) == meaning


@pytest.mark.skipif(not shutil.which("c++filt"), reason="without binutils")
def test_binutils_reads_the_same() -> None:
    said = subprocess.run(
        ["c++filt", "-s", "rust", "-i"], input="\n".join(NAMES), capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines() == list(NAMES.values())


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_name_stays(name: str) -> None:
    assert readable(name) == name


def bomb(levels: int) -> str:
    """Each level is a pair of the one before."""
    name, before = "_RINvC1a1fTuuE", len("INvC1a1f")
    for _ in range(levels):
        again = f"B{base_62(before)}"
        before = len(name) - 2
        name += f"T{again}{again}E"
    return f"{name}E"


def base_62(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if not number:
        return "_"
    number -= 1
    text = digits[number % 62]
    while number := number // 62:
        text = digits[number % 62] + text
    return f"{text}_"


def test_a_name_that_means_too_much_stays_and_costs_little() -> None:
    assert readable(bomb(1)) == "a::f::<((), ()), (((), ()), ((), ()))>"
    deep = (f"_RINvC1a1f{'P' * 4000}uE", f"_R{'Nv' * 1300}C1a{'0' * 1300}", f"_RINvC1a1f{'B_' * 900}E")
    began = time.process_time()
    for name in (bomb(60), *deep):
        assert readable(name) == name
    assert time.process_time() - began < 2


@given(st.text("_RNvCsIMXYKBTEFDGLSAPQOpeabchjnu0123459.", max_size=60))
def test_whatever_follows_no_exception_comes_out(rest: str) -> None:
    assert len(readable(f"_R{rest}")) <= 16_384 + len(rest)
    assert len(readable(f"_RINvC1a1f{rest}E")) <= 16_384 + len(rest)


@given(st.sampled_from(sorted(NAMES)), st.integers(2, 200), st.characters(max_codepoint=0x17F))
def test_a_changed_letter_is_read_or_stays(name: str, at: int, letter: str) -> None:
    at %= len(name)
    found = readable(name[:at] + letter + name[at + 1 :])
    assert found == readable(found) or found.startswith("_R")


def test_the_child_reads_them_among_others() -> None:
    names = ["_Z1fv", *NAMES, "main", "_Z3foov.part.0.cold"]
    assert by_child(names) == ["f()", *NAMES.values(), "main", "foo() [clone .part.0] [clone .cold]"]
