"""Programs written out in bpf_asm's language (tools/bpf in Linux), which the assembler reads."""

from typing import Final

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import FORMS, HEXADECIMAL, Form, Operand
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY_NAMES, Instruction, Program
from tui.errors import UsageError

_PATTERNS: Final = {
    Operand.CONSTANT: "#{}",
    Operand.PACKET: "[{}]",
    Operand.INDEXED: "[x + {}]",
    Operand.MEMORY: "M[{}]",
    Operand.LENGTH: "len",
    Operand.HEADER: "4*([{}]&0xf)",
    Operand.A: "a",
    Operand.X: "x",
    Operand.NONE: "",
    Operand.TARGET: "",
}
_NAMES: Final = {offset: name for offset, name in ANCILLARY_NAMES.items() if name != "xor_x"}  # bpf_asm lacks that one


def source(program: Program) -> list[str]:
    """The program in bpf_asm's language; assembling it gives it again, but for fields that an instruction doesn't use.

    Raises UsageError for an instruction that the language doesn't have: an unknown code, a jump out of the program.
    """
    labels = {target for index, instruction in enumerate(program) for target in _targets(index, instruction)}
    width = len(f"L{len(program) - 1}: ")
    return [
        f"{f'L{index}:' if index in labels else '':<{width}}{_source(index, instruction, len(program))}"
        for index, instruction in enumerate(program)
    ]


def _targets(index: int, instruction: Instruction) -> tuple[int, ...]:
    return ops.successors(index, instruction) if instruction.code & 0x07 == ops.JMP else ()


def _source(index: int, instruction: Instruction, length: int) -> str:
    form = Form("ret", Operand.X) if instruction.code == ops.RET | ops.X else FORMS.get(instruction.code)
    if form is None:
        raise UsageError(f"instruction {index} has no source: {instruction.code:#x} is no code of classic BPF")
    targets = _targets(index, instruction)
    if any(not 0 <= target < length for target in targets):
        raise UsageError(f"instruction {index} has no source: it jumps out of the program")
    operand = _operand(form, instruction.k)
    operands = [*([operand] if operand else []), *(f"L{target}" for target in targets)]
    return f"{form.mnemonic:<4} {', '.join(operands)}".rstrip()


def _operand(form: Form, k: int) -> str:
    if form.operand is Operand.PACKET and k - AD_OFF in _NAMES:
        return _NAMES[k - AD_OFF]
    hexadecimal = k > 0x7FFFFFFF or (form.operand is Operand.CONSTANT and form.mnemonic in HEXADECIMAL)
    return _PATTERNS[form.operand].format(f"{k:#x}" if hexadecimal else k)
