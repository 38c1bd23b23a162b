"""Where a function's probe goes, and what the kernel would refuse. The one place that decides both.

A probe goes on the function's first byte; in Go after the check of the stack there, since a function that finds too
little of it, or is asked to let others run, starts again from its first byte and would count twice. The kernel copies
the instruction there and refuses some kinds (arch/x86/kernel/uprobes.c and arch/arm64/kernel/probes/decode-insn.c, 5.15
to 6.18). Refusing them here saves a failed attach of everything; what this doesn't know, `bpf.links` still finds.
"""

import os
import re
from typing import Final, NamedTuple

from tui.elf.names import Function
from tui.elf.reader import ElfFile

_LOCK_AND_SEGMENTS: Final = frozenset((0x26, 0x2E, 0x36, 0x3E, 0xF0))
_HARMLESS_PREFIXES: Final = frozenset((0x64, 0x65, 0x66, 0x67, 0xF2, 0xF3))
_REX: Final = range(0x40, 0x50)
_REFUSED: Final = (
    (frozenset((0x62,)), "the kernel can't probe its first instruction: AVX-512"),
    (frozenset((0xCC, 0xCD, 0xCE, 0xF1)), "its first instruction is a trap or a breakpoint already"),
    (
        frozenset((*range(0x6C, 0x70), *range(0xE4, 0xE8), *range(0xEC, 0xF0), 0xF4, 0xFA, 0xFB)),
        "the kernel can't probe its first instruction: it is a privileged one",
    ),
    (
        frozenset(b"\x06\x07\x0e\x16\x17\x1e\x1f\x27\x2f\x37\x3f\x60\x61\x82\x9a\xd4\xd5\xd6\xea"),
        "its first bytes are no 64-bit instruction",
    ),
)
_GO_STACK_CHECK: Final = re.compile(  # one of three, by the size of the frame; then: jbe to where the stack is grown
    rb"(?:\x49\x3b\x66[\x10\x18]"  # cmp rsp, [r14 + 0x10]
    rb"|(?:\x4c\x8d\x64\x24.|\x4c\x8d\xa4\x24....)\x4d\x3b\x66[\x10\x18]"  # lea r12, [rsp - SIZE]; cmp r12, …
    rb"|\x49\x89\xe4\x49\x81\xec....(?:\x72.|\x0f\x82....)\x4d\x3b\x66[\x10\x18])"  # mov r12, rsp; sub; jb; cmp
    rb"(?:\x76.|\x0f\x86....)",
    re.DOTALL,
)
_X86: Final = os.uname().machine == "x86_64"


class Site(NamedTuple):
    """A file offset, and why the kernel can't probe there; no reason: it can."""

    offset: int
    refused: str = ""


def choose(elf: ElfFile, function: Function) -> Site:
    """The place for this function's probe."""
    if function.unprobeable:
        return Site(function.offset, function.unprobeable)
    if not _X86:
        return Site(function.offset)
    code = elf.bytes_at(function.offset, 48)
    check = _GO_STACK_CHECK.match(code)
    skipped = check.end() if check else 0
    return Site(function.offset + skipped, _refused_x86(code[skipped : skipped + 16]))


def _refused_x86(code: bytes) -> str:
    at = 0
    while at < len(code) and code[at] in _HARMLESS_PREFIXES:
        at += 1
    if at < len(code) and code[at] in _LOCK_AND_SEGMENTS:
        return "the kernel can't probe its first instruction: it has a lock or segment prefix"
    if at < len(code) and code[at] in _REX:
        at += 1
    if at >= len(code):
        return "its first instruction lies outside the file"
    return next((reason for opcodes, reason in _REFUSED if code[at] in opcodes), "")
