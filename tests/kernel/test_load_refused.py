"""What can be wrong with C of one's own: one message each, at the line where there is one."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.kernel.loading import from_text, library, written
from tests.kernel.probing import BPFSCOPE, run, run_as_nobody, wait_until
from tui.bpf.loading.module import Ending
from tui.bpf.loading.problems import SourceError
from tui.collectors.load_request import parsed, request
from tui.collectors.loaded import Loaded
from tui.errors import BpfscopeError, CompileError, NotSupported, TargetError, UsageError

pytestmark = pytest.mark.requires("compiling")

RUNS = "int count(void *ctx) { return 0; }\n"
NO_KPROBES = not Path("/sys/bus/event_source/devices/kprobe/type").exists()


def refused(folder: Path, source: str, *hooks: str, **more: str) -> BpfscopeError:
    with pytest.raises(BpfscopeError) as caught:
        from_text(folder, source, *hooks, **more).close()
    return caught.value


COMPILES_NOT = """\
#include <linux/sched.h>
#define TWICE(n) \\
	((n) + \\
	(n))
BPF_HASH(calls,
	u32,
	u64);
/* a comment
   of several lines */
int count(void *ctx)
{
	u32 pid = TWICE(1);
	calls.increment(pid);
	return nothing_like_this;
}
"""
VERIFIES_NOT = """struct key { u32 pid; };
BPF_HASH(calls, struct key, u64);

int count(void *ctx)
{
	struct key key = {
		.pid = 1,
	};
	u64 *value = calls
		.lookup(
			&key);
	// the pointer isn't tested
	*value += 1;
	return 0;
}
"""


def test_c_that_does_not_compile(tmp_path: Path) -> None:
    error = refused(tmp_path, COMPILES_NOT, "perf:page-faults")
    assert isinstance(error, SourceError)
    assert error.exit_status == 1
    (problem,) = [each for each in error.problems if each.error]
    assert (problem.line, problem.column) == (14, 9)
    assert problem.text == "use of undeclared identifier 'nothing_like_this'"
    assert str(error).startswith(f"{tmp_path}/program.c:14:9: it doesn't compile: use of undeclared")


def test_c_that_does_not_verify(tmp_path: Path) -> None:
    error = refused(tmp_path, VERIFIES_NOT, "perf:page-faults")
    assert isinstance(error, SourceError)
    (problem,) = error.problems
    assert VERIFIES_NOT.splitlines()[problem.line - 1] == "\t*value += 1;"
    assert "test the pointer before its first use" in str(error)
    assert error.said


@pytest.mark.parametrize(
    ("body", "line", "hint"),
    [
        ("char text[600] = {};\n\tbpf_trace_printk(\"%s\", text);\n\treturn 0;", 0, ""),
        ("u64 *p = (u64 *)8;\n\treturn *p > 3;", 3, "bpf_probe_read"),
        ("int at = bpf_get_prandom_u32();\n\tchar text[8] = {};\n\treturn text[at & 63];", 5, ""),
        ("for (u64 n = bpf_get_prandom_u32(); n; n--)\n\t\tbpf_ktime_get_ns();\n\treturn 0;", 0, ""),
    ],
)  # fmt: skip
def test_lines_of_what_the_verifier_refuses(body: str, line: int, hint: str, tmp_path: Path) -> None:
    error = refused(tmp_path, f"int count(void *ctx) {{\n\t{body}\n}}\n", "perf:page-faults")
    assert isinstance(error, CompileError)
    assert hint in str(error)
    if line and isinstance(error, SourceError):
        assert abs(error.problems[0].line - line) <= 1


def test_a_map_that_the_kernel_refuses(tmp_path: Path) -> None:
    error = refused(tmp_path, "\n\nBPF_HASH(huge, u64, u64, 0x7fffffff);\n" + RUNS, "perf:page-faults")
    assert isinstance(error, SourceError)
    assert error.problems[0].line == 3
    assert "the kernel refuses the map huge" in str(error)


def test_no_program(tmp_path: Path) -> None:
    error = refused(tmp_path, "BPF_HASH(calls, u32, u64);\nstatic inline int unused(void) { return 0; }\n")
    assert isinstance(error, UsageError)
    assert "there is no program in it" in str(error)


def test_several_programs(tmp_path: Path) -> None:
    source = RUNS + RUNS.replace("count", "other")
    assert "several functions could be meant: count, other" in str(refused(tmp_path, source, "perf:page-faults"))
    assert "where are count, other to run?" in str(refused(tmp_path, source))
    assert "there is no function third; there are count, other" in str(refused(tmp_path, source, only="third"))
    with from_text(tmp_path, source, "perf:page-faults", only="other") as loaded:
        assert [name for name, _ in loaded.places] == ["other"]
    with from_text(tmp_path, source, "count=perf:page-faults", "other=tracepoint:sched:sched_switch") as loaded:
        assert len(loaded.places) == 2


@pytest.mark.skipif(not NO_KPROBES, reason="this kernel has kprobes")
def test_kprobes_on_a_kernel_without_them(tmp_path: Path) -> None:
    for error in (
        refused(tmp_path, RUNS, "kprobe:vfs_read"),
        refused(tmp_path, "int kprobe__vfs_read(void *ctx) { return 0; }\n"),
    ):
        assert isinstance(error, NotSupported)
        assert "this kernel has no kprobes (CONFIG_KPROBES)" in str(error)


def test_return_probes_in_go(targets: Path, tmp_path: Path) -> None:
    error = refused(tmp_path, RUNS, f"uretprobe:{targets / 'fibonacci'}:main.fibonacciRecursive")
    assert isinstance(error, NotSupported)
    assert "is written in Go, which moves stacks" in str(error)


def test_places_that_are_not_there(tmp_path: Path) -> None:
    for hook, said in {
        "tracepoint:sched:sched_swich": "it has sched:sched_switch",
        "tracepoint:nothing:here": "there is no category nothing",
        "raw:nothing_here": "no tracepoint nothing_here",
        "uprobe:/bin/true:nothing_here": "true has no function nothing_here",
        "uprobe:/nothing/here:main": "/nothing/here",
        "usdt:/bin/true:nothing:here": "no USDT probe nothing:here",
    }.items():
        assert said in str(refused(tmp_path, RUNS, hook))
    error = refused(tmp_path, RUNS, "xdp", target="nothing0")
    assert isinstance(error, TargetError)
    assert "there is no interface nothing0; there are lo" in str(error)
    assert "is no cgroup" in str(refused(tmp_path, RUNS, "cgroup", target=str(tmp_path)))


def test_a_program_for_another_place(tmp_path: Path) -> None:
    source = "int seen(struct __sk_buff *skb) { return skb->len > 0 ? -1 : 0; }\n"
    error = refused(tmp_path, source, "perf:page-faults")
    assert isinstance(error, SourceError)
    assert "invalid bpf_context access" in str(error)
    assert error.problems[0].line == 1


def test_tracepoints_of_a_source_that_this_kernel_lacks(tmp_path: Path) -> None:
    error = refused(tmp_path, "TRACEPOINT_PROBE(sched, sched_swich) { return 0; }\n")
    assert "this kernel has no tracepoint sched:sched_swich; it has sched:sched_switch" in str(error)


def test_files_that_are_no_source(tmp_path: Path) -> None:
    (tmp_path / "binary.c").write_bytes(b"\xff\xfe\0")
    for path, said in {
        str(tmp_path / "missing.c"): "there is no file",
        str(tmp_path): "is no file",
        str(tmp_path / "binary.c"): "it isn't text",
        "nothing_like_it": "there is no nothing_like_it in the library",
    }.items():
        with pytest.raises(BpfscopeError, match=said):
            request(path)


def test_lines_that_make_no_sense(tmp_path: Path) -> None:
    path = written(tmp_path, RUNS)
    for line, said in {
        f"{path} --hook": "there is no hook without a name",
        f"{path} --hook nothing": "there is no hook nothing",
        f"{path} --hook perf:nothing": "there is no perf event nothing",
        f"{path} --hook perf:cycles:0hz": "at most 10,000hz",
        f"{path} --hook xdp": "needs an interface",
        f"{path} --hook uprobe:/bin/true": "uprobe:TARGET:FUNCTION",
        f"{path} --hook perf:cycles --hook perf:faults": "say of which function each is",
        f"{path} --nothing": "there is no --nothing here",
        f"{path} 'unfinished": "a quotation mark",
        "": "name a C file",
    }.items():
        with pytest.raises(UsageError, match=said):
            parsed(line)
    with pytest.raises(UsageError, match="nothing here runs at 1"):
        Loaded(request(str(path), "1", hooks=["perf:faults"])).close()
    for hook, said in {
        "missing=perf:faults": "there is no function missing",
        "count=xdp:nothing0": "no interface",
    }.items():
        with pytest.raises(BpfscopeError, match=said):
            Loaded(request(str(path), hooks=[hook])).close()


def test_without_permission() -> None:
    for name in ("page_faults", "opens"):
        done = run_as_nobody(BPFSCOPE, "load", name, "-d", "0.1")
        assert done.returncode == 3, done.stderr
        assert done.stderr.splitlines()[-1].startswith("bpfscope: Linux doesn't let this user")


def test_the_command_says_what_the_compiler_says(tmp_path: Path) -> None:
    path = written(tmp_path, COMPILES_NOT)
    done = run("load", path, "--hook", "perf:page-faults", "-d", "0.1")
    assert done.returncode == 1
    assert f"{path}:14:9: error: use of undeclared identifier" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"bpfscope: {path}:14:9: it doesn't compile")
    assert "Traceback" not in done.stderr


def test_hostile_names_do_nothing(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" \\ c'
    folder.mkdir()
    for name in ("sou\trce\x1b[31m.c", "two\nlines.c", os.fsdecode(b"no\xff\xfeutf8.c")):
        path = written(folder, COMPILES_NOT, name)
        done = run("load", path, "--hook", "perf:page-faults", "-d", "0.1")
        assert "\x1b" not in done.stderr
        assert ":14:9: it doesn't compile" in done.stderr


def test_own_headers_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine.h").write_text("#define MINE 7\nstruct mine { u32 number; };\n")
    source = '#include "mine.h"\n#include <net/sock.h>\nBPF_HASH(mine, u32, struct mine);\n' + RUNS.replace(
        "0;", "MINE;"
    )
    with from_text(tmp_path, source, "perf:page-faults") as loaded:
        assert loaded.warnings == ()


def test_the_library_wants_an_interface_where_it_does() -> None:
    with pytest.raises(UsageError, match="needs an interface"):
        library("tc_example").close()


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("char text[600] = {};\n\tbpf_probe_read_kernel(text, sizeof text, ctx);\n\treturn text[9];", 2, "512 bytes"),
        ("s64 some = bpf_ktime_get_ns();\n\treturn (some - 5) / 3;", 3, "BPF divides without signs"),
        ("return bpf_ktime_get_nss();", 2, "function 'bpf_ktime_get_nss'"),
        ('asm volatile("r0 = *(u64 *)(r99 + 0)");\n\treturn 0;', 0, "<inline asm>"),
        ("for (;;)\n\t\tbpf_ktime_get_ns();\n\treturn 0;", 3, "infinite loop detected"),
    ],
)
def test_what_llvm_refuses(body: str, line: int, said: str, tmp_path: Path) -> None:
    error = refused(tmp_path, f"int count(void *ctx) {{\n\t{body}\n}}\n", "perf:page-faults")
    assert isinstance(error, SourceError)
    assert said in str(error)
    assert error.problems[0].line == line


ENDLESS = 'asm(".incbin \\"/dev/zero\\"");\n' + RUNS


def test_a_source_that_takes_all_memory(tmp_path: Path) -> None:
    assert "needs more than 1 GiB of memory" in str(refused(tmp_path, ENDLESS, "perf:page-faults"))


def test_the_compiler_ends_when_it_is_told_to(tmp_path: Path) -> None:
    source = _waiting(tmp_path)
    ending = Ending()
    timer = threading.Timer(1, ending.now)
    timer.start()
    began = time.monotonic()
    with pytest.raises(CompileError):
        Loaded(request(str(source), hooks=["perf:page-faults"]), ending).close()
    timer.join()
    assert time.monotonic() - began < 20


def test_the_compiler_ends_with_whoever_started_it(tmp_path: Path) -> None:
    source = _waiting(tmp_path)
    process = subprocess.Popen([BPFSCOPE, "load", source, "--hook", "perf:page-faults"], stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: _compiling(children), "the compiler")
    (child,) = children.read_text().split()
    process.kill()
    process.wait()
    wait_until(lambda: _over(child), "the compiler ends")


def _waiting(folder: Path) -> Path:
    """A source whose compilation waits: what it includes is a pipe into which nobody writes, by way of a header."""
    os.mkfifo(folder / "pipe")
    (folder / "header.h").write_text('#include "pipe"\n')
    return written(folder, '#include "header.h"\n' + RUNS)


def _compiling(children: Path) -> bool:
    """Whether the child has begun; what it maps tells."""
    found = children.read_text().split()
    return bool(found) and "libbcc" in Path(f"/proc/{found[0]}/maps").read_text()


def _over(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
