"""Arguments of USDT probes, as compilers' assemblers write them on both machines."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.elf import usdt_arguments
from tui.elf.reader import AARCH64, X86_64
from tui.elf.values import ZERO, Fetch, Kind, Value

HERE = 0x1000  # the probe's address
SYMBOLS = {"total": 0x5000, "table.3": 0x400, "_ZN4shop4soldE": 0xF00}


def parsed(text: str, machine: str = X86_64) -> tuple[Value, ...]:
    return usdt_arguments.parsed(text, HERE, machine, SYMBOLS.get).parameters


@pytest.mark.parametrize(
    ("text", "kind", "size", "at"),
    [
        ("8@%rdi", Kind.UINT, 8, Fetch("di")),
        ("-8@%r15", Kind.INT, 8, Fetch("r15")),
        ("-4@%eax", Kind.INT, 4, Fetch("ax")),
        ("4@%r8d", Kind.UINT, 4, Fetch("r8")),
        ("2@%cx", Kind.UINT, 2, Fetch("cx")),
        ("-2@%r10w", Kind.INT, 2, Fetch("r10")),
        ("1@%sil", Kind.UINT, 1, Fetch("si")),
        ("1@%r9b", Kind.UINT, 1, Fetch("r9")),
        ("-1@%bh", Kind.INT, 1, Fetch("bx", (), 8)),
        ("8@%edx", Kind.UINT, 4, Fetch("dx")),
        ("%rsi", Kind.UINT, 8, Fetch("si")),
        ("8@$5", Kind.UINT, 8, Fetch(ZERO, constant=5)),
        ("-4@$-17", Kind.INT, 4, Fetch(ZERO, constant=-17)),
        ("1@$0xff", Kind.UINT, 1, Fetch(ZERO, constant=255)),
        ("8@$total", Kind.UINT, 8, Fetch("ip", constant=0x4000)),
        ("8@(%rax)", Kind.UINT, 8, Fetch("ax", (0,))),
        ("-4@-20(%rbp)", Kind.INT, 4, Fetch("bp", (-20,))),
        ("4@0x10(%rsp)", Kind.UINT, 4, Fetch("sp", (16,))),
        ("8@8+4(%rsp)", Kind.UINT, 8, Fetch("sp", (12,))),
        ("2@-8(%rbp,%rcx,2)", Kind.UINT, 2, Fetch("bp", (-8,), 0, "cx", 1)),
        ("8@(%rax,%rdx)", Kind.UINT, 8, Fetch("ax", (0,), 0, "dx", 0)),
        ("8@16(,%r12,8)", Kind.UINT, 8, Fetch(ZERO, (16,), 0, "r12", 3)),
        ("4@0x601040", Kind.UINT, 4, Fetch(ZERO, (0x601040,))),
        ("-4@total(%rip)", Kind.INT, 4, Fetch("ip", (0x4000,))),
        ("8@total+16(%rip)", Kind.UINT, 8, Fetch("ip", (0x4010,))),
        ("8@16+total(%rip)", Kind.UINT, 8, Fetch("ip", (0x4010,))),
        ("8@_ZN4shop4soldE(%rip)", Kind.UINT, 8, Fetch("ip", (-0x100,))),
        ("4@table.3(,%rax,4)", Kind.UINT, 4, Fetch("ip", (-0xC00,), 0, "ax", 2)),
        ("4@table.3-4(%rbx)", Kind.UINT, 4, Fetch("bx", (-0xC04,), 0, "ip", 0)),
        ("8f@8(%rsp)", Kind.FLOAT, 8, Fetch("sp", (8,))),
        ("4f@%eax", Kind.FLOAT, 4, Fetch("ax")),
    ],
)
def test_on_x86(text: str, kind: Kind, size: int, at: Fetch) -> None:
    (value,) = parsed(text)
    assert (value.name, value.kind, value.size, value.at) == ("arg0", kind, size, at)


@pytest.mark.parametrize(
    ("text", "kind", "size", "at"),
    [
        ("8@x0", Kind.UINT, 8, Fetch("x0")),
        ("-4@w19", Kind.INT, 4, Fetch("x19")),
        ("8@sp", Kind.UINT, 8, Fetch("sp")),
        ("4@wzr", Kind.UINT, 4, Fetch(ZERO)),
        ("4@5", Kind.UINT, 4, Fetch(ZERO, constant=5)),
        ("-8@-1", Kind.INT, 8, Fetch(ZERO, constant=-1)),
        ("8@#16", Kind.UINT, 8, Fetch(ZERO, constant=16)),
        ("8@[x1]", Kind.UINT, 8, Fetch("x1", (0,))),
        ("-4@[sp, 60]", Kind.INT, 4, Fetch("sp", (60,))),
        ("-4@[sp, #-4]", Kind.INT, 4, Fetch("sp", (-4,))),
        ("8@[x29,-16]", Kind.UINT, 8, Fetch("x29", (-16,))),
        ("8@[x0, x1]", Kind.UINT, 8, Fetch("x0", (0,), 0, "x1")),
        ("8@[x0, x1, lsl 3]", Kind.UINT, 8, Fetch("x0", (0,), 0, "x1", 3)),
        ("8@[x0, x1, lsl #3]", Kind.UINT, 8, Fetch("x0", (0,), 0, "x1", 3)),
    ],
)
def test_on_arm64(text: str, kind: Kind, size: int, at: Fetch) -> None:
    (value,) = parsed(text, AARCH64)
    assert (value.name, value.kind, value.size, value.at) == ("arg0", kind, size, at)


def test_several_are_numbered() -> None:
    assert [(each.name, each.type) for each in parsed("8@%rdi  -4@$5 8@-8(%rbp,%rcx,2)")] == [
        ("arg0", "uint64"),
        ("arg1", "int32"),
        ("arg2", "uint64"),
    ]
    assert [each.at for each in parsed("8@x0 -4@[sp, 60] 4@5", AARCH64)] == [
        Fetch("x0"),
        Fetch("sp", (60,)),
        Fetch(ZERO, constant=5),
    ]
    assert parsed("") == ()


@pytest.mark.parametrize(
    ("text", "machine", "why"),
    [
        ("8f@%xmm0", X86_64, "in a vector register"),
        ("8f@d0", AARCH64, "in a vector register"),
        ("8@%fs:16", X86_64, "of the thread's own"),
        ("8@missing(%rip)", X86_64, "at missing, of which the file doesn't say"),
        ("8@total+total(%rip)", X86_64, "the file doesn't say"),
        ("8@total(%rax,%rbx,8)", X86_64, "isn't known"),
        ("4@(%eax)", X86_64, "isn't known"),
        ("8@$5(%rax)", X86_64, "isn't known"),
        ("8@%st", X86_64, "isn't known"),
        ("8@[x0, w1, sxtw 3]", AARCH64, "isn't known"),
        ("8@[x0, :lo12:total]", AARCH64, "isn't known"),
        ("8@x31", AARCH64, "isn't known"),
        ("16@%rdi", X86_64, "it has 16 bytes"),
        ("3@%rdi", X86_64, "it has 3 bytes"),
        ("2f@(%rdi)", X86_64, "it has 2 bytes"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, machine: str, why: str) -> None:
    unread, read = parsed(f"{text} 8@{'%rax' if machine == X86_64 else 'x1'}", machine)
    assert unread.kind is Kind.UNREADABLE
    assert why in unread.why
    assert (read.name, read.kind) == ("arg1", Kind.UINT)


@given(st.text(alphabet="0189-+@$%()[],. #xfrawsipt_é\0:l", max_size=200), st.sampled_from((X86_64, AARCH64)))
def test_whatever_is_written_is_read_or_told(text: str, machine: str) -> None:
    for value in parsed(text, machine):
        assert (value.at is None) == bool(value.why)


@pytest.mark.parametrize(
    "text", ["8@" + "1" * 2_000 + "x", "8@" + "+1" * 1_000 + "(", "8@" + "a" * 2_000 + "(", " " * 2_000]
)
def test_long_ones_take_no_time(text: str) -> None:
    start = time.process_time()
    parsed(text)
    parsed(text, AARCH64)
    assert time.process_time() - start < 0.2
