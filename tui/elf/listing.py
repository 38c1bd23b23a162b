"""The functions of a file as columns, and the cache of them: large binaries are opened again without being parsed.

A cached listing is used only for the very file it was made of (device, inode, size, times), and only if its parts fit.
Not for others of the same build-id: that is what a file says of itself, and a wrong offset would kill the target.
"""

import json
import zlib
from array import array
from collections.abc import Iterable
from functools import partial, reduce
from itertools import repeat
from operator import itemgetter
from typing import Final, NamedTuple

from tui import cache
from tui.elf.names import UNWIND, Function

_FORMAT: Final = 6
_WORTH_KEEPING: Final = 5_000  # functions; fewer are read as fast as the cache,
WORTH_KEEPING_PLAIN: Final = 50_000  # and so are more whose names are readable as they stand
ORIGINS: Final = ("symtab", "dynsym", "pclntab", "debug file", "minidebuginfo", "perf map", "usdt", UNWIND)


class Odd(NamedTuple):
    """What few functions have: as in `Function`."""

    aliases: tuple[str, ...] = ()
    unprobeable: str = ""
    returns: str = ""


class Listing(NamedTuple):
    """Columns of one length, and what else is known of some functions, by address."""

    names: list[str]
    raw_names: list[str]
    origins: bytes  # indexes of ORIGINS
    addresses: "array[int]"
    sizes: "array[int]"
    offsets: "array[int]"
    odd: dict[int, Odd]

    def by_name(self) -> "Listing":
        """Sorted."""
        if len(self.names) < 2:
            return self
        pick = itemgetter(*sorted(range(len(self.names)), key=self.names.__getitem__))
        names = list(pick(self.names))
        return Listing(
            names,
            names if self.raw_names is self.names or self.raw_names == self.names else list(pick(self.raw_names)),
            bytes(pick(self.origins)),
            array("Q", pick(self.addresses)),
            array("Q", pick(self.sizes)),
            array("Q", pick(self.offsets)),
            self.odd,
        )

    def functions(self, module: str) -> list[Function]:
        """As the rows that everybody else works with."""
        columns = zip(
            repeat(module),
            self.names,
            self.raw_names,
            self.addresses,
            self.sizes,
            map(ORIGINS.__getitem__, self.origins),
            self.offsets,
            *map(repeat, Odd()),
        )
        found: list[Function] = list(map(partial(tuple.__new__, Function), columns))
        if self.odd:
            for index in [index for index, address in enumerate(self.addresses) if address in self.odd]:
                found[index] = found[index]._replace(**self.odd[self.addresses[index]]._asdict())
        return found

    def keep(self, identity: str) -> None:
        """Caches it, if it is large and the cache can be used."""
        plain = self.raw_names == self.names
        if len(self.names) < (WORTH_KEEPING_PLAIN if plain else _WORTH_KEEPING):
            return
        names = "\n".join(self.names).encode("utf-8", "replace")
        raw_names = b"" if plain else "\n".join(self.raw_names).encode("utf-8", "replace")
        odd = json.dumps([[address, *values] for address, values in self.odd.items()]).encode()
        numbers = [column.tobytes() for column in (self.addresses, self.sizes, self.offsets)]
        body = [self.origins, *numbers, odd, raw_names, names]
        checksum = reduce(lambda before, part: zlib.crc32(part, before), body, 0)
        sizes = [len(self.names), len(names), len(raw_names), len(odd)]
        head = json.dumps([_FORMAT, identity, checksum, *sizes]).encode()
        cache.write("functions", identity, head, b"\n", *body)


def cached(identity: str, *, raw_names: bool = True) -> Listing | None:
    """The listing of the file with that identity, if it was kept and is whole.

    Without `raw_names` the readable ones stand in their place, which is quicker.
    """
    content = cache.read("functions", identity)
    if content is None:
        return None
    try:
        return _parse(content, identity, raw_names=raw_names)
    except (ValueError, TypeError, IndexError, RecursionError, OverflowError):
        return None


def _parse(content: bytes, identity: str, *, raw_names: bool) -> Listing | None:
    """Checked as a whole: a wrong offset would put a probe into the middle of an instruction, and kill the target.

    Raises ValueError, TypeError, IndexError, RecursionError, OverflowError for what isn't a listing.
    """
    start = content.index(b"\n") + 1
    body = memoryview(content)[start:]
    form, kept_for, checksum, count, names_size, raw_size, odd_size = json.loads(content[:start])
    if [form, kept_for, checksum] != [_FORMAT, identity, zlib.crc32(body)] or len(
        body
    ) != 25 * count + odd_size + raw_size + names_size:
        return None
    numbers = body[count : 25 * count]
    addresses, sizes, offsets = (
        array("Q", bytes(numbers[at : at + 8 * count])) for at in range(0, 24 * count, 8 * count)
    )
    text = body[25 * count :]
    names = str(text[odd_size + raw_size :], "utf-8").split("\n")
    raws = str(text[odd_size : odd_size + raw_size], "utf-8").split("\n") if raw_size and raw_names else names
    odd = {
        int(address): Odd(tuple(aliases), str(reason), str(returns))
        for address, aliases, reason, returns in json.loads(bytes(text[:odd_size]))
    }
    origins = bytes(body[:count])
    if len(names) != count or len(raws) != count or max(origins) >= len(ORIGINS):
        return None
    return Listing(names, raws, origins, addresses, sizes, offsets, odd)


def joined(listings: Iterable[Listing]) -> Listing:
    """All of them, one after the other."""
    result = Listing([], [], b"", array("Q"), array("Q"), array("Q"), {})
    for each in listings:
        if not result.names:
            result = each
            continue
        result = Listing(
            result.names + each.names,
            result.raw_names + each.raw_names,
            result.origins + each.origins,
            result.addresses + each.addresses,
            result.sizes + each.sizes,
            result.offsets + each.offsets,
            result.odd | each.odd,
        )
    return result
