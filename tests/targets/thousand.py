"""Writes the assembly of 1,000 functions, 30 of which begin with an instruction that the kernel can't probe.

fn_000 to fn_999 are in `functions`, in order; `fn_NNN` is called PRIMES[NNN % 10] times by thousand.c, but those that
would stop the program. Every 33rd is one of the 30; what they begin with goes round through `UNPROBEABLE`.
"""

NUMBER = 1_000
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)
UNPROBEABLE = (
    "lock incl counter(%rip)",
    ".byte 0x2e, 0x90",  # cs nop
    ".byte 0x3e, 0x90",  # ds nop
    ".byte 0x36, 0x90",  # ss nop
    "vpxord %zmm0, %zmm0, %zmm0",  # EVEX
    "hlt",
    "inb %dx, %al",
    "outb %al, %dx",
    "insb",
    "cli",
)


def unprobeable() -> dict[str, str]:
    """The 30 functions and their first instruction."""
    return {f"fn_{number:03}": UNPROBEABLE[number // 33 % len(UNPROBEABLE)] for number in range(0, 990, 33)}


def calls() -> dict[str, int]:
    """How often each of the others is called."""
    odd = unprobeable()
    names = {f"fn_{number:03}": PRIMES[number % len(PRIMES)] for number in range(NUMBER)}
    return {name: times for name, times in names.items() if name not in odd}


def assembly() -> str:
    """The source."""
    odd = unprobeable()
    lines = [".data", "counter: .long 0", ".text"]
    for name in (f"fn_{number:03}" for number in range(NUMBER)):
        lines += [f".globl {name}", f".type {name}, @function", f"{name}:"]
        lines += [f"\t{odd[name]}" if name in odd else "\tpush %rbp\n\tpop %rbp", "\tret", f".size {name}, . - {name}"]
    lines += ['.section .data.rel.ro, "aw"', ".globl functions", "functions:"]
    lines += [f"\t.quad {name if name not in odd else 0}" for name in (f"fn_{number:03}" for number in range(NUMBER))]
    lines += ['.section .note.GNU-stack, "", @progbits']
    return "\n".join(lines) + "\n"
