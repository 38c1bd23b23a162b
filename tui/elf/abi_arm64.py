"""C's calling convention on arm64: AAPCS64 (Procedure Call Standard for the Arm 64-bit Architecture), section 6.

C++ differs only in what it passes by address. Where Go passes values, `abi.py` knows.
"""

from typing import Final

from tui.elf.abi_places import IN_VECTOR, WORD, Frame, Part, Place, Split, behind_next, leaves, rounded
from tui.elf.declarations import Shape, Type

C_REGISTERS: Final = tuple(f"x{number}" for number in range(8))
GO_REGISTERS: Final = tuple(f"x{number}" for number in range(16))
VECTORS: Final = 8  # registers of them
_MOST_FLOATS: Final = 4  # of a struct of nothing else
_LARGEST: Final = 2 * WORD  # of what is passed in other registers
_ACROSS: Final = "in parts of two registers"
_IN_MEMORY: Final = "in memory whose address is only known when the function is entered"


def words(type_: Type) -> list[Part] | None:
    """A part for each float, where there is nothing else and not too many; or for each 8 bytes; None: by address."""
    if type_.shape is Shape.X87:  # long double, here a vector register; and pairs of them
        return [Part(at, _LARGEST, vector=True) for at in range(0, type_.size, _LARGEST)]
    if floats := _floats(type_):
        return floats
    if type_.size > _LARGEST:
        return None
    across = [offset for offset, leaf in leaves(type_) if offset % WORD + leaf.size > WORD >= leaf.size]  # packed
    return [Part(at, min([WORD, *(each - at for each in across if each > at)])) for at in range(0, type_.size, WORD)]


def place(type_: Type, frame: Frame, split: Split) -> Place:
    """In registers as a whole, or on the stack as a whole; what follows then finds no registers of that kind."""
    parts = split(type_)
    if type_.by_address or parts is None:
        return behind_next(frame)
    if not parts:
        return Place([])
    in_vectors = parts[0].vector
    if type_.align >= _LARGEST and not in_vectors:
        frame.pair()
    if spots := frame.registers(parts):
        return Place(spots, IN_VECTOR if in_vectors else _ACROSS)
    frame.exhaust(vectors=in_vectors)
    align = min(max(type_.align, WORD), _LARGEST)
    return Place([frame.memory(rounded(type_.size, WORD), align)])


def result(type_: Type, split: Split) -> Place:
    """As a first argument is passed; but for what is returned in memory, to whose address x8 pointed at the entry."""
    parts = split(type_)
    if type_.by_address or parts is None:
        return Place([], _IN_MEMORY)
    return Place(Frame(C_REGISTERS, VECTORS).registers(parts), IN_VECTOR if parts and parts[0].vector else _ACROSS)


def _floats(type_: Type) -> list[Part]:
    """Of a type of one to four floats or vectors of one size, each by itself; none of another one."""
    found = {(offset, leaf.size, leaf.shape) for offset, leaf in leaves(type_)}
    sizes, shapes = {size for _, size, _ in found}, {shape for _, _, shape in found}
    if len(sizes) != 1 or not shapes <= {Shape.FLOAT, Shape.X87} or len(found) > _MOST_FLOATS:
        return []
    (size,) = sizes
    return [Part(offset, size, vector=True) for offset, *_ in sorted(found)] if size * len(found) == type_.size else []
