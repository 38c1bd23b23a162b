"""What is wrong in a source, at its lines: Clang's messages and the verifier's log, read. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tui.bpf.loading.line_table import Place, line_of
from tui.errors import CompileError
from tui.text import sanitise

_MESSAGE: Final = re.compile(
    r"^(?P<file>.*?):(?P<line>\d+):(?P<column>\d+): (?P<kind>fatal error|error|warning|note): (?P<text>.*)$"
)
_INCLUDED: Final = re.compile(r"^(?:In file included| {17}) ?from (?P<file>.*?):(?P<line>\d+)[:,]$")
_PLACE: Final = re.compile(r"^; (?P<text>.*?)(?: @ (?P<file>.*):(?P<line>\d+))?$")
_INSTRUCTION: Final = re.compile(r"^(\d+): \(")
_END: Final = re.compile(r"^processed \d+ insns|^verification time|^stack depth|^max_states")
_STATE: Final = re.compile(
    r"^\d+: |^(cur|old) state: |^(caller|callee):|^ ?frame\d+: "
    r"|^from \d+ to \d+|^R\d+(_\w)?=|^arg#|^;|^func#|^mark_precise|^\s*$|^last_idx|^parent "
)
_HINTS: Final = (
    ("map_value_or_null", "a lookup may find nothing: test the pointer before its first use"),
    ("mem_or_null", "reserving may fail: test the pointer before its first use"),
    ("invalid access to packet", "compare the end of what is read with data_end first"),
    ("invalid access to map value", "the place must lie in the value: bound an index before it is used"),
    ("invalid indirect read from stack", "every byte that is given away must be set first: {} or __builtin_memset"),
    ("invalid read from stack", "every byte must be set before it is read"),
    ("invalid write to stack", "the stack has 512 bytes: keep what is larger in a map"),
    ("back-edge", "this loop has no end that the verifier sees: give it a constant bound"),
    ("infinite loop", "this loop has no end that the verifier sees: give it a constant bound"),
    ("BPF program is too large", "the verifier gave up after so many steps: fewer loops and branches"),
    ("R0 !read_ok", "every way out must return a value"),
    ("At program exit the register R0", "this hook allows only some values to be returned"),
    ("unknown func", "the helper isn't there for programs of this hook, or not in this kernel"),
    ("cannot call GPL", "the helper is for programs under the GPL: #define BPF_LICENSE GPL"),
    ("Unreleased reference", "what was reserved or looked up must be given back on every way out"),
    ("invalid mem access 'scalar'", "memory of the kernel or of a process is read with bpf_probe_read_kernel or _user"),
    ("invalid mem access 'inv'", "memory of the kernel or of a process is read with bpf_probe_read_kernel or _user"),
    ("invalid bpf_context access", "this hook's context doesn't have that, or not for reading with this size"),
    ("pointer arithmetic", "add to pointers only numbers whose bounds the verifier knows"),
    ("unbounded memory access", "bound the length first: if (n > sizeof(x)) return 0"),
    ("R2 min value is negative", "bound the length first, also below: make it unsigned"),
)  # fmt: skip


_UNSEEN: Final = (
    "this kernel has no such tracepoint, or TRACEPOINT_PROBE is in a macro of your own: it has to be written out"
)
_NO_ROOM: Final = ("out of memory", "bad_alloc", "Cannot allocate memory", "MemoryError", "allocation failed")
_LLVM: Final = re.compile(r"^(?:(?:fatal )?error: (?:error in backend: )?|LLVM ERROR: |Error: )(?P<text>\S.*)")
_LLVM_PLACE: Final = re.compile(r"\b[^\s:]+:(\d+):(\d+)\b(?:: in function [^:]*: )?")
_LLVM_HINTS: Final = (
    ("stack limit", "the stack has 512 bytes: keep what is larger in a map, as a BPF_PERCPU_ARRAY of one entry"),
    ("signed division", "BPF divides without signs: make both sides unsigned, and see to the sign yourself"),
    ("= sdiv", "BPF divides without signs: make both sides unsigned, and see to the sign yourself"),
    ("= srem", "BPF divides without signs: make both sides unsigned, and see to the sign yourself"),
    ("Cannot select", "BPF has no instruction for it"),
)


class Problem(NamedTuple):
    """Something that is wrong at a line of the source."""

    line: int  # from 1; 0: somewhere
    column: int  # from 1; 0: in the line
    text: str  # sanitised
    hint: str = ""  # what to do about it
    error: bool = True  # or a warning


class SourceError(CompileError):
    """A source that doesn't compile, or that the verifier refuses."""

    def __init__(self, name: str, doing: str, problems: tuple[Problem, ...], said: str = "") -> None:
        """`said`: everything that the compiler or the verifier has written."""
        first = next((each for each in problems if each.error), None)
        where = f"{sanitise(name)}:{first.line}" if first and first.line else sanitise(name)
        place = f"{where}:{first.column}" if first and first.column else where
        reason = first.text + (f": {first.hint}" if first.hint else "") if first else "it doesn't say why"
        more = sum(each.error for each in problems) - 1
        others = f" (and {more} more)" if more > 0 else ""
        super().__init__(f"{place}: {doing}: {reason}{others}")
        self.problems = problems
        self.said = said


def of_compiler(said: str, name: str, source: str) -> tuple[Problem, ...]:
    """Clang's messages in the order in which they came; notes belong to what is before them and are left out.

    What is wrong in a header is said with the header's name, at the line that includes it.
    """
    return tuple(_messages(said, name, source.split("\n")))


def of_llvm(said: str) -> Problem | None:
    """Why LLVM has ended the process that compiled, where it has said so: what Clang accepts and BPF cannot do."""
    if any(part in said for part in _NO_ROOM):
        return Problem(0, 0, "compiling it needs more than 1 GiB of memory: is something endless in it?")
    lines = said.split("\n")
    found = next((_LLVM.match(line) for line in reversed(lines) if _LLVM.match(line)), None)
    if found is None:
        return None
    behind = said[said.rindex(found[0]) :]
    inside = "<inline asm>" in found["text"]  # its lines are its own
    place = None if inside else _LLVM_PLACE.search(behind)
    text = _LLVM_PLACE.sub("", found["text"], count=1) if place and "in function" in found["text"] else found["text"]
    hint = next((hint for part, hint in _LLVM_HINTS if part in text), "")
    number, column = (int(place[1]), int(place[2])) if place else (0, 0)
    return Problem(number, column, sanitise(re.sub(r"\b0x[0-9a-f]+: ", "", text).strip().rstrip(".")), hint)


def of_map(said: str, source: str) -> Problem | None:
    """Why the kernel refuses a map, at its declaration, where libbcc says that it does."""
    found = re.search(r"could not open bpf map: (\w+), error: (.*)", said)
    if not found:
        return None
    declared = re.search(rf"\bBPF_\w+\s*\(\s*(\"[^\"]*\"\s*,[^,]*,[^,]*,\s*)?{found[1]}\b", source)
    line = source[: declared.start()].count("\n") + 1 if declared else 0
    return Problem(line, 0, f"the kernel refuses the map {sanitise(found[1])}: {sanitise(found[2]).lower()}")


def _messages(said: str, name: str, lines: Sequence[str]) -> Iterator[Problem]:
    included = 0
    for line in said.split("\n"):
        if (found := _INCLUDED.match(line)) and found["file"] == name:
            included = int(found["line"])
        found = _MESSAGE.match(line)
        if not found or found["kind"] == "note":
            continue
        here = found["file"] == name
        number = int(found["line"])
        text = found["text"] if here or not included else f"{found['file']}:{number}:{found['column']}: {found['text']}"
        yield Problem(
            number if here else included,
            _characters(lines[number - 1] if number <= len(lines) else "", int(found["column"])) if here else 0,
            re.sub(r"struct tracepoint__(\w+?)_1(?=\w)", r"struct tracepoint__\1__", sanitise(text)),
            _UNSEEN if re.search(r"incomplete .*struct tracepoint__", text) else "",
            error=found["kind"] != "warning",
        )
        included = 0


def _characters(line: str, column: int) -> int:
    """A column that Clang gives, in bytes, in characters."""
    data = line.encode("utf-8", "replace")
    return len(data[: column - 1].decode("utf-8", "ignore")) + 1 if column <= len(data) else column


def of_verifier(log: str, source: str, function: str, table: Sequence[Place] = ()) -> Problem:
    """Why the verifier refuses, at the line of the instruction that it was at: by the compiler's table of lines, or by
    what the log says of lines (since 6.10; before that only their text).
    """
    lines = [line for line in log.split("\n") if line.strip()]
    end = next((at for at, line in enumerate(lines) if _END.match(line)), len(lines))
    reasons = [line for line in lines[:end] if not _STATE.match(line)]
    known = [line for line in reasons if any(part in line for part, _ in _HINTS)]  # others may come behind
    reason = (known or reasons or lines[:end] or [""])[-1]
    at = next((int(found[1]) for line in reversed(lines[:end]) if (found := _INSTRUCTION.match(line))), -1)
    number = line_of(list(table), at) if at >= 0 else 0
    for line in reversed(lines[:end]) if not number else ():
        found = _PLACE.match(line)
        if found and (number := int(found["line"] or 0) or _line_with(found["text"], source)):
            break
    hint = next((hint for part, hint in _HINTS if part in reason), "")
    said = sanitise(reason.strip()) or "it doesn't say why"
    return Problem(number, 0, f"the verifier refuses {function}: {said}", hint)


def _line_with(text: str, source: str) -> int:
    """The only line with this text; 0 where there are several."""
    found = [
        number for number, line in enumerate(source.split("\n"), 1) if text.strip() and line.strip() == text.strip()
    ]
    return found[0] if len(found) == 1 else 0
