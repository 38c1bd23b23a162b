r"""Classic BPF: the instruction set of tcpdump's filters and of SO_ATTACH_FILTER. Plain data; needs no kernel.

A program is a tuple of instructions, from a text, a list, or what tcpdump compiled:

    program = assemble("ldh [12]; the EtherType \n jeq #0x800, yes, no \n yes: ret #262144 \n no: ret #0")
    program = assemble([ld(abs=12, size=H), jeq(0x800, "yes", "no"), label("yes"), ret(262144), label("no"), ret(0)])
    program = parse("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0")

`read` takes a text of either kind. `listing(program)` shows it as `tcpdump -d` does, `c_array` as -dd, `decimal` as
-ddd, `source` in the assembler's language; `pack(program)` is what the kernel takes, and `check(program)` says why it
wouldn't.

    packet = Packet.whole(bytes.fromhex("ffffffffffff 020000000001 0800 45"))
    run(program, packet)                          # 262144: so many bytes of it are wanted, at most
    for state in steps(program, packet): ...      # A, X and M[] before each instruction, then the result and why

`run` and `steps` do as Linux does; with Dialect.LIBPCAP as libpcap's own filter (dialect.py says where they differ).
The functions that make up a list are those of build.py.
"""

from tui.bpf.classic.assembler import assemble
from tui.bpf.classic.checker import CheckError, check
from tui.bpf.classic.dialect import Dialect
from tui.bpf.classic.instructions import Instruction, Program, pack, unpack
from tui.bpf.classic.items import AssemblyError
from tui.bpf.classic.listing import c_array, decimal, instruction_text, listing, parse
from tui.bpf.classic.machine import Machine, State, run, steps
from tui.bpf.classic.packet import Ancillary, Packet
from tui.bpf.classic.pruning import prune
from tui.bpf.classic.reading import read
from tui.bpf.classic.source import source

__all__ = [
    "Ancillary",
    "AssemblyError",
    "CheckError",
    "Dialect",
    "Instruction",
    "Machine",
    "Packet",
    "Program",
    "State",
    "assemble",
    "c_array",
    "check",
    "decimal",
    "instruction_text",
    "listing",
    "pack",
    "parse",
    "prune",
    "read",
    "run",
    "source",
    "steps",
    "unpack",
]
