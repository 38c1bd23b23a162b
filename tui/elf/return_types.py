"""The return types with which demanglers begin the readable names of C++ templates' functions, told from the names.

Only such functions have one: of `unsigned int fib<5>()` the name is `fib<5>()`. People look for what the function is
called, so that is what it is listed by. Pure; without `re` and `typing`, which take the demangler's child longer to
import than this takes for all names of libLLVM.
"""

_SYMBOLS = frozenset("+-*/%^&|~!=<>,()[]")
_WORDS = ("new", "delete", "new[]", "delete[]")
_OPERATOR = "operator"
_ARROWS = ("operator>", "operator->", "operator>>")
_GOES_ON = ("const::", "volatile::", "&::", "&&::")  # of a member function, what lies in which is named next
_PAIRS = {")": "(", "}": "{"}


def parted(text: str) -> tuple[str, str]:
    """The name without its return type, and that; which is empty where there is none, or it can't be told.

    Of void (*get<int>(int))(char) these are get<int>(int) and void (*)(char).
    """
    if ">(" not in text:
        return text, ""
    close = text.rfind(")")
    opening = _opening(text, close)
    if opening <= 0:
        return text, ""
    before = text[opening - 1]
    if before == ">":
        begin = _begin(text, opening)
        return (text[begin:], text[:begin].rstrip()) if begin > 0 else (text, "")
    if before == " ":  # int (&get<int>(int)) [3]
        return _declared(text, opening, close)
    if before == ")":  # void (*get<int>(int))(char)
        return _declared(text, _opening(text, opening - 1), opening - 1)
    return text, ""


def _declared(text: str, opening: int, close: int) -> tuple[str, str]:
    """Of a function that returns a pointer or reference to what needs brackets: its own name is within these."""
    inside = text[opening + 1 : close]
    begin = 1 if inside[:1] in ("*", "&") else inside.find("::*") + 3
    name = inside[begin:]
    at = _opening(name, len(name) - 1) if name.endswith(")") else -1
    if opening <= 0 or begin == 2 or at <= 0 or name[at - 1] != ">" or _begin(name, at) != 0:
        return text, ""
    return name, text[: opening + 1 + begin] + text[close:]


def _begin(text: str, parameters: int) -> int:
    """Where the name begins whose template arguments end at its parameters; 0 where nothing stands before it, too."""
    if text.endswith(_ARROWS, 0, parameters):
        return 0
    at = _opening(text, parameters - 1)
    operator = text.rfind(_OPERATOR, 0, max(0, at))
    if operator == 0 or (operator > 0 and text[operator - 1] in ": "):
        which = text[operator + len(_OPERATOR) : at]
        if not _SYMBOLS.issuperset(which.strip()) and which.strip() not in _WORDS and which[:2] != '""':
            return 0 if which.startswith(" ") else _word(text, at)  # a conversion to a type, which is all that it has
        at = operator
    return _word(text, at)


def _word(text: str, at: int) -> int:
    """Where the word begins that ends there; brackets belong to it with all that they hold. 0: it can't be told."""
    while at >= 0:
        space = text.rfind(" ", 0, at)
        bracket = max(text.rfind(">", 0, at), text.rfind(")", 0, at), text.rfind("}", 0, at))
        if bracket > space:
            at = _opening(text, bracket)
        elif text.startswith(_GOES_ON, space + 1):
            at = space
        else:
            return space + 1
    return 0


def _opening(text: str, at: int) -> int:
    """Where the bracket is that is closed there; -1 where there is none.

    Within round ones others mean nothing: (a > b), or operator<.
    """
    if at < 0:
        return -1
    if text[at] != ">":
        return _counted(text, at, _PAIRS[text[at]])
    depth = 1
    while depth:
        less, round_ = text.rfind("<", 0, at), text.rfind(")", 0, at)
        more = text.rfind(">", max(less, 0), at)
        at = max(less, more, round_)
        if at < 0:
            return -1
        if at == round_:
            at = _counted(text, at, "(")
            if at < 0:
                return -1
        elif at == less:
            depth -= 1
        elif text[at - 1 : at] != "-":
            depth += 1
    return at


def _counted(text: str, at: int, opening: str) -> int:
    """The same by this kind of bracket alone."""
    closing, depth = text[at], 1
    while depth:
        opened = text.rfind(opening, 0, at)
        if opened < 0:
            return -1
        depth += text.count(closing, opened, at) - 1
        at = opened
    return at
