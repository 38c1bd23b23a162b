"""Assembler that adds a packet to its group, where groups are many: the keys of a hash.

There are two hashes, for even and for odd turns: the reader empties the one whose turn is over. In front of each lies a
small table per CPU (`slots`), because looking a key up in a hash takes as long as everything else that is done with a
packet: a key has one place there, and is added to the hash only when another key takes that place. Slots of an earlier
turn are free. On cgroups, whose programs are interrupted by others, there are none.
"""

from collections.abc import Iterator
from typing import Final

from tui.bpf.extended.assembler import alu, call, goto, jump, label, load, map_pointer, mov, store
from tui.bpf.extended.assembler import atomic as atomically
from tui.bpf.extended.instructions import R0, R1, R2, R3, R4, R7, R8, R9, R10, W
from tui.bpf.extended.items import Item
from tui.bpf.packets.headers import Code
from tui.bpf.packets.layout import INDEX, KEY, LENGTH, OTHERS, TURN, add

SLOTS: Final = 256
STAMP, PACKETS, BYTES, NAME = 0, 8, 16, 24
"""What is in a slot, by its offset: the turn in which it was filled, two figures, and the key in whole cells."""
HASHES: Final = ("even", "odd")
TABLES: Final = ("even_slots", "odd_slots")

_GONE: Final = -120  # from R10 on: the key that is added to the hash
_VALUE: Final = -80  # its packets and bytes
_NOEXIST: Final = 1  # BPF_NOEXIST
_MIX: Final = 0x5BD1E995  # any large odd number: its product's upper bits depend on all bits


def cells(key_size: int) -> int:
    """The cells of a key of so many bytes; what is left of the last one is 0."""
    return -(-key_size // 8)


def add_to_group(code: Code, key_size: int, *, shared: bool) -> Iterator[Item]:
    """Adds the packet to the group whose key is on the stack; `shared`: others may come in between. Uses R0-R5, R8, R9.

    The code is there twice: where the kernel knows which map it is, it looks keys up in half the time.
    """
    odd, done = code.new("odd"), code.new("added")
    yield from (load(R8, R10, TURN), jump("&", R8, 1, odd))
    yield from _add(code, 0, cells(key_size), done, shared=shared)
    yield from (goto(done), label(odd))
    yield from _add(code, 1, cells(key_size), done, shared=shared)
    yield label(done)


def _add(code: Code, turn: int, size: int, done: str, *, shared: bool) -> Iterator[Item]:
    if shared:
        yield from _copy(KEY, _GONE, size)
        yield from (mov(R1, 1), store(R10, _VALUE, R1), load(R1, R10, LENGTH), store(R10, _VALUE + 8, R1))
    else:
        yield from _into_slot(code, TABLES[turn], size, done)
    yield from _into_hash(code, HASHES[turn], done, atomic=shared)


def _into_slot(code: Code, table: str, size: int, done: str) -> Iterator[Item]:
    """Adds to the key's slot; goes on with the key that had to make room."""
    taken, free = code.new("taken"), code.new("free")
    yield from (load(R9, R10, KEY), alu("*=", R9, _MIX))
    for at in range(8, 8 * size, 8):
        yield from (load(R1, R10, KEY + at), alu("^=", R9, R1), alu("*=", R9, _MIX))
    yield from (mov(R1, R9), alu(">>=", R1, 29), alu("^=", R9, R1), alu("&=", R9, SLOTS - 1), store(R10, INDEX, R9, W))
    yield from (map_pointer(R1, table), mov(R2, R10), alu("+=", R2, INDEX), call("map_lookup_elem"))
    yield from (jump("==", R0, 0, done), load(R1, R0, STAMP), jump("!=", R1, R8, free))
    for at in range(0, 8 * size, 8):
        yield from (load(R1, R0, NAME + at), load(R2, R10, KEY + at), jump("!=", R1, R2, taken))
    yield from add(R0, PACKETS, 1, atomic=False)
    yield from (load(R2, R10, LENGTH), *add(R0, BYTES, R2, atomic=False), goto(done))
    yield from (label(free), store(R0, STAMP, R8), *_begin(size), goto(done), label(taken))
    for at in range(0, 8 * size, 8):
        yield from (load(R1, R0, NAME + at), store(R10, _GONE + at, R1))
    yield from (load(R1, R0, PACKETS), store(R10, _VALUE, R1), load(R1, R0, BYTES), store(R10, _VALUE + 8, R1))
    yield from _begin(size)


def _begin(size: int) -> Iterator[Item]:
    """The slot is this packet's key's."""
    for at in range(0, 8 * size, 8):
        yield from (load(R1, R10, KEY + at), store(R0, NAME + at, R1))
    yield from (store(R0, PACKETS, 1), load(R1, R10, LENGTH), store(R0, BYTES, R1))


def _copy(source: int, target: int, size: int) -> Iterator[Item]:
    for at in range(0, 8 * size, 8):
        yield from (load(R1, R10, source + at), store(R10, target + at, R1))


def _into_hash(code: Code, hash_: str, done: str, *, atomic: bool) -> Iterator[Item]:
    found = code.new("found")
    yield from (*_at_key(hash_), call("map_lookup_elem"), jump("!=", R0, 0, found))
    yield from (*_at_key(hash_), mov(R3, R10), alu("+=", R3, _VALUE), mov(R4, _NOEXIST), call("map_update_elem"))
    yield from (jump("==", R0, 0, done), *_at_key(hash_), call("map_lookup_elem"))  # another CPU was first?
    yield jump("!=", R0, 0, found)
    for at in (0, 8):
        yield from (load(R2, R10, _VALUE + at), *add(R7, OTHERS + at, R2, atomic=atomic))
    yield from (goto(done), label(found))
    for at in (0, 8):
        yield from (load(R1, R10, _VALUE + at), atomically("+=", R0, at, R1))


def _at_key(hash_: str) -> Iterator[Item]:
    yield from (map_pointer(R1, hash_), mov(R2, R10), alu("+=", R2, _GONE))
