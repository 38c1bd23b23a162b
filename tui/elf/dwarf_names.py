"""Names of types from debug information, as the source writes them. Runs in the child process of `signatures.py`."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Final, cast

from elftools.dwarf.compileunit import CompileUnit
from elftools.dwarf.die import DIE, AttributeValue

from tui.elf.declarations import Language
from tui.elf.dwarf_outline import Outline
from tui.text import sanitise

_LONGEST: Final = 200  # characters
_DEEPEST: Final = 8  # types in types
_MOST_TYPES: Final = 20_000  # in the names of one function's types
_MOST_LINKS: Final = 16  # from entry to entry
_WRITTEN: Final = {  # as GCC has them, and as people do
    "_Bool": "bool",
    "short int": "short",
    "long int": "long",
    "long long int": "long long",
    "short unsigned int": "unsigned short",
    "long unsigned int": "unsigned long",
    "long long unsigned int": "unsigned long long",
    "decltype(nullptr)": "std::nullptr_t",
}
_KEYWORDS: Final = {"DW_TAG_structure_type": "struct", "DW_TAG_union_type": "union", "DW_TAG_enumeration_type": "enum"}
_AFTER: Final = {"DW_TAG_pointer_type": "*", "DW_TAG_reference_type": "&", "DW_TAG_rvalue_reference_type": "&&"}
_BEFORE: Final = {"DW_TAG_const_type": "const", "DW_TAG_volatile_type": "volatile", "DW_TAG_atomic_type": "_Atomic"}
_NAMED: Final = frozenset((*_KEYWORDS, "DW_TAG_typedef", "DW_TAG_class_type", "DW_TAG_interface_type"))


def text(entry: DIE, attribute: str = "DW_AT_name") -> str:
    """An attribute that is text, sanitised and cut; empty where there is none."""
    found = entry.attributes.get(attribute)
    if not found or not isinstance(found.value, bytes):
        return ""
    return cut(sanitise(found.value[: 4 * _LONGEST].decode("utf-8", "surrogateescape")))


def cut(name: str) -> str:
    """At most as long as somebody reads."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def inherited(entry: DIE, attribute: str) -> DIE | None:
    """The entry that has an attribute: this one, or the one that it is an instance or the definition of."""
    for _ in range(_MOST_LINKS):
        if attribute in entry.attributes:
            return entry
        link = next((name for name in ("DW_AT_abstract_origin", "DW_AT_specification") if name in entry.attributes), "")
        if not link:
            break
        entry = entry.get_DIE_from_attribute(link)
    return None


def target(entry: DIE) -> DIE | None:
    """The type that an entry has or leads to; None for void."""
    return entry.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in entry.attributes else None


class Names:
    """Writes types of one unit's language."""

    def __init__(self, language: Language, outline: Callable[[CompileUnit], Outline]) -> None:
        self._language, self._outline, self._left = language, outline, _MOST_TYPES

    def of(self, entry: DIE | None, depth: int = 0) -> str:
        """A type's name: `const char *`, `[]byte`, `std::string`."""
        return cut(self._of(entry, depth))

    def _of(self, entry: DIE | None, depth: int) -> str:
        if entry is None:
            return "void"
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            return "…"
        if "DW_AT_signature" in entry.attributes:
            entry = entry.get_DIE_from_attribute("DW_AT_signature")
        tag, own = entry.tag, text(entry)
        if own and not (tag == "DW_TAG_typedef" and own.startswith(".")):  # Go's types of generics: .param0
            return self._named(entry, own)
        return f"{_KEYWORDS[tag]} {{…}}" if tag in _KEYWORDS else self._composed(entry, depth)

    def _composed(self, entry: DIE, depth: int) -> str:
        """Of a type that has no name because it is made of others."""
        tag, inner = entry.tag, target(entry)
        within = self.of(inner, depth + 1)
        if tag in _AFTER:
            return _leading(within, _AFTER[tag], inner)
        if tag in _BEFORE:
            return f"{within}{_BEFORE[tag]}" if within.endswith("*") else f"{_BEFORE[tag]} {within}"
        if tag == "DW_TAG_array_type":
            return within + "".join(f"[{'' if count is None else count}]" for count in counts(entry))
        if tag == "DW_TAG_subroutine_type":
            taken = [each for each in parameters(entry) if "DW_AT_artificial" not in each.attributes]
            return f"{within} ({', '.join(self.of(target(each), depth + 1) for each in taken)})"
        if tag == "DW_TAG_ptr_to_member_type":
            known = "DW_AT_containing_type" in entry.attributes
            owner = self.of(entry.get_DIE_from_attribute("DW_AT_containing_type"), depth + 1) if known else "…"
            return _leading(within, f"{owner}::*", inner)
        return within

    def _named(self, entry: DIE, own: str) -> str:
        if self._language is Language.CPP and entry.tag in _NAMED:
            return "::".join((*self.scopes(entry), own))
        if self._language is Language.C and entry.tag in _KEYWORDS:
            return f"{_KEYWORDS[entry.tag]} {own}"
        if self._language in (Language.GO, Language.GO_STACK):
            return own.replace("[]uint8", "[]byte")
        return _WRITTEN.get(own, own) if entry.tag in ("DW_TAG_base_type", "DW_TAG_unspecified_type") else own

    def scopes(self, entry: DIE, *, inline: bool = False) -> list[str]:
        """The namespaces and classes around an entry, outermost first; with the inline ones, which nobody writes."""
        found: list[str] = []
        scopes = self._outline(entry.cu).scopes if isinstance(entry.cu, CompileUnit) else []
        index = bisect_left(scopes, (entry.offset,)) - 1
        while index >= 0:
            if entry.offset < scopes[index].end:
                around = entry.cu.get_DIE_from_refaddr(scopes[index].start)
                if inline or "DW_AT_export_symbols" not in around.attributes:
                    found.append(text(around) or "(anonymous)")
            index = scopes[index].outer
        return found[::-1]


def _leading(within: str, sign: str, to: DIE | None) -> str:
    """The name of what leads to a type: `int *`, `char **`, `int (*)(char)`."""
    if to and to.tag == "DW_TAG_subroutine_type" and not text(to):
        return within.replace(" (", f" ({sign})(", 1).replace("* (", "*(", 1)
    return f"{within}{'' if within.endswith('*') else ' '}{sign}"


def parameters(entry: DIE) -> list[DIE]:
    """The parameters of a function or of a function's type, those of packs as well."""
    found: list[DIE] = []
    for child in entry.iter_children():
        if child.tag == "DW_TAG_formal_parameter":
            found.append(child)
        elif child.tag == "DW_TAG_GNU_formal_parameter_pack":
            found += [each for each in child.iter_children() if each.tag == "DW_TAG_formal_parameter"]
    return found


def counts(array: DIE) -> list[int | None]:
    """How many elements an array has in each dimension; None where it isn't known."""
    found: list[int | None] = []
    for child in array.iter_children():
        if child.tag == "DW_TAG_subrange_type":
            count, last = number(child, "DW_AT_count"), number(child, "DW_AT_upper_bound")
            found.append(count if count is not None else last + 1 if last is not None else None)
    return found


def number(entry: DIE, attribute: str | int) -> int | None:
    """An attribute that is a constant and not negative; None where it isn't."""
    found = cast("dict[str | int, AttributeValue]", entry.attributes).get(attribute)  # numbers: unknown to pyelftools
    if found is None or not isinstance(found.value, int) or found.form.startswith("DW_FORM_ref"):
        return None
    return found.value if 0 <= found.value < 1 << 31 else None
