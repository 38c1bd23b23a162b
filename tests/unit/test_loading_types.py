"""The kernel's types in C: members lie where the BTF says, as a compiler confirms; only what is named is declared."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.btf_files import Maker
from tui.bpf.btf import index
from tui.bpf.btf.index import Btf
from tui.bpf.loading.declarations import declarations

INTEGERS = "".join(
    f"typedef {name} {short};\n"
    for short, name in {
        "u8": "unsigned char", "u16": "unsigned short", "u32": "unsigned", "u64": "unsigned long long",
        "s8": "signed char", "s16": "short", "s32": "int", "s64": "long long", "bool": "_Bool",
    }.items()
)  # fmt: skip
needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="a C compiler")


def compiled(folder: Path, types: Btf, source: str) -> None:
    """Fails unless a compiler takes the declarations, and has all members of all of them where the BTF has them."""
    lines = declarations(types, source)
    text = "\n".join(lines)
    checks: list[str] = []
    names = set(re.findall(r"^(?:struct|union) (\w+) \{", text, re.MULTILINE))
    for name, numbers in types.find_all(names).items():
        one = next(types.type(number) for number in numbers if types.type(number).kind in (index.STRUCT, index.UNION))
        word = "struct" if one.kind == index.STRUCT else "union"
        checks.append(f'_Static_assert(sizeof({word} {name}) == {one.size}, "{name}");')
        for member in one.members:
            if member.name and not member.bits and re.search(rf"\b{member.name}\b", text):
                at = f"__builtin_offsetof({word} {name}, {member.name})"
                if _sized(types, member.type):
                    checks.append(f'_Static_assert({at} == {member.offset // 8}, "{name}.{member.name}");')
    (folder / "types.c").write_text(f"{INTEGERS}{text}\n" + "\n".join(checks) + "\n")
    done = subprocess.run(["gcc", "-fsyntax-only", folder / "types.c"], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def _sized(types: Btf, number: int) -> bool:
    one = types.resolved(number)
    while one.kind == index.ARRAY:
        if not one.length:
            return False
        one = types.resolved(one.target)
    return bool(one.size) or one.kind == index.PTR


def made() -> Btf:
    """A task with everything that C finds hard."""
    make = Maker()
    u32, u8, s64 = make.integer("unsigned int", 4), make.integer("unsigned char", 1), make.integer("long", 8, 1)
    inner = make.struct("inner", 16, [("number", s64, 0), ("small", u8, 64)])
    far = make.struct("far", 8, [("value", s64, 0)])
    hidden = make.struct("hidden", 4, [("value", u32, 0)])
    anonymous = make.struct("", 8, [("low", u32, 0), ("high", u32, 32)], index.UNION)
    kind = make.enumeration("kind", [("KIND_NONE", 0), ("KIND_SOME", 7)])
    typedef = make.add(index.TYPEDEF, "inner_t", inner)
    make.struct(
        "task",
        72,
        [
            ("flag", u32, 0, 3), ("other", u32, 3, 7), ("odd", s64, 12 * 8), ("inner", typedef, 20 * 8),
            ("", anonymous, 36 * 8), ("far", make.pointer(far), 48 * 8), ("near", make.pointer(hidden), 56 * 8),
            ("kind", kind, 64 * 8), ("none", make.array(u8, 0), 68 * 8),
        ],
    )  # fmt: skip
    make.enumeration("", [("LONELY", 42), ("lower", 43)])
    make.struct("bpf_map", 4, [("id", u32, 0)])
    return Btf(make.build())


@needs_gcc
def test_members_are_where_the_btf_has_them(tmp_path: Path) -> None:
    compiled(tmp_path, made(), "struct task *task; task->far->value; task->odd;")


def test_only_what_is_named_is_declared() -> None:
    text = "\n".join(declarations(made(), "struct task *task; x = task->far->value + KIND_SOME + LONELY;"))
    assert "struct far {" in text  # its member is named
    assert "struct inner {" in text  # it is held
    assert "struct hidden {" not in text  # only a pointer leads there
    assert "enum { KIND_SOME = 7 };" in text
    assert "enum { LONELY = 42 };" in text
    assert "KIND_NONE" not in text
    assert declarations(made(), "int nothing;") == []


def test_what_the_source_or_the_headers_declare_is_left_to_them() -> None:
    assert declarations(made(), "struct task { int x; }; struct task t;") == []
    assert declarations(made(), "struct bpf_map *map;") == []
    assert declarations(made(), "struct task *t;", {"task"}) == []
    assert declarations(made(), "#define LONELY 3\nint x = LONELY;") == []
    assert declarations(made(), '// struct task\nchar *x = "struct task LONELY";') == []


def test_typedefs_by_name() -> None:
    text = "\n".join(declarations(made(), "inner_t inner; inner.small;"))
    assert text.endswith("typedef struct inner inner_t;")


@needs_gcc
@pytest.mark.skipif(not os.access("/sys/kernel/btf/vmlinux", os.R_OK), reason="a kernel with BTF")
def test_this_kernels_own_types(tmp_path: Path) -> None:
    types = Btf(Path("/sys/kernel/btf/vmlinux").read_bytes())
    source = """
struct task_struct *task; struct sock *sk; struct tcp_sock *tp; struct sk_buff *skb; struct iphdr *ip;
struct file *file; struct mm_struct *mm;
struct request *rq; struct inode *inode; struct tcphdr *tcp; struct ipv6hdr *ip6; struct cred *cred;
x = task->real_parent->tgid + task->nsproxy->pid_ns_for_children->ns.inum + task->mm->arg_start;
y = task->cred->uid.val;
dev_t dev; kuid_t uid; sector_t sector; TCP_ESTABLISHED; IPPROTO_TCP;
"""
    compiled(tmp_path, types, source)
    assert "enum { TCP_ESTABLISHED = 1 };" in declarations(types, source)
