"""Functions from debug information. Runs in the child process of `signatures.py`.

Optimised code says in which registers a parameter is at the entry. That is what counts where the convention may not
hold, in a variant that the compiler made of a function, or isn't fixed, in Rust. (Of Go's structs it is wrong: 1.27
leaves out the padding.)
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from elftools.dwarf.die import DIE
from elftools.dwarf.locationlists import BaseAddressEntry, LocationEntry

from tui.elf import abi
from tui.elf.declarations import Declaration, Language, Parameter, Piece, Shape, Type
from tui.elf.dwarf import DebugInfo, unit_of
from tui.elf.dwarf_names import inherited, number, parameters, target, text
from tui.elf.dwarf_types import ELSEWHERE, NotDescribed, Types
from tui.elf.reader import AARCH64, X86_64

_LANGUAGES: Final = {  # DW_LANG_…; all others follow C
    **dict.fromkeys((0x04, 0x11, 0x19, 0x1A, 0x21, 0x2A, 0x2B, 0x3A), Language.CPP),
    0x1C: Language.RUST,
}
_GO: Final = 0x16
_ASSEMBLERS: Final = frozenset((0x8001, 0x31))
_NO_CALL: Final = 3  # DW_CC_nocall: LLVM changed the parameters
_MOST_PARAMETERS: Final = 64
_LONGEST: Final = 256  # bytes of a location
_REGISTERS: Final = {  # by DWARF's numbers: System V psABI, figure 3.36; DWARF for the Arm 64-bit Architecture, 4.1
    X86_64: ("ax", "dx", "cx", "bx", "si", "di", "bp", "sp", *(f"r{number}" for number in range(8, 16))),
    AARCH64: (*(f"x{number}" for number in range(31)), "sp"),
}
_REG0, _REG31, _REGX, _PIECE = 0x50, 0x6F, 0x90, 0x93  # DW_OP_…
_ABI0: Final = ".abi0"  # of Go's functions whose arguments are on the stack, for assembly
_CLONE: Final = re.compile(r"\.(constprop|isra|part)\.\d")
_VARIANT: Final = "the compiler made this variant, and may have taken parameters or its result away"
_MORE: Final = "it takes more arguments than are declared"
_RUST: Final = "Rust doesn't fix where structs are passed: this is how rustc 1.95 does it"


def declaration(debug: DebugInfo, entry: DIE, name: str, *, go: bool, machine: str = X86_64) -> Declaration:
    """What the entry of the function with that raw name says.

    Raises NotDescribed, and whatever pyelftools does on damaged files.
    """
    language, origin = _language(entry.cu.get_top_DIE(), name, go=go), _abstract(entry)
    if not abi.is_known(language, machine):
        raise NotDescribed("where its language passes arguments on this kind of machine isn't known")
    found = list(_declared(origin, entry))
    if len(found) > _MOST_PARAMETERS:
        raise NotDescribed("its parameters are too many")
    if go and not found and (name.endswith(_ABI0) or _in_assembly(debug, entry)):
        raise NotDescribed("its parameters aren't described, for it is written in assembly")
    altered = bool(_CLONE.search(name)) or number(entry, "DW_AT_calling_convention") == _NO_CALL
    types = Types(language, debug.outline)
    taken: list[Parameter] = []
    given: list[Parameter] = []
    for declared, _ in found:
        called = text(declared)
        made = Parameter("" if called.startswith(("~r", "~p")) else called, _type(types, declared))  # Go's: no name
        (given if _is_result(declared) else taken).append(made)
    if altered or language is Language.RUST:
        places = _Places(debug, entry, machine, [instance for _, instance in found if instance])
        told = [places.of(instance, each.type) for (_, instance), each in zip(found, taken, strict=True)]
        taken = [each._replace(pieces=pieces) for each, pieces in zip(taken, told, strict=True)]
    typed = inherited(entry, "DW_AT_type")
    if typed is not None:
        given = [Parameter("", _type(types, typed))]
    notes = [_VARIANT] if altered else []
    notes += [_MORE] if any(child.tag == "DW_TAG_unspecified_parameters" for child in origin.iter_children()) else []
    if language is Language.RUST and any(each.type.shape is Shape.STRUCT for each in (*taken, *given)):
        notes.append(_RUST)
    return Declaration(language, tuple(taken), tuple(given), altered, "; ".join(notes))


def _language(unit: DIE, name: str, *, go: bool) -> Language:
    """Whose convention a function follows. Raises NotDescribed.

    From 1.17 on Go says `regabi`; what assembly calls is an exception. gccgo follows C.
    """
    code = number(unit, "DW_AT_language") or 0
    if code in _ASSEMBLERS:
        raise NotDescribed("it is written in assembly")
    if code == _GO and go:
        registers = "regabi" in text(unit, "DW_AT_producer") and not name.endswith(_ABI0)
        return Language.GO if registers else Language.GO_STACK
    return _LANGUAGES.get(code, Language.C)


def _is_result(declared: DIE) -> bool:
    """Of Go: results are parameters that say so."""
    attribute = declared.attributes.get("DW_AT_variable_parameter")
    return bool(attribute and attribute.value)


def _abstract(entry: DIE) -> DIE:
    """What this is an instance of: it has all parameters, in their order."""
    return (
        entry.get_DIE_from_attribute("DW_AT_abstract_origin") if "DW_AT_abstract_origin" in entry.attributes else entry
    )


def _declared(origin: DIE, entry: DIE) -> Iterator[tuple[DIE, DIE | None]]:
    """Each parameter, and what this instance says of it. What only other instances have is left out.

    (The abstract constructor of a class with virtual bases takes `__in_chrg`, which no real one does.)
    """
    if origin is entry:
        yield from ((each, each) for each in parameters(entry))
        return
    instances: dict[int, DIE] = {}
    for each in parameters(entry):
        if "DW_AT_abstract_origin" in each.attributes:
            instances.setdefault(each.get_DIE_from_attribute("DW_AT_abstract_origin").offset, each)
    for each in parameters(origin):
        if each.offset in instances or "DW_AT_artificial" not in each.attributes:
            yield each, instances.get(each.offset)


def _type(types: Types, entry: DIE) -> Type:
    """Raises NotDescribed where it is passed by value and isn't known."""
    typed = inherited(entry, "DW_AT_type")
    if typed is None:
        raise NotDescribed(f"the parameter {text(entry)} has no type")
    found = types.of(target(typed))
    if found.why == ELSEWHERE:
        raise NotDescribed(f"the type {found.name} isn't known where it is used")
    if "DW_AT_artificial" in entry.attributes:
        found = found._replace(name=found.name.removesuffix("const"))  # nobody writes it: this
    return found


class _Places:
    """Where a function's parameters are at its entry, as far as that is told.

    A location for the whole function isn't trusted as far as a list of them: where GCC tracks no variables, because a
    function is large, it is where the parameter is kept later. That shows by registers that hold no argument.
    """

    def __init__(self, debug: DebugInfo, function: DIE, machine: str, instances: list[DIE]) -> None:
        self._debug, self._function, self._registers = debug, function, _REGISTERS[machine]
        lasting = [piece for each in instances for piece in _pieces(_lasting(each), 0, self._registers)]
        arguments, _ = abi.raw(machine, go=False)
        self._trusted = all(each.register in ("", *arguments) for each in lasting)

    def of(self, parameter: DIE | None, type_: Type) -> tuple[Piece, ...]:
        """The registers that it is in."""
        if parameter is None:
            return ()
        expression = _lasting(parameter)
        if not expression:
            expression = self._listed(parameter)
        elif not self._trusted:
            return ()
        return tuple(_pieces(expression, type_.size, self._registers))

    def _listed(self, parameter: DIE) -> list[int]:
        """Of a list, the location that holds where the function begins."""
        attribute, lists = parameter.attributes.get("DW_AT_location"), self._debug.location_lists()
        if attribute is None or not isinstance(attribute.value, int) or lists is None:
            return []
        start, base = next(self._debug.ranges(self._function))[0], self._debug.base(unit_of(self._function))
        for each in lists.get_location_list_at_offset(attribute.value, parameter):
            if isinstance(each, BaseAddressEntry):
                base = each.base_address
            elif isinstance(each, LocationEntry):
                shift = 0 if each.is_absolute else base
                if each.begin_offset + shift <= start < each.end_offset + shift:
                    return each.loc_expr if len(each.loc_expr) <= _LONGEST else []
        return []


def _lasting(parameter: DIE) -> list[int]:
    """The location that holds throughout the function."""
    value = getattr(parameter.attributes.get("DW_AT_location"), "value", None)
    return value if isinstance(value, list) and len(value) <= _LONGEST else []


def _pieces(expression: list[int], size: int, registers: Sequence[str]) -> Iterator[Piece]:
    """The registers that an expression names, for a value of that size; none where it says more than registers."""
    offset = 0
    found: list[Piece] = []
    while expression:
        operation, *expression = expression
        if _REG0 <= operation <= _REG31:
            register = operation - _REG0
        elif operation == _REGX:
            register, expression = _leb128(expression)
        elif operation == _PIECE:
            length, expression = _leb128(expression)
            yield from (piece._replace(size=length) for piece in found)
            offset, found = offset + length, []
            continue
        else:
            return
        found = [Piece(offset, size, registers[register] if register < len(registers) else "")]
    yield from found


def _leb128(data: list[int]) -> tuple[int, list[int]]:
    """An unsigned number, and what follows."""
    number_ = shift = 0
    for at, byte in enumerate(data):
        number_ |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number_, data[at + 1 :]
    return number_, []


def _in_assembly(debug: DebugInfo, entry: DIE) -> bool:
    """Whether its source is a file of Go's assembler, which describes no parameters."""
    program, file = debug.line_program_for_CU(unit_of(entry)), number(entry, "DW_AT_decl_file")
    if program is None or file is None:
        return False
    files = program["file_entry"]
    index = file if entry.cu["version"] >= 5 else file - 1
    return 0 <= index < len(files) and bytes(files[index].name).endswith(b".s")
