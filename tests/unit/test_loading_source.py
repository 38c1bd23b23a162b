"""A source made ready: its lines and columns as they were, its tracepoints, events and includes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf.loading import formats, line_table, preparing
from tui.bpf.loading.declarations import bare, declared
from tui.bpf.loading.problems import SourceError, of_compiler, of_map, of_verifier
from tui.bpf.loading.source import PRINTER, TYPE_OF, Prepared, numbered, prepare
from tui.errors import NotSupported
from tui.screens.source_rows import source_lines

SWITCH = """name: sched_switch
ID: 372
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:umode_t mode;\toffset:32;\tsize:8;\tsigned:0;
\tfield:__data_loc char[] filename;\toffset:40;\tsize:4;\tsigned:0;
\tfield:const char *const * argv;\toffset:48;\tsize:8;\tsigned:0;
\tfield:sigset_t * set;\toffset:56;\tsize:8;\tsigned:0;
\tfield:__u8 saddr[4];\toffset:64;\tsize:4;\tsigned:0;
\tfield:struct odd thing;\toffset:68;\tsize:12;\tsigned:0;

print fmt: "prev_comm=%s", REC->prev_comm
"""


def prepared(source: str, path: str = "/home/eva/tool.c") -> Prepared:
    return prepare(source, path, lambda tag, category, event: f"struct {tag} {{ int x; }};", lambda _: [])


def placed(text: str) -> dict[tuple[int, int], str]:
    """Each character of what the compiler gets that isn't blank, by the line and column that messages give it."""
    found: dict[tuple[int, int], str] = {}
    line, ours = 0, False
    for raw in text.split("\n"):
        if said := re.match(r'#line (\d+) "(.*)"', raw):
            line, ours = int(said[1]), said[2] == "/home/eva/tool.c"
            continue
        if ours:
            found |= {(line, at): letter for at, letter in enumerate(raw, 1) if not letter.isspace()}
        line += 1
    return found


@given(st.text(alphabet='int f(void){}=;"\\/*\n\t a,.', max_size=200))
def test_every_character_keeps_its_line_and_column(source: str) -> None:
    expected = {
        (line, column): letter
        for line, text in enumerate(source.split("\n"), 1)
        for column, letter in enumerate(text, 1)
        if not letter.isspace()
    }
    assert placed("\n".join(numbered(source, "/home/eva/tool.c"))) == expected


@given(st.text(alphabet="/*\"'\\\nx", max_size=60))
def test_blanks_for_comments_move_nothing(source: str) -> None:
    assert [len(line) for line in bare(source).split("\n")] == [len(line) for line in source.split("\n")]


def test_a_body_in_the_line_of_its_function_gets_a_line_of_its_own() -> None:
    assert list(numbered("int f(void) { return 1; }", "f.c")) == [
        '#line 1 "f.c"',
        "int f(void) {",
        '#line 1 "f.c"',
        "              return 1; }",
    ]


def test_lines_that_go_on_stay_together() -> None:
    assert list(numbered("#define A(x) \\\n\t(x)\nint a;", "f.c")) == [
        '#line 1 "f.c"', "#define A(x) \\", "\t(x)", '#line 3 "f.c"', "int a;",
    ]  # fmt: skip


def test_names_of_files_do_no_harm() -> None:
    assert next(numbered("", 'a"b\\c\nd.c')) == '#line 1 "a\\"b\\\\c?d.c"'


def test_includes_of_the_kernel_become_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "mine.h").write_text("")
    source = '#include <linux/sched.h>\n#include <bcc/proto.h>\n#include <linux/types.h>\n# include "mine.h"\nint a;'
    lines = list(numbered(source, str(tmp_path / "f.c")))[1::2]
    assert lines == ["", "#include <bcc/proto.h>", "#include <linux/types.h>", '# include "mine.h"', "int a;"]


def test_tracepoints_get_structs_that_libbcc_does_not_make_itself() -> None:
    source = "TRACEPOINT_PROBE(sched, sched_switch) { return 0; }\nint f(struct tracepoint__block__block_rq_issue *a);"
    text = prepared(source).text
    assert "struct tracepoint__sched_1sched_switch { int x; };" in text
    assert "struct tracepoint__block_1block_rq_issue { int x; };" in text
    assert "int f(struct tracepoint__block_1block_rq_issue *a);" in text
    assert (
        "TRACEPOINT_PROBE(nothing, here)" not in prepared("// TRACEPOINT_PROBE(nothing, here)").text.split("#line")[0]
    )


def test_types_of_events_are_found() -> None:
    source = """
struct one { u32 a; };
typedef struct { u64 b; } two_t;
static void send(void *ctx, struct one *given) { first.perf_submit(ctx, given, sizeof(*given)); }
int f(void *ctx)
{
	struct one one = {};
	two_t *two = second.ringbuf_reserve(sizeof(two_t));
	u64 plain = 1;
	struct local { int x; } local;
	first.perf_submit(ctx, &one, sizeof(one));
	first.perf_submit(ctx, &plain, sizeof(plain));
	second.ringbuf_submit(two, 0);
	third.ringbuf_output(&local, sizeof(local), 0);
	fourth.perf_submit_skb(skb, skb->len, &one, sizeof(one));
	return 0;
}
"""
    ready = prepared(source)
    assert ready.events == {
        "first": (f"{TYPE_OF}first_0", f"{TYPE_OF}first_1"),
        "second": (f"{TYPE_OF}second_0",),
        "fourth": (f"{TYPE_OF}fourth_0",),
    }
    assert f'BPF_F_TABLE("array", u32, struct one, {TYPE_OF}first_0, 1, 0);' in ready.text
    assert f'BPF_F_TABLE("array", u32, u64, {TYPE_OF}first_1, 1, 0);' in ready.text
    assert f'BPF_F_TABLE("array", u32, two_t, {TYPE_OF}second_0, 1, 0);' in ready.text


def test_what_prints_gets_a_reader() -> None:
    probe = "RAW_TRACEPOINT_PROBE(bpf_trace_printk)"
    assert probe in prepared('int f(void *c) { bpf_trace_printk("x"); return 0; }').text
    assert probe not in prepared("int f(void *c) { return 0; } // bpf_trace_printk(").text
    assert prepared(f"bpf_trace_printk(1); {probe} {{}}").text.count(probe) == 1
    assert PRINTER == "raw_tracepoint__bpf_trace_printk"


def test_what_a_source_declares() -> None:
    source = """
#define MACRO 1
struct a { int x; };
enum e { ONE, TWO = 2, THREE };
typedef unsigned long number_t;
typedef struct b { int y; } b_t;
BPF_HASH(calls, u32);
"""
    assert {"MACRO", "a", "e", "ONE", "TWO", "THREE", "number_t", "b", "b_t", "calls"} <= declared(source)


# Tracepoints


def test_formats_keep_offsets_and_sizes() -> None:
    found = formats.parse(SWITCH)
    assert found.number == 372
    text = formats.struct_of("tp", found)
    assert "char prev_comm[16];" in text
    assert "s32 prev_pid;" in text
    assert "u64 mode;" in text
    assert "u32 data_loc_filename;" in text
    assert "const char *const * argv;" in text
    assert "void * set;" in text
    assert "u8 saddr[4];" in text
    assert "char thing[12];" in text


@pytest.mark.skipif(not shutil.which("gcc"), reason="a C compiler")
def test_the_compiler_agrees_about_offsets(tmp_path: Path) -> None:
    found = formats.parse(SWITCH)
    names = {"u8": "unsigned char", "u16": "unsigned short", "u32": "unsigned", "u64": "unsigned long long",
             "s32": "int"}  # fmt: skip
    lines = [f"typedef {type_name} {name};" for name, type_name in names.items()]
    lines.append(formats.struct_of("tp", found))
    lines += [
        f'_Static_assert(__builtin_offsetof(struct tp, {field.name}) == {field.offset}, "{field.name}");'
        for field in found.fields
    ]
    (tmp_path / "x.c").write_text("\n".join(lines))
    done = subprocess.run(["gcc", "-fsyntax-only", tmp_path / "x.c"], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@given(st.text(alphabet="\tfield:;offset size0123[]x* \n", max_size=300))
def test_hostile_formats_are_read(text: str) -> None:
    formats.struct_of("tp", formats.parse(text))


# What is wrong


def test_messages_of_the_compiler() -> None:
    said = (
        "/home/eva/tool.c:15:17: error: too many arguments\n    helper(ctx, 1);\n"
        "/home/eva/tool.c:6:12: note: 'helper' declared here\n"
        "/home/eva/tool.c:7:1: warning: unused\n"
        "bpfscope:1:3: error: field has incomplete type 'struct tracepoint__sched_1sched_switch'\x1b[31m\n"
    )
    found = of_compiler(said, "/home/eva/tool.c", "\n" * 20)
    assert [(each.line, each.column, each.error) for each in found] == [(15, 17, True), (7, 1, False), (0, 0, True)]
    assert found[2].text == "field has incomplete type 'struct tracepoint__sched__sched_switch'␛[31m"
    error = SourceError("/home/eva/tool.c", "it doesn't compile", found)
    assert str(error) == "/home/eva/tool.c:15:17: it doesn't compile: too many arguments (and 1 more)"


def test_messages_about_headers_and_columns_in_characters() -> None:
    said = (
        "In file included from tool.c:2:\nIn file included from ./one.h:4:\n./two.h:8:9: error: no such thing\n"
        "tool.c:3:10: error: nor that\n"
    )
    header, own = of_compiler(said, "tool.c", 'int a;\n#include "one.h"\n/* ä */ x\n')
    assert (header.line, header.column, header.text) == (2, 0, "./two.h:8:9: no such thing")
    assert (own.line, own.column) == (3, 9)


def test_a_form_feed_ends_no_line() -> None:
    rows = list(source_lines("int a;\f\nint b\x0b;\x85\nint c;\n", [(3, 1, "wrong", True)], 80))
    assert [(row.number, row.error) for row in rows] == [(1, False), (2, False), (3, True), (0, True)]


LOG = """0: R1=ctx() R10=fp0
; u64 *value = counts.lookup(&key); @ tool.c:14
16: (85) call bpf_map_lookup_elem#1   ; R0=map_value_or_null(id=2,map=counts,ks=20,vs=8)
; *value += 1; @ tool.c:16
17: (79) r1 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 17 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0
"""


def test_the_log_of_the_verifier() -> None:
    problem = of_verifier(LOG, "", "count")
    assert problem.line == 16
    assert problem.text == "the verifier refuses count: R0 invalid mem access 'map_value_or_null'"
    assert problem.hint == "a lookup may find nothing: test the pointer before its first use"
    table = [line_table.Place(0, 11), line_table.Place(17, 41), line_table.Place(18, 0)]
    assert of_verifier(LOG, "", "count", table).line == 41


def test_older_logs_have_only_the_text() -> None:
    old = re.sub(r" @ tool.c:\d+", "", LOG)
    assert of_verifier(old, "a;\n\t*value += 1;\n", "count").line == 2
    assert of_verifier(old, "*value += 1;\n*value += 1;\n", "count").line == 0
    assert of_verifier("", "", "count").text == "the verifier refuses count: it doesn't say why"


def test_refused_maps_are_found_in_the_source() -> None:
    said = "could not open bpf map: huge, error: Cannot allocate memory\n"
    problem = of_map(said, "\nBPF_HASH(small, u32);\nBPF_HASH(huge, u32, u64, 1 << 30);\n")
    assert problem is not None
    assert (problem.line, problem.text) == (3, "the kernel refuses the map huge: cannot allocate memory")
    assert of_map("something else", "") is None


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_hostile_tables_of_lines_are_read(btf: bytes, extension: bytes) -> None:
    data = line_table.BTF + btf, line_table.EXTENSION + extension
    if all(line_table.size(each) for each in data):
        line_table.places(*data, "count")


def test_sources_that_are_none(tmp_path: Path) -> None:
    big = tmp_path / "big.c"
    big.write_bytes(b"x" * (1 << 21))
    for path, said in ((tmp_path, "is no file"), (big, "larger than 1 MiB")):
        with pytest.raises(Exception, match=said):
            preparing.read(str(path))


def test_tracepoints_in_macros_and_below_conditions_may_be_missing() -> None:
    def missing(tag: str, category: str, event: str) -> str:
        raise NotSupported(f"there is no {category}:{event} for {tag}")

    for source in ("#ifdef X\nTRACEPOINT_PROBE(a, b) {}\n#endif\n", "#define T(c, e) \\ \n  TRACEPOINT_PROBE(c, e)\n"):
        assert "TRACEPOINT_PROBE" in prepare(source, "x.c", missing, lambda _: []).text
    with pytest.raises(NotSupported):
        prepare("#ifdef X\n#endif\nTRACEPOINT_PROBE(a, b) {}\n", "x.c", missing, lambda _: [])
