"""Where an expression breaks, and why, as one sentence. Pure: knows libpcap's words, not libpcap."""

import re
from collections.abc import Callable
from typing import Final

from tui.bpf.expression_words import keywords

REJECTS_ALL: Final = "expression rejects all packets"
_UNPARSED: Final = "can't parse filter expression: syntax error"
_SYNTAX: Final = frozenset({_UNPARSED, "syntax error in filter expression"})
_MARK: Final = " 1:2:"  # libpcap's scanner complains of this word when the parser has taken all that is before it
_MARKED: Final = "bogus ethernet address 1:2:"
_TOKEN: Final = re.compile(  # libpcap's scanner.l
    r"\\[^ !()\n\t]+"  # an escaped name
    r"|(?:[0-9A-Fa-f]{0,4}:){2,}[0-9A-Fa-f.]*"  # an address with colons
    r"|[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?"  # a word or number
    r"|[<>!=]=|<<|>>|&&|\|\||[^ \r\n\t]"
)
_QUOTED: Final = re.compile(r"'([^']+)'")
_UNKNOWN: Final = re.compile(r"unknown (?:host|network|ether host) '([^']+)'")
_OVERFLOW: Final = re.compile(r"number [0-9A-Fa-fxX]*(?: overflows 32 bits|$)")
_REWORDED: Final = {
    _UNPARSED: "syntax error",  # of a text so long that nobody looked where
    "can't parse filter expression: memory exhausted": "the expression is nested too deep for libpcap",  # 10,000 levels
    "out of memory": "the expression, or a word in it, is too long for libpcap",
    "netmask not known, so 'ip broadcast' not supported": "'ip broadcast' needs the network mask of an interface",
}
_LIKENESS: Final = 0.7
_SHOWN: Final = 40  # letters of a word that a sentence shows
_LONGEST: Final = 160  # letters of a sentence of libpcap's, which may quote the whole expression


def column(complaint: Callable[[str], str], text: str, reason: str) -> int | None:
    """Where the text breaks: the first letter of the word that makes libpcap say so, its end where more is missing.

    `complaint` is what libpcap has against a text, if anything. It never says where; but it reads from left to right,
    so beginnings of the text are tried, halving what is left. None where the whole text is what is wrong.
    """
    if reason == REJECTS_ALL or complaint("") == reason:
        return None
    words = [(found.start(), found.end()) for found in _TOKEN.finditer(text)]
    quoted = _QUOTED.search(reason)
    named = [start for start, end in words if quoted and text[start:end].removeprefix("\\") == quoted[1]]
    if len(named) == 1:
        return named[0]

    def breaks(end: int) -> bool:
        if reason == _UNPARSED:
            return not complaint(text[:end] + _MARK).startswith(_MARKED)
        return complaint(text[:end]) == reason

    good, bad = -1, len(words)
    while bad - good > 1:
        middle = (good + bad) // 2
        if breaks(words[middle][1]):
            bad = middle
        else:
            good = middle
    if bad < len(words):
        return words[bad][0]
    return len(text.rstrip()) if reason == _UNPARSED else None


def explain(reason: str, text: str, at: int | None, resolved: bool) -> tuple[str, str, int | None]:
    """A sentence for libpcap's reason, the text, and the column to point at.

    `resolved`: names were asked for over the network.
    """
    if reason in _SYNTAX and at is not None:
        sentence, at = _syntax(text, at)
        return sentence, text, at
    if unknown := _UNKNOWN.match(reason):
        meant = _similar(unknown[1])
        where = "" if resolved else ": names are looked up in this machine's files only, so give the address"
        return f"{reason}{meant or where}", text, at
    if _OVERFLOW.match(reason):
        return "a number is larger than 4,294,967,295", text, at
    sentence = _REWORDED.get(reason, reason)
    return sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST]}…", text, at


def pointer(text: str, at: int, width: int = 72) -> str:
    """Two lines: the text, or the part of it around the column, and a caret under the column."""
    start = max(0, min(at - width // 2, len(text) - width))
    return f"{text[start : start + width]}\n{'^':>{at - start + 1}}"


def _syntax(text: str, at: int) -> tuple[str, int]:
    """What is wrong at a word, or with the end."""
    opened = _unbalanced(text[:at])
    if at >= len(text.rstrip()):
        if opened is not None:
            return f"this {text[opened]} is not closed", opened
        return "the expression ends where more must follow", at
    found = _TOKEN.match(text, at)
    word = found[0] if found else text[at]
    if word == ")" and opened is None:
        return "this ) closes nothing", at
    known = word in keywords() or not word.isalpha()
    return f"syntax error at '{word[:_SHOWN]}'{'' if known else _similar(word)}", at


def _unbalanced(text: str) -> int | None:
    """Where the last bracket is that the text leaves open; None if all are closed."""
    opened: list[int] = []
    for index, letter in enumerate(text):
        if letter in "([":
            opened.append(index)
        elif letter in ")]" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _similar(word: str) -> str:
    """A question whether one of the keywords was meant; nothing if none is similar."""
    from difflib import get_close_matches  # not on the way to a program

    found = get_close_matches(word, keywords(), 2, _LIKENESS)
    quoted = " or ".join(f"'{one}'" for one in found)
    return f"; did you mean {quoted}?" if found else ""
