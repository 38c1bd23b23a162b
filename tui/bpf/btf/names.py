"""Types as C writes them: `struct task_struct *`, `char [16]`, and whole definitions."""

from collections.abc import Iterator
from typing import Final

from tui.bpf.btf import index
from tui.bpf.btf.index import Btf, Member, Type
from tui.errors import BinaryError

_DEEPEST: Final = 32
_MOST: Final = 1 << 16  # types in one text: the kernel's largest struct has 300
_QUALIFIERS: Final = {index.VOLATILE: "volatile", index.CONST: "const", index.RESTRICT: "restrict"}
_OUTWARDS: Final = (
    index.PTR, index.ARRAY, index.FUNC_PROTO, index.VAR, index.FUNC, index.TYPE_TAG, *_QUALIFIERS
)  # fmt: skip
_TAGGED: Final = {index.STRUCT: "struct", index.UNION: "union", index.ENUM: "enum", index.ENUM64: "enum"}


def name_of(types: Btf, number: int) -> str:
    """The type in few words: "unsigned int", "struct key_t", "char *[4]". Raises BinaryError."""
    return _Writer(types).declared(number, "", 0)


def declared(types: Btf, number: int, name: str) -> str:
    """A declaration of `name` with this type, without a semicolon: "int (*call)(void *)". Raises BinaryError."""
    return _Writer(types).declared(number, name, 0)


def definition(types: Btf, number: int) -> str:
    """The whole definition in C, lines indented by tabs; of a struct, union, enumeration or typedef; "" of others.

    What is anonymous is written where it is used; everything else by its name. Raises BinaryError.
    """
    one = types.type(number)
    if one.kind == index.TYPEDEF:
        return f"typedef {_Writer(types).body(one.target, one.name, 0)};"
    if one.kind in _TAGGED:
        return "\n".join(_Writer(types).lines(one, 0)) + ";"
    return f"{_word(one)};" if one.kind == index.FWD else ""


def _word(one: Type) -> str:
    if one.kind == index.FWD:
        return f"{'union' if one.flag else 'struct'} {one.name}"
    if one.kind in _TAGGED:
        return f"{_TAGGED[one.kind]} {one.name or '{…}'}"
    return one.name or f"type {one.number}"


class _Writer:
    """Writes one text, of so many types at most."""

    def __init__(self, types: Btf) -> None:
        self._types, self._left = types, _MOST

    def declared(self, number: int, name: str, depth: int) -> str:
        """A declaration, from the name outwards."""
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise BinaryError("the BTF is damaged: a type has no end")
        one, depth = self._types.type(number), depth + 1
        if one.kind in _QUALIFIERS and self._types.type(one.target).kind != index.PTR:
            return f"{_QUALIFIERS[one.kind]} {self.declared(one.target, name, depth)}"
        if one.kind not in _OUTWARDS:
            return f"{_word(one)} {name}".rstrip()
        if one.kind == index.PTR:
            through = self._types.type(one.target).kind in (index.ARRAY, index.FUNC_PROTO)
            name = f"(*{name})" if through else f"*{name}"
        elif one.kind == index.ARRAY:
            name = f"{name}[{one.length}]"
        elif one.kind == index.FUNC_PROTO:
            name = f"{name}({', '.join(self._parameter(member, depth) for member in one.members) or 'void'})"
        elif one.kind in _QUALIFIERS:  # int *const p
            name = f"{_QUALIFIERS[one.kind]} {name}".rstrip()
        elif one.kind in (index.VAR, index.FUNC):
            name = name or one.name
        return self.declared(one.target, name, depth)

    def _parameter(self, member: Member, depth: int) -> str:
        """A function's parameter; one without a type stands for all that may follow."""
        return self.declared(member.type, member.name, depth) if member.type else "..."

    def lines(self, one: Type, depth: int) -> Iterator[str]:
        """Of a struct, union or enumeration; the first line isn't indented."""
        if depth > _DEEPEST:
            raise BinaryError("the BTF is damaged: a type has no end")
        tabs = "\t" * depth
        yield f"{_TAGGED[one.kind]} {one.name}".rstrip() + " {"
        for name, value in one.values:
            yield f"{tabs}\t{name} = {value},"
        for member in one.members:
            bits = f" : {member.bits}" if member.bits else ""
            yield f"{tabs}\t{self.body(member.type, member.name, depth + 1)}{bits};"
        yield f"{tabs}}}"

    def body(self, number: int, name: str, depth: int) -> str:
        """A declaration in which an anonymous struct, union or enumeration is written out, an array's elements too."""
        one = self._types.type(number)
        while one.kind == index.ARRAY and depth <= _DEEPEST:
            name, one, depth = f"{name}[{one.length}]", self._types.type(one.target), depth + 1
        if one.kind in _TAGGED and not one.name:
            self._left -= len(one.members) + 1
            if self._left < 0:
                raise BinaryError("the BTF is damaged: a type has no end")
            return f"{chr(10).join(self.lines(one, depth))} {name}".rstrip()
        return self.declared(one.number, name, 0)
