"""A source of the user's own made ready for the compiler, so that what is wrong in it is said of its own lines.

In front come our headers and what the source needs of the kernel: tracepoints' structs from tracefs, types from BTF.
Before each line goes a `#line`: libbcc moves code about, and then neither Clang's messages nor the verifier's name the
right line. Includes that only the kernel's own tree has become blank lines. Pure, but for what it is given to ask.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tui.bpf.btf.decoder import FLOATING
from tui.bpf.loading.declarations import bare
from tui.errors import NotSupported

INCLUDE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
INCLUDES: Final = (INCLUDE, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "include"))
TYPE_OF: Final = "bpfscope_type_of_"  # maps whose values are of the types of events: their BTF is all that is wanted
_GOES_ON: Final = re.compile(r"\\[ \t\v\f\r]*$")  # Clang takes it also with blanks behind
_INCLUDE: Final = re.compile(r'^(\s*#\s*include\s*)(?:<([^>]+)>|"([^"]+)")')
_TRACEPOINT: Final = re.compile(r"\bTRACEPOINT_PROBE\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)|\btracepoint__(\w+?)__(\w+)")
_OURS: Final = "_1"  # for the second "__" of a struct's name: of others libbcc makes structs itself, from debugfs
_VIRTUAL: Final = ("bcc/proto.h", "bcc/helpers.h", "bcc/bpf.h", "bcc/bpf_workaround.h")  # what libbcc brings
_SENT: Final = re.compile(
    r"\b(\w+)\s*\.\s*(?:(?:perf_submit|ringbuf_output|ringbuf_submit)\s*\((?:\s*\w+\s*,)?|perf_submit_skb\s*\([^,]*,[^,]*,)"
    r"\s*(&?)\s*(\w+)\s*,"
)
_PLAIN: Final = {
    "char", "short", "int", "long", "unsigned", "signed", "float", "double",
    *(f"{sign}{bits}" for sign in ("u", "s", "__u", "__s", "__be", "__le") for bits in (8, 16, 32, 64)),
}  # fmt: skip

PRINTED: Final = "bpfscope_printed"  # the ring buffer that a program of ours copies what bpf_trace_printk says to
PRINTER: Final = "raw_tracepoint__bpf_trace_printk"  # that program: the tracepoint is there since 5.9
_PRINTER: Final = f"""struct {PRINTED}_line {{ u64 time; u32 tid, pid; char text[240]; }};
BPF_RINGBUF_OUTPUT({PRINTED}, 512);
RAW_TRACEPOINT_PROBE(bpf_trace_printk) {{
	struct {PRINTED}_line *line = {PRINTED}.ringbuf_reserve(sizeof(struct {PRINTED}_line));
	if (!line) return 0;
	u64 id = bpf_get_current_pid_tgid();
	line->time = bpf_ktime_get_ns();
	line->tid = id;
	line->pid = id >> 32;
	bpf_probe_read_kernel_str(line->text, sizeof(line->text), (void *)ctx->args[0]);
	{PRINTED}.ringbuf_submit(line, 0);
	return 0;
}}"""

_PRINTER_THERE: Final = re.compile(rf"\b{PRINTER}\b|\bRAW_TRACEPOINT_PROBE\s*\(\s*bpf_trace_printk\b")

LOST: Final = "bpfscope_lost"  # an array of one number: calls for room in ring buffers for which there was none
_LOST: Final = f"""BPF_ARRAY({LOST}, u64, 1);
static inline __attribute__((always_inline)) long {LOST}_output(void *ring, void *data, u64 size, u64 flags) {{
	long failed = bpf_ringbuf_output(ring, data, size, flags);
	if (failed) {LOST}.atomic_increment(0);
	return failed;
}}
static inline __attribute__((always_inline)) void *{LOST}_reserve(void *ring, u64 size, u64 flags) {{
	void *room = bpf_ringbuf_reserve(ring, size, flags);
	if (!room) {LOST}.atomic_increment(0);
	return room;
}}
#define bpf_ringbuf_output {LOST}_output
#define bpf_ringbuf_reserve {LOST}_reserve"""
_RINGS: Final = re.compile(r"ringbuf|RINGBUF|\bbpf_trace_printk\s*\(")

PREAMBLE: Final = """#include <linux/types.h>
#include <uapi/linux/ptrace.h>
#include <kernel.h>
#undef TRACEPOINT_PROBE
#define TRACEPOINT_PROBE(category, event) \\
int tracepoint__##category##__##event(struct tracepoint__##category##_1##event *args)
"""


class Prepared(NamedTuple):
    """What the compiler gets."""

    text: str
    name: str  # the file, as messages call it
    source: str  # as it was
    flags: tuple[str, ...]
    events: Mapping[str, tuple[str, ...]]  # of each map that carries events, the maps whose values are like them


def prepare(
    source: str,
    path: str,
    tracepoint: Callable[[str, str, str], str],
    declare: Callable[[str], list[str]],
    more: Sequence[str] = (),
    *,
    floats: bool = False,
) -> Prepared:
    """`tracepoint` gives a struct's definition by its tag, category and event; `declare` what a source needs of types;
    `more` is put behind these; `floats` makes structs of float and double (`has_floats`).

    Raises what these two do.
    """
    text = bare(source)
    structs: dict[str, str] = {}
    for found in _TRACEPOINT.finditer(text):
        category, event = found[1] or found[3], found[2] or found[4]
        tag = f"tracepoint__{category}{_OURS}{event}"
        if tag not in structs:
            try:
                structs[tag] = tracepoint(tag, category, event)
            except NotSupported:
                if not _conditional(text, found.start()):
                    raise
    events = dict(_events(text))
    tables = [
        f'BPF_F_TABLE("array", u32, {kind}, {TYPE_OF}{name}_{at}, 1, 0);'
        for name, kinds in events.items()
        for at, kind in enumerate(kinds)
    ]
    if re.search(r"\bbpf_trace_printk\s*\(", text) and not _PRINTER_THERE.search(text):
        tables.append(_PRINTER)
    head = [*PREAMBLE.splitlines(), *structs.values(), *declare(source), *more]
    if _RINGS.search(text):
        head += _LOST.splitlines()
    if floats:
        head += _FLOATS
    lines = [*head, *numbered(source, path), '#line 1 "bpfscope"', *tables]
    flags = (*(f"-I{folder}" for folder in INCLUDES), "-I/virtual/include", f"-I{os.path.dirname(path) or '.'}")
    named = {name: tuple(f"{TYPE_OF}{name}_{at}" for at in range(len(kinds))) for name, kinds in events.items()}
    return Prepared("\n".join(lines) + "\n", said(path), source, (*flags, *FLAGS), named)


# With a float anywhere libbcc describes no types at all. BPF can but copy them, which it can do with structs as well.
_FLOATS: Final = [
    line
    for kind, bits in (("float", "u32"), ("double", "u64"))
    for line in (f"struct {FLOATING}{kind} {{ {bits} bits; }};", f"#define {kind} struct {FLOATING}{kind}")
]


def _conditional(text: str, at: int) -> bool:
    """Whether this is in a macro's definition or below an #if: there it may not count, and Clang says what is wrong."""
    before = text[:at].split("\n")
    first = len(before) - 1
    while first and _GOES_ON.search(before[first - 1]):
        first -= 1
    if re.match(r"\s*#\s*define\b", before[first]):
        return True
    depth = sum(bool(re.match(r"\s*#\s*if", line)) - bool(re.match(r"\s*#\s*endif", line)) for line in before)
    return depth > 0


def has_floats(source: str) -> bool:
    """Whether it has the words, outside of comments."""
    return bool(re.search(r"\b(?:float|double)\b", bare(source)))


FLAGS: Final = (
    "-DCONFIG_BPF_SYSCALL=1",
    "-Werror=implicit-function-declaration",  # a misspelt helper would become a program that calls itself
    "-Wno-macro-redefined",
    "-Wno-address-of-packed-member",
    "-Wno-unused-value",
    "-Wno-pointer-sign",
    "-Wno-compare-distinct-pointer-types",
    "-Wno-gnu-variable-sized-type-not-at-end",
    "-Wno-unknown-attributes",
    "-Wno-int-conversion",
    "-Wno-incompatible-pointer-types-discards-qualifiers",
)


def said(path: str) -> str:
    """A file's name as a compiler can say it: on one line, in UTF-8."""
    return path.replace("\n", "?").encode("utf-8", "replace").decode()


def numbered(source: str, path: str) -> Iterator[str]:
    """The source's lines, each behind a `#line`, but for those that go on from the one before; columns stay."""
    name = said(path).replace("\\", "\\\\").replace('"', '\\"')
    goes_on, depth = False, 0
    for number, (line, plain) in enumerate(zip(source.split("\n"), bare(source).split("\n"), strict=True), 1):
        began = goes_on
        if not began:
            yield f'#line {number} "{name}"'
        goes_on = bool(_GOES_ON.search(line))
        whole = _renamed(_included(line, os.path.dirname(path)))
        at = _body(plain) if depth == 0 and not (began or goes_on or plain.lstrip().startswith("#")) else 0
        if at:  # libbcc puts lines in before it
            yield whole[:at]
            yield f'#line {number} "{name}"'
            whole = " " * at + whole[at:]
        yield whole
        depth += plain.count("{") - plain.count("}")


def _body(line: str) -> int:
    """Where a function's body goes on behind its brace, in the line in which it begins; 0: it doesn't."""
    found = re.search(r"\)\s*\{(?=\s*\S)", line)
    return found.end() if found else 0


def _renamed(line: str) -> str:
    return re.sub(r"\bstruct(\s+)tracepoint__(\w+?)__(?=\w)", rf"struct\g<1>tracepoint__\g<2>{_OURS}", line)


def _included(line: str, folder: str) -> str:
    """The line; blank where it includes what isn't there: the kernel's tree, whose types come from BTF."""
    found = _INCLUDE.match(line)
    if not found:
        return line
    name = found[2] or found[3]
    if name in _VIRTUAL or any(os.path.isfile(os.path.join(each, name)) for each in INCLUDES):
        return line
    if found[3] and os.path.isfile(os.path.join(folder, name)):
        return line
    return "" if found[2] else line


def tracepoints_of(source: str) -> set[tuple[str, str]]:
    """The tracepoints whose structs a source needs."""
    return {(one[1] or one[3], one[2] or one[4]) for one in _TRACEPOINT.finditer(bare(source))}


def _events(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of each map that events are sent through, the types that are sent, as far as the source says so plainly."""
    found: dict[str, dict[str, None]] = {}
    for sent in _SENT.finditer(text):
        kind = _type_of(text[: sent.start()], sent[3], pointer=not sent[2])
        if kind and _at_file_scope(text, kind):
            found.setdefault(sent[1], {})[kind] = None
    yield from ((name, tuple(kinds)) for name, kinds in found.items())


def _type_of(before: str, name: str, *, pointer: bool) -> str:
    """The type with which a variable was last declared; of what a pointer leads to; "" where that isn't plain."""
    star = r"\*\s*" if pointer else ""
    pattern = rf"((?:struct|union)\s+\w+|\b[A-Za-z_]\w*)\s+{star}{re.escape(name)}\s*(=|;|,)"
    kinds = [found[1] for found in re.finditer(pattern, before) if found[1] not in ("return", "goto", "else", "sizeof")]
    return re.sub(r"\s+", " ", kinds[-1]) if kinds else ""


def _at_file_scope(text: str, kind: str) -> bool:
    """Whether a declaration at the end of the file can name the type."""
    if kind in _PLAIN:
        return True
    name = kind.rsplit(maxsplit=1)[-1]
    place = re.search(rf"\b(?:struct|union)\s+{name}\s*\{{", text) or re.search(rf"\}}\s*{name}\s*;", text)
    if not place:
        return "struct" in kind or "union" in kind or bool(re.search(rf"\btypedef\b[^;]*\b{name}\s*;", text))
    before = text[: place.start()]
    return before.count("{") - before.count("}") == (1 if text[place.start()] == "}" else 0)
