"""The commands that are compared: ours and the peers', for the same job. Knows their options, runs nothing."""

import os
import shutil
from pathlib import Path

from tui.bpf import compiler

BPFSCOPE = str(Path(__file__).parent.parent / ".venv/bin/bpfscope")
BPFTRACE = shutil.which("bpftrace") or ""
FUNCCOUNT = shutil.which("funccount-bpfcc") or ""
NAMES = ("bpftrace", "funccount")
ABSENT = {name: "not installed" for name, found in (("bpftrace", BPFTRACE), ("funccount", FUNCCOUNT)) if not found}

Command = list[str]


def environment(folder: Path) -> dict[str, str]:
    """Of every command: ours keep their byte code and cache, below `folder`; funccount finds headers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept |= {"XDG_CACHE_HOME": str(folder / "cache"), "LC_ALL": "C.UTF-8"}
    if not Path(f"/lib/modules/{os.uname().release}/build").exists():
        kept.setdefault("BCC_KERNEL_SOURCE", str(_small_headers(folder)))
    return kept


def _small_headers(folder: Path) -> Path:
    """For funccount, where the kernel's own are not installed: those that our programs are compiled with."""
    tree = folder / "headers"
    if not tree.exists():
        shutil.copytree(Path(compiler.HERE) / "include", tree / "include")
        with (tree / "include/linux/kconfig.h").open("a", encoding="ascii") as file:
            file.write("#define CONFIG_BPF_SYSCALL 1\n")
    return tree


def first_count(pid: int, program: Path, pattern: str) -> dict[str, Command]:
    """Each prints as soon as it can that something was called."""
    return {
        "ours": [BPFSCOPE, "count", "--json", "-i", "0.005", str(pid), pattern],
        "bpftrace": [BPFTRACE, "-e", f'uprobe:{program}:{pattern} {{ printf("x\\n"); exit(); }}'],
        "funccount": [FUNCCOUNT, "-p", str(pid), "-i", "0", f"{program}:{pattern}"],
    }


def brief_count(pid: int, program: Path, pattern: str) -> dict[str, Command]:
    """Each counts per function for 50 ms and ends; funccount, which only knows whole seconds, for none."""
    script = f"uprobe:{program}:{pattern} {{ @[func] = count(); }} interval:ms:50 {{ exit(); }}"
    return {
        "ours": [BPFSCOPE, "count", "-d", "0.05", str(pid), pattern],
        "bpftrace": [BPFTRACE, "-e", script],
        "funccount": [FUNCCOUNT, "-p", str(pid), "-d", "0", f"{program}:{pattern}"],
    }


def one_latency(program: Path, function: str) -> Command:
    """What makes bpftrace time one function, saying something every 0.1 s once it is attached."""
    return [
        BPFTRACE,
        "-e",
        (
            f"uprobe:{program}:{function} {{ @start[tid] = nsecs; }}"
            f" uretprobe:{program}:{function} /@start[tid]/ {{ @ = hist(nsecs - @start[tid]); delete(@start[tid]); }}"
            ' interval:ms:100 { printf("x\\n"); }'
        ),
    ]


def one_count(program: Path, function: str) -> Command:
    """What makes bpftrace count at one place, saying something every 0.1 s once it is attached."""
    return [BPFTRACE, "-e", f'uprobe:{program}:{function} {{ @ = count(); }} interval:ms:100 {{ printf("x\\n"); }}']


def list_symbols(file: Path) -> dict[str, Command]:
    """Each lists all functions of a file; funccount can't. Of these bpftrace leaves mangled names as they are."""
    return {
        "ours": [BPFSCOPE, "symbols", str(file)],
        "bpftrace": [BPFTRACE, "-l", f"uprobe:{file}:*"],
        "nm": ["nm", "-C", str(file)],
        "nm -D": ["nm", "-DC", str(file)],
        "readelf": ["readelf", "-W", "--syms", str(file)],
    }
