"""The user's own C: prepared (`source`), compiled and loaded in a child process (`module`), attached (`attaching`).

    with Module(prepare(text, path)) as module:
        module.load({"count": place("uprobe")})  …

The language is bcc's: BPF_HASH and its like, TRACEPOINT_PROBE, `map.lookup(&key)`. No kernel headers: what is included
from `linux/` and elsewhere comes from the kernel's own BTF (`declarations`), tracepoints' structs from tracefs.
"""
