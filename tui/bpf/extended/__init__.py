"""eBPF: the kernel's instruction set, an assembler and a disassembler for it, and classic BPF translated to it.

A program is a list; maps and places in it have names until it is assembled:

    from tui.bpf.extended.assembler import assemble, exit_, jump, label, load, mov
    from tui.bpf.extended.disassembler import text
    from tui.bpf.extended.instructions import R0, R1, W

    code = [
        load(R0, R1, 0, W),  # the packet's length
        jump(">", R0, 1000, "out"),
        mov(R0, 0),  # let short ones go
        label("out"),
        exit_(),
    ]
    program = assemble(code).bytecode({})  # what kernel.program_load takes
    text(program)  # ["r0 = *(u32 *)(r1 +0)", "if r0 > 0x3e8 goto pc+1", "r0 = 0", "exit"]

`translate` makes such a list of a classic program, one for each kind of hook. `hops` is a whole program as an example.
Nothing here needs a kernel; `tui.bpf.kernel` loads what comes out.
"""
