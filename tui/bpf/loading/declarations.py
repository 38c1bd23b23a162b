"""The kernel's types in C, out of its BTF: just those that a source names, and what these hold.

A whole vmlinux.h takes a compiler 1.2 s and 130 MB, and declares anew what bcc's own headers declare. Here each struct
has its members at the offsets that the BTF says, whatever C would do by itself. Members' types are written without
typedefs. What a pointer leads to is declared where the source names the member: in `task->real_parent->tgid` it names
`real_parent`.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final

from tui.bpf.btf import index
from tui.bpf.btf.index import Btf, Member, Type

_TAGGED: Final = (index.STRUCT, index.UNION)
_ENUMS: Final = (index.ENUM, index.ENUM64)
_WORDS: Final = {index.STRUCT: "struct", index.UNION: "union", index.ENUM: "enum", index.ENUM64: "enum"}
_SIZES: Final = {1: "8", 2: "16", 4: "32", 8: "64"}
_BCC: Final = re.compile(  # what bcc's bpf.h and our headers declare
    r"(__)?(bpf|btf)_\w+|BPF_\w+|BTF_\w+|XDP_\w+|TCP_BPF_\w+|SK_PASS|SK_DROP|xdp_md|xdp_action|sk_action|__sk_buff"
    r"|sk_msg_md|sk_reuseport_md|tcp_bpf_\w+|pt_regs"
)
_DEEPEST: Final = 64
_MOST: Final = 4_000  # declarations


def declarations(types: Btf, source: str, known: Collection[str] = ()) -> list[str]:
    """Declarations for what the source names and doesn't declare itself, each on a line, in order.

    `known`: names that its headers declare. Raises BinaryError.
    """
    return list(_Writer(types, source, known).write())


def declared(source: str) -> set[str]:
    """Names that a source declares: structs, unions, enumerations, typedefs, macros, maps of bcc's."""
    names = set(re.findall(r"\b(?:struct|union|enum)\s+(\w+)\s*\{", source))
    names.update(re.findall(r"^\s*#\s*define\s+(\w+)", source, re.MULTILINE))
    names.update(re.findall(r"\btypedef\b[^;{]*?(\w+)\s*(?:\[[^]]*\])?;", source))
    names.update(re.findall(r"\btypedef\s+(?:struct|union|enum)\b[^{;]*\{[^}]*\}\s*(\w+)\s*;", source))
    names.update(re.findall(r"\bBPF_[A-Z_]+\s*\(\s*(\w+)", source))
    for values in re.findall(r"\benum\b\s*\w*\s*\{([^}]*)\}", source):
        names.update(re.findall(r"\b([A-Za-z_]\w*)\s*(?:=[^,]*)?(?:,|$)", values.strip()))
    return names


def bare(source: str) -> str:
    """The source with blanks for comments and texts: everything else stays where it is."""
    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, lambda found: re.sub(r"[^\n]", " ", found[0]), source, flags=re.DOTALL)


class _Writer:
    def __init__(self, types: Btf, source: str, known: Collection[str]) -> None:
        text = bare(source)
        self._types = types
        self._words = set(re.findall(r"\b[A-Za-z_]\w*\b", text))
        self._tags = set(re.findall(r"\b(?:struct|union|enum)\s+(\w+)", text))
        self._known = set(known) | declared(text)
        self._done: set[int] = set()
        self._named: set[str] = set()
        self._pads = 0
        self._lines: list[str] = []
        self._waiting: list[Type] = []

    def write(self) -> Iterator[str]:
        """All declarations."""
        wanted = {word for word in self._words if not self._ours(word)}
        for name, numbers in sorted(self._types.find_all(wanted).items()):
            found = [self._types.type(number) for number in numbers]
            if name in self._tags and (one := _first(found, (*_TAGGED, *_ENUMS))):
                self._declare(one, 0)
            if one := _first(found, (index.TYPEDEF,)):
                self._typedef(one)
        while self._waiting:  # what pointers lead to
            self._declare(self._waiting.pop(), 0)
        capitals = {word for word in wanted if word.isupper() and word not in self._named}
        for name, value in self._types.constants(capitals).items():
            self._lines.append(f"enum {{ {name} = {value} }};")
        return iter(self._lines)

    def _ours(self, name: str) -> bool:
        return name in self._known or bool(_BCC.fullmatch(name))

    def _declare(self, one: Type, depth: int) -> None:
        """A struct, union or enumeration with a name, behind what it holds."""
        if one.number in self._done or self._ours(one.name) or len(self._lines) > _MOST:
            return
        self._done.add(one.number)
        if f"tag {one.name}" in self._named:  # another one of this name
            return
        self._named.add(f"tag {one.name}")
        if one.kind in _ENUMS:
            values = [(name, value) for name, value in one.values if name not in self._named and not self._ours(name)]
            self._named.update(name for name, _ in values)
            if values:
                said = ", ".join(f"{name} = {value}" for name, value in values)
                self._lines.append(f"enum {one.name} {{ {said} }};")
            return
        self._lines.append(f"{self._body(one, depth)};")

    def _typedef(self, one: Type) -> None:
        if one.name in self._named or self._ours(one.name) or one.number in self._done:
            return
        self._done.add(one.number)
        said = self._declared(one.target, one.name, 0)
        self._named.add(one.name)
        self._lines.append(f"typedef {said};")

    def _body(self, one: Type, depth: int) -> str:
        """`struct NAME { … }` with its members where they are; what it holds is declared before."""
        members, at = list[str](), 0  # bits
        union = one.kind == index.UNION
        for member in one.members:
            size = member.bits or 8 * self._size(member.type)
            if not union:
                if member.offset < at:  # nothing that C could say
                    continue
                members += self._padding(at, member.offset)
                at = member.offset + size
            members.append(self._member(member, depth))
        if union or at < 8 * one.size:
            members += self._padding(0 if union else at, 8 * one.size)
        word = f"{_WORDS[one.kind]} {one.name}".rstrip()
        aligned = next((each for each in (8, 4, 2) if one.size % each == 0), 1) if one.name else 1
        attribute = f"packed, aligned({aligned})" if aligned > 1 else "packed"
        return f"{word} {{ {' '.join(members)} }} __attribute__(({attribute}))"

    def _padding(self, start: int, end: int) -> Iterator[str]:
        """Members without a meaning, for these bits."""
        if gap := min(-start % 8, end - start):
            yield f"u8 : {gap};"
        size, rest = divmod(end - start - gap, 8)
        if size:
            self._pads += 1
            yield f"char __{self._pads}[{size}];"
        if rest:
            yield f"u8 : {rest};"

    def _member(self, member: Member, depth: int) -> str:
        if member.bits:
            one = self._types.resolved(member.type)
            return f"{_integer(one)} {member.name} : {member.bits};"
        if member.name in self._words:
            self._follow(member.type)
        size = self._size(member.type)
        return f"{self._declared(member.type, member.name, depth)};" if size else ""

    def _follow(self, number: int) -> None:
        """What the pointer (or an array of them) leads to will be declared, too."""
        one = self._types.resolved(number)
        if one.kind == index.ARRAY:
            one = self._types.resolved(one.target)
        if one.kind == index.PTR:
            one = self._types.resolved(one.target)
            if one.kind in _TAGGED and one.name:
                self._waiting.append(one)

    def _declared(self, number: int, name: str, depth: int) -> str:
        """`TYPE name`, of a size that is known; what it needs is declared before."""
        one = self._types.type(number)
        while one.kind in index.ALIASES:
            if one.kind == index.TYPEDEF and one.name in self._words and not self._ours(one.name):
                if one.name not in self._named:
                    self._typedef(one)
                return f"{one.name} {name}"
            number = one.target
            one = self._types.type(number)
        if one.kind == index.PTR:
            return f"{self._pointer(one)}{name}"
        if one.kind == index.ARRAY:
            return self._declared(one.target, f"{name}[{one.length}]", depth)
        if one.kind in _TAGGED and depth < _DEEPEST and (not self._ours(one.name) or one.name == "pt_regs"):
            if one.name:
                self._declare(one, depth + 1)
            return f"{f'{_WORDS[one.kind]} {one.name}' if one.name else self._body(one, depth + 1)} {name}"
        if one.kind in (index.INT, *_ENUMS) and one.size in (*_SIZES, 16):
            return f"{_integer(one)} {name}"
        head, dimensions = re.fullmatch(r"(\w*)(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
        return f"char {head}{dimensions}[{one.size}]"

    def _pointer(self, one: Type) -> str:
        target = self._types.resolved(one.target)
        if target.kind in _TAGGED and target.name:
            return f"{_WORDS[target.kind]} {target.name} *"
        if target.kind == index.FWD:
            return f"{'union' if target.flag else 'struct'} {target.name} *"
        if target.kind == index.INT and target.size in _SIZES:
            return f"{_integer(target)} *"
        if target.kind == index.PTR:
            return f"{self._pointer(target)}*"
        return "void *"

    def _size(self, number: int) -> int:
        """Bytes. Raises BinaryError where types hold themselves."""
        times = 1
        for _ in range(_DEEPEST):
            one = self._types.resolved(number)
            if one.kind != index.ARRAY:
                return times * (8 if one.kind == index.PTR else one.size)
            times, number = times * one.length, one.target
        return 0


def _integer(one: Type) -> str:
    if one.kind == index.INT and one.name in ("char", "_Bool", "bool"):
        return one.name
    if one.size == 16:
        return "__int128" if one.encoding & index.SIGNED else "unsigned __int128"
    return f"{'s' if one.encoding & index.SIGNED else 'u'}{_SIZES[one.size]}"


def _first(found: list[Type], kinds: tuple[int, ...]) -> Type | None:
    return next((one for one in found if one.kind in kinds), None)
