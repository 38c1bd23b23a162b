"""Counting packets in the kernel: an eBPF program around a filter, its maps, and what is read of them.

    spec = Spec(Kind.TC, expression.program, By.FLOW)
    with Turns() as turns, PacketCounter(hook, spec, turns) as counter, attach(hook, index, counter.program):
        turns.begin(), …, turns.end(), counter.take(), counter.figures(), counter.groups()

headers.py   assembler: where the headers of a packet are
groups.py    what packets can be grouped by: assembler, and keys as people read them
program.py   the whole program: seen, the filter, matched, groups, samples
counter.py   owns the maps and the program, and reads them
"""
