"""`bpf_usdt_readarg(1, ctx, &value)` in C of the user's own: what libbcc calls for it, made from the probe's notes.

Where an argument lies differs from one of a probe's places to the next; which one was hit is the link's cookie.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from tui.bpf.loading.declarations import bare
from tui.bpf.loading.places import Place, noted, parse
from tui.collectors import target as targets
from tui.elf import usdt, usdt_arguments
from tui.elf.reader import ElfFile
from tui.elf.values import ZERO, Kind, Signature, Value

Places = Sequence[tuple[int, Signature]]  # of a probe: the offset in the file, and what can be read there


def readers(source: str, hooks: Mapping[str, Place]) -> list[str]:
    """C for each function that reads arguments of a USDT probe. Raises BpfscopeError where the target can't be read."""
    text = bare(source)
    if "bpf_usdt_readarg" not in text:
        return []
    wanted = {name: parse(said) for name, said in noted(source).items() if said.startswith("usdt:")} | dict(hooks)
    functions = re.findall(r"\bint\s+(\w+)\s*\(\s*struct\s+pt_regs\s*\*", text)
    return [
        line
        for name, place in wanted.items()
        if place.kind == "usdt"
        for function in ([name] if name else [each for each in functions if each not in wanted])
        for line in functions_of(function, _places(place), os.uname().machine)
    ]


def _places(place: Place) -> Places:
    for module in targets.resolve(place.target).modules:
        if module.file:
            with ElfFile.open(module.file, module.path) as elf:
                found = dict(usdt.probes(elf)).get(f"usdt:{place.name}", ())
                if found:
                    return [(each.offset, usdt_arguments.signature(elf, each)) for each in found]
    return []  # attaching says that there is none


def functions_of(function: str, places: Places, machine: str) -> Iterator[str]:
    """A reader for each argument, on one line. Pure."""
    for number in range(max((len(one.parameters) for _, one in places), default=0)):
        body = "".join(
            f"{f'if (at == {offset}ULL) ' if len(places) > 1 else ''}"
            f"{{ {_read(one.parameters[number] if number < len(one.parameters) else None, machine)} }} "
            + ("else " if len(places) > 1 else "")
            for offset, one in places
        )
        at = "u64 at = bpf_get_attach_cookie(ctx); " if len(places) > 1 else ""
        yield (
            f"static inline __attribute__((always_inline)) int _bpf_readarg_{function}_{number + 1}"
            f"(struct pt_regs *ctx, void *dest, size_t len) {{ u64 value = 0; {at}{body}"
            f"{'return -1; ' if len(places) > 1 else ''}"
            "if (len == 1) *(u8 *)dest = value; else if (len == 2) *(u16 *)dest = value;"
            " else if (len == 4) *(u32 *)dest = value; else *(u64 *)dest = value; return 0; }"
        )


def _read(value: Value | None, machine: str) -> str:
    """Statements that leave the value in `value`."""
    if value is None or value.at is None:
        return "return -1;"
    at = value.at
    parts = [f"({_register(at.register, machine)} >> {at.shift})"] if at.register != ZERO else []
    parts += [f"({_register(at.added, machine)} << {at.scale})"] if at.added else []
    parts += [f"{at.constant & (1 << 64) - 1}ULL"] if at.constant or not parts else []
    lines = [f"value = {' + '.join(parts)};"]
    for step, offset in enumerate(at.offsets, 1):
        bits = 8 * value.size if step == len(at.offsets) else 64
        place = f"(void *)(value + {offset & (1 << 64) - 1}ULL)"
        lines.append(f"{{ u{bits} read = 0; bpf_probe_read_user(&read, sizeof(read), {place}); value = read; }}")
    lines.append(f"value = ({'s' if value.kind is Kind.INT else 'u'}{8 * value.size})value;")
    return " ".join(lines)


def _register(name: str, machine: str) -> str:
    """As struct pt_regs has it."""
    if machine == "aarch64" and name != "sp":
        return f"ctx->regs[{name[1:]}]"
    return f"ctx->{name}"
