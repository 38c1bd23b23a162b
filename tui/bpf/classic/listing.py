"""Programs as text: what `tcpdump -d`, `-dd` and `-ddd` print, and reading the latter two back.

The listing is that of libpcap's bpf_image, 1.10.3 to 1.10.6, character for character, with its oddities: offsets and
most constants are signed, `ldx len` is "unimp", and the numbers after `jt` and `jf` are instructions, not distances.
"""

import re
from typing import Final, NamedTuple

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import FORMS, HEXADECIMAL, Form, Operand, is_condition
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY_NAMES, MAX_INSTRUCTIONS, Instruction, Program, signed
from tui.errors import UsageError
from tui.text import plural, sanitise

_LIBPCAP_NAMES: Final = ANCILLARY_NAMES | {48: "vlanp", 56: "random"}
_UNIMPLEMENTED: Final = "unimp"
_PATTERNS: Final = {
    Operand.PACKET: "[{}]",
    Operand.INDEXED: "[x + {}]",
    Operand.MEMORY: "M[{}]",
    Operand.LENGTH: "#pktlen",
    Operand.HEADER: "4*([{}]&0xf)",
    Operand.X: "x",
    Operand.TARGET: "{}",
    Operand.NONE: "",
    Operand.A: "",
}


class Parts(NamedTuple):
    """One line of a listing in columns."""

    operation: str
    operand: str
    jumps: tuple[int, int] | None
    """Of a condition: which instruction follows if it holds, and which if not."""


def instruction_text(index: int, instruction: Instruction) -> Parts:
    """The instruction at `index` as tcpdump writes it; any code gives text."""
    code = instruction.code
    jumps = (index + 1 + instruction.jt, index + 1 + instruction.jf) if is_condition(code) else None
    if code not in FORMS or code == ops.LDX | ops.W | ops.LEN:
        return Parts(_UNIMPLEMENTED, f"{code:#x}", jumps)
    form = FORMS[code]
    return Parts(form.mnemonic, _operand(index, instruction.k, form), jumps)


def _operand(index: int, k: int, form: Form) -> str:
    if form.operand is Operand.CONSTANT:
        return f"#{k:#x}" if form.mnemonic in HEXADECIMAL else f"#{signed(k)}"
    if form.operand is Operand.PACKET and k - AD_OFF in _LIBPCAP_NAMES:
        return f"[{_LIBPCAP_NAMES[k - AD_OFF]}]"
    number = index + 1 + k & 0xFFFFFFFF if form.operand is Operand.TARGET else k
    return _PATTERNS[form.operand].format(signed(number))


def listing(program: Program) -> list[str]:
    """The lines of `tcpdump -d`."""
    return [_line(index, *instruction_text(index, instruction)) for index, instruction in enumerate(program)]


def _line(index: int, operation: str, operand: str, jumps: tuple[int, int] | None) -> str:
    if jumps is None:
        return f"({index:03}) {operation:<8} {operand}"
    return f"({index:03}) {operation:<8} {operand:<16} jt {jumps[0]}\tjf {jumps[1]}"


def c_array(program: Program) -> list[str]:
    """The lines of `tcpdump -dd`: what stands in a C program between the braces of an array of struct sock_filter."""
    return [f"{{ {code:#x}, {jt}, {jf}, 0x{k:08x} }}," for code, jt, jf, k in program]


def decimal(program: Program) -> list[str]:
    """The lines of `tcpdump -ddd`: how many instructions, then the four numbers of each."""
    return [str(len(program)), *(" ".join(map(str, instruction)) for instruction in program)]


def parse(text: str) -> Program:
    """The program that `tcpdump -ddd` or `-dd` printed, or bpf_asm, with or without `-c` (commas instead of lines).

    The numbers may be anything that fits their fields. Raises UsageError, which names the line.
    """
    braces = "{" in text
    lines = [line for line in re.split(r"\n|\}\s*,?" if braces else r"[\n,]", text) if line.strip()]
    expected = None
    if not braces and lines and re.fullmatch("[0-9]{1,9}", lines[0].strip()):
        expected = int(lines.pop(0))
    if len(lines) > MAX_INSTRUCTIONS:
        raise UsageError(f"{plural(len(lines), 'instruction')} are more than a program may have, {MAX_INSTRUCTIONS:,}")
    program = tuple(_parsed(line) for line in lines)
    if not program:
        raise UsageError("no instructions; give what `tcpdump -ddd` or `tcpdump -dd` prints")
    if expected not in {None, len(program)}:
        raise UsageError(f"the first line announces {plural(expected or 0, 'instruction')}, {len(program):,} follow")
    return program


_NUMBER: Final = r"(0x[0-9a-f]{1,8}|\d{1,10})"
_INSTRUCTION: Final = re.compile(
    r"\{?\s*" + r"[\s,]+".join([_NUMBER] * 4), re.IGNORECASE | re.ASCII
)  # no two parts of it match the same: it takes no longer than the text is


def _parsed(line: str) -> Instruction:
    line = line.strip()
    found = _INSTRUCTION.fullmatch(line)
    if found:
        code, jt, jf, k = (int(number, 16 if number[:2].lower() == "0x" else 10) for number in found.groups())
        if code <= 0xFFFF and jt <= 0xFF and jf <= 0xFF and k <= 0xFFFFFFFF:
            return Instruction(code, jt, jf, k)
    shown = sanitise(line[:40])
    raise UsageError(f"“{shown}” is no instruction; give four numbers: a code, two jumps up to 255, and a constant")
