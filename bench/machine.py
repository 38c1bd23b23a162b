"""What the figures were measured on: the processor, the kernel, and the versions of all that took part."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.peers import BPFTRACE, FUNCCOUNT


def describe() -> str:
    """One line."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    parts = [
        f"{_processor()}, {os.cpu_count()} cores, {memory / 1e9:.0f} GB",
        f"Linux {os.uname().release}",
        f"Python {platform.python_version()}",
        f"bpfscope {version('bpfscope')}",
        f"bpftrace {_bpftrace()}",
        f"funccount of bcc {_bcc()}",
        f"load average at the start {os.getloadavg()[0]:.1f}",
    ]
    return "Measured on: " + "; ".join(parts) + "."


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _bpftrace() -> str:
    if not BPFTRACE:
        return "not installed"
    said = subprocess.run([BPFTRACE, "--version"], capture_output=True, text=True, check=False).stdout
    return said.strip().removeprefix("bpftrace ") or "of unknown version"


def _bcc() -> str:
    if not FUNCCOUNT:
        return "not installed"
    try:
        return version("bcc")
    except PackageNotFoundError:
        return "of unknown version"
