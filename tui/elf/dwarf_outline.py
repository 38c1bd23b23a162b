"""Where the functions and namespaces of a unit of debug information lie. Runs in the child process of `signatures.py`.

A unit has some hundred thousand entries. pyelftools makes an object of each, which takes 15 µs and a kilobyte; here
they are passed over, at 1 µs each, by what their abbreviations say of their sizes.
"""

from typing import Final, NamedTuple

from elftools.dwarf.compileunit import CompileUnit

_SCOPES: Final = ("DW_TAG_namespace", "DW_TAG_class_type", "DW_TAG_structure_type", "DW_TAG_union_type")
_SIZES: Final = {  # bytes that a form takes
    **dict.fromkeys(("implicit_const", "flag_present"), 0),
    **dict.fromkeys(("data1", "ref1", "flag", "strx1", "addrx1"), 1),
    **dict.fromkeys(("data2", "ref2", "strx2", "addrx2"), 2),
    **dict.fromkeys(("strx3", "addrx3"), 3),
    **dict.fromkeys(("data4", "ref4", "ref_sup4", "strx4", "addrx4"), 4),
    **dict.fromkeys(("data8", "ref8", "ref_sup8", "ref_sig8", "addr"), 8),
    "data16": 16,
}
_OFFSETS: Final = ("strp", "line_strp", "sec_offset", "ref_addr", "strp_sup", "GNU_strp_alt", "GNU_ref_alt")
_LENGTHS: Final = {"block1": 1, "block2": 2, "block4": 4}  # bytes of the number that says how many follow
_LEB128, _TEXT, _BLOCK = -1, -2, -3  # a number of as many bytes as it needs; text to a zero; such a number of bytes


class Scope(NamedTuple):
    """A namespace or class of a unit, by where its entries lie."""

    start: int
    end: int
    outer: int  # index of the one around it; -1: none


class Outline(NamedTuple):
    """What lies where in a unit."""

    functions: list[int]  # offsets of the entries that have code
    scopes: list[Scope]  # by start


def outline(data: bytes, unit: CompileUnit) -> Outline:
    """Passes over all entries of a unit. Raises IndexError, KeyError, ValueError for what isn't one."""
    plans: dict[int, tuple[list[int], str, bool]] = {}
    functions: list[int] = []
    scopes: list[Scope] = []
    around: list[int] = []  # of each entry that we are in: its scope's index, or the one around
    at, end = unit.cu_die_offset, unit.cu_offset + unit.size
    while at < end:
        start = at
        code, at = _leb128(data, at)
        if code == 0:
            scope = around.pop()
            if scope >= 0 and (not around or around[-1] != scope):
                scopes[scope] = scopes[scope]._replace(end=at)
            if not around:
                break
            continue
        if code not in plans:
            plans[code] = _plan(unit, code)
        steps, role, children = plans[code]
        for step in steps:
            at = at + step if step >= 0 else _passed(data, at, step)
        if role == "function":
            functions.append(start)
        if children:
            outer = around[-1] if around else -1
            if role == "scope":
                scopes.append(Scope(start, end, outer))
            around.append(len(scopes) - 1 if role == "scope" else outer)
    return Outline(functions, scopes)


def _plan(unit: CompileUnit, code: int) -> tuple[list[int], str, bool]:
    """How to pass over entries of a kind: bytes to skip, or what is there; what they are to us; whether they nest."""
    kind = unit.get_abbrev_table().get_abbrev(code)
    names = {each.name for each in kind["attr_spec"]}
    has_code = kind["tag"] == "DW_TAG_subprogram" and not names.isdisjoint(("DW_AT_low_pc", "DW_AT_ranges"))
    steps = [0]
    for each in kind["attr_spec"]:
        step = _step(str(each.form).removeprefix("DW_FORM_"), unit.dwarf_format() // 8)
        if step >= 0 and steps[-1] >= 0:
            steps[-1] += step
        else:
            steps.append(step)
    return steps, "function" if has_code else "scope" if kind["tag"] in _SCOPES else "", kind.has_children()


def _step(form: str, offset_size: int) -> int:
    """Bytes, or what takes as many as it says. Raises ValueError for an unknown form."""
    if form in _OFFSETS:
        return offset_size
    if form in _SIZES:
        return _SIZES[form]
    if form in ("udata", "sdata", "ref_udata", "strx", "addrx", "loclistx", "rnglistx"):
        return _LEB128
    if form == "string":
        return _TEXT
    if form in ("exprloc", "block"):
        return _BLOCK
    if form in _LENGTHS:
        return _BLOCK - _LENGTHS[form]
    raise ValueError(form)


def _passed(data: bytes, at: int, step: int) -> int:
    """The end of what begins there. Raises IndexError, ValueError."""
    if step == _TEXT:
        return data.index(b"\0", at) + 1
    if step == _LEB128:
        return _leb128(data, at)[1]
    if step == _BLOCK:
        size, at = _leb128(data, at)
    else:
        width = _BLOCK - step
        size, at = int.from_bytes(data[at : at + width], "little"), at + width
    return at + size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number and its end. Raises IndexError."""
    number = shift = 0
    while (byte := data[at]) & 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return number | byte << shift, at + 1
