"""From bpf_asm's language to programs (tools/bpf/bpf_exp.l and .y in Linux, Documentation/networking/filter.rst).

    ldh [12]                  ; the EtherType
    jne #0x800, drop
    ldx 4*([14]&0xf)          /* the IPv4 header's length */
    ldh [x + 16]
    jeq #22, keep, drop
    keep: ret #-1
    drop: ret #0

Everything that bpf_asm takes means the same here; where it overlooks a mistake (a number too large, a label twice),
this one says where it is. Beyond bpf_asm: `[x+4]` without spaces, a second label for `jne`, `jlt` and `jle`, labels of
one letter, libpcap's names (`pktlen`, `vlanp`, `random`), and `xor_x`.
"""

from collections.abc import Sequence
from typing import Final

from tui.bpf.classic import instructions as ops
from tui.bpf.classic.forms import CONDITIONS, FORMS, Operand
from tui.bpf.classic.instructions import AD_OFF, ANCILLARY, MAX_INSTRUCTIONS, Instruction, Program
from tui.bpf.classic.items import AssemblyError, Item, Jump, Label, resolve
from tui.bpf.classic.tokens import Token, Tokens

_NAMES: Final = ANCILLARY | {"vlan_pr": 48, "vlanp": 48, "random": 56}
_LENGTHS: Final = {"len", "pktlen"}
_NEGATED: Final = {"jne": "jeq", "jneq": "jeq", "jlt": "jge", "jle": "jgt"}
_BARE: Final = {"ldi", "ldxi"}  # whose constant may stand without `#`
_CODES: Final = {
    **{(form.mnemonic, form.operand): code for code, form in FORMS.items()},
    ("ldi", Operand.CONSTANT): ops.LD | ops.IMM,
    ("ldxi", Operand.CONSTANT): ops.LDX | ops.IMM,
    ("ldx", Operand.HEADER): ops.LDX | ops.B | ops.MSH,
    ("jmp", Operand.TARGET): ops.JMP | ops.JA,
    ("ret", Operand.X): ops.RET | ops.X,  # the language has it; neither the kernel nor libpcap does
}
_MNEMONICS: Final = {mnemonic for mnemonic, _ in _CODES} | _NEGATED.keys()
_RESERVED: Final = _MNEMONICS | _NAMES.keys() | _LENGTHS | {"a", "x", "m"}
_WRITTEN: Final = {
    Operand.CONSTANT: "#k",
    Operand.PACKET: "[k]",
    Operand.INDEXED: "[x + k]",
    Operand.MEMORY: "M[k]",
    Operand.LENGTH: "len",
    Operand.HEADER: "4*([k]&0xf)",
    Operand.A: "a",
    Operand.X: "x",
}


def assemble(code: str | Sequence[Item]) -> Program:
    """The program that a text in bpf_asm's language describes, or a list made by the functions of build.py.

    It isn't checked: checker.check does that. Raises AssemblyError, with line and column of what is wrong in a text.
    """
    return resolve(_items(Tokens(code)) if isinstance(code, str) else code)


def _items(tokens: Tokens) -> list[Item]:
    items: list[Item] = []
    instructions = 0
    while tokens.next.kind != "end":
        if instructions == MAX_INSTRUCTIONS:
            raise AssemblyError(f"more than {MAX_INSTRUCTIONS:,} instructions", tokens.next.place)
        items.append(_item(tokens.take(), tokens))
        instructions += not isinstance(items[-1], Label)
    return items


def _item(first: Token, tokens: Tokens) -> Item:
    """An instruction, or a label with its colon."""
    if first.kind == "word" and tokens.accept(":"):
        return _label(first)
    mnemonic = first.word
    if mnemonic not in _MNEMONICS:
        raise AssemblyError(f"an instruction or a label with a colon comes here, not {first}", first.place)
    if (mnemonic, Operand.NONE) in _CODES:
        return Instruction(_CODES[mnemonic, Operand.NONE])
    if (mnemonic, Operand.TARGET) in _CODES:
        return Jump(_CODES[mnemonic, Operand.TARGET], 0, _label(tokens.take()), None)
    code, k = _code(mnemonic, tokens)
    if mnemonic in CONDITIONS or mnemonic in _NEGATED:
        return _condition(mnemonic, code, k, tokens)
    return Instruction(code, k=k)


def _code(mnemonic: str, tokens: Tokens) -> tuple[int, int]:
    """Code and constant of an instruction with an operand."""
    place = tokens.next.place
    operand, k = _operand(mnemonic, tokens)
    plain = _NEGATED.get(mnemonic, mnemonic)
    if (plain, operand) not in _CODES:
        possible = " or ".join(written for kind, written in _WRITTEN.items() if (plain, kind) in _CODES)
        raise AssemblyError(f"after {mnemonic} comes {possible}, not {_WRITTEN[operand]}", place)
    return _CODES[plain, operand], k


def _condition(mnemonic: str, code: int, k: int, tokens: Tokens) -> Jump:
    tokens.expect(",")
    first = _label(tokens.take())
    second = _label(tokens.take()) if tokens.accept(",") else None
    return Jump(code, k, second, first) if mnemonic in _NEGATED else Jump(code, k, first, second)


def _label(token: Token) -> Label:
    if token.kind != "word" or token.word in _RESERVED:
        raise AssemblyError(f"a label comes here, not {token}", token.place)
    return Label(token.text, token.place)


def _operand(mnemonic: str, tokens: Tokens) -> tuple[Operand, int]:
    """What an instruction works with, and its constant."""
    if tokens.next.kind == "number" or tokens.next.text in {"+", "-"}:
        return _bare(mnemonic, tokens)
    first = tokens.take()
    if first.text == "[":
        return _in_packet(tokens)
    if first.text == "#":
        return _named(tokens.take()) if tokens.next.kind == "word" else (Operand.CONSTANT, tokens.number())
    if first.text == "%":
        return _register(tokens.take())
    if first.word == "m":
        tokens.expect("[")
        return Operand.MEMORY, _closed(tokens)
    return _register(first) if first.word in {"a", "x"} else _named(first)


def _in_packet(tokens: Tokens) -> tuple[Operand, int]:
    """What stands behind `[`: k, x + k or %x + k."""
    percent = tokens.accept("%")
    if not tokens.accept("x"):
        if percent:
            raise AssemblyError(f"“x” comes here, not {tokens.next}", tokens.next.place)
        return Operand.PACKET, _closed(tokens)
    tokens.expect("+")
    return Operand.INDEXED, _closed(tokens)


def _closed(tokens: Tokens) -> int:
    """A number and `]`."""
    number = tokens.number()
    tokens.expect("]")
    return number


def _bare(mnemonic: str, tokens: Tokens) -> tuple[Operand, int]:
    """What begins with a number: 4*([k]&0xf), or the constant of the few that take it without `#`."""
    first = tokens.next
    number = tokens.number()
    if tokens.accept("*"):
        return _header(number, first, tokens)
    if mnemonic not in _BARE:
        raise AssemblyError("a constant begins with “#”, an offset stands in [ ]", first.place)
    return Operand.CONSTANT, number


def _header(factor: int, first: Token, tokens: Tokens) -> tuple[Operand, int]:
    tokens.expect("(")
    tokens.expect("[")
    k = _closed(tokens)
    tokens.expect("&")
    mask = tokens.number()
    tokens.expect(")")
    if (factor, mask) != (4, 0xF):
        raise AssemblyError("the only such load is 4*([k]&0xf)", first.place)
    return Operand.HEADER, k


def _register(token: Token) -> tuple[Operand, int]:
    if token.word not in {"a", "x"}:
        raise AssemblyError(f"“x” or “a” comes here, not {token}", token.place)
    return Operand.A if token.word == "a" else Operand.X, 0


def _named(token: Token) -> tuple[Operand, int]:
    """The packet's length, or ancillary data: a load from where the kernel has it."""
    if token.word in _LENGTHS:
        return Operand.LENGTH, 0
    if token.word not in _NAMES:
        raise AssemblyError(f"an operand comes here, not {token}", token.place)
    return Operand.PACKET, AD_OFF + _NAMES[token.word]
