"""Reading a packet's fields one after the other, in bounds, and telling them. Knows no protocol."""

from collections.abc import Callable
from typing import Final, NamedTuple

_SHOWN: Final = 32  # bytes of what is shown in hexadecimal


class Field(NamedTuple):
    """A field of a header; a byte may belong to several."""

    name: str
    value: str
    offset: int  # of its first byte in the packet's data
    size: int  # bytes; 0 where it isn't among them


class Layer(NamedTuple):
    """What one protocol put into the packet: its header, or what follows the last header that is known."""

    name: str
    offset: int  # of its first byte in the packet's data
    size: int  # bytes, without what it carries
    fields: tuple[Field, ...]


class Cut(Exception):
    """The packet ends here: the rest wasn't kept, or a length in a header says so."""


class Next(NamedTuple):
    """What follows a header."""

    protocol: str  # a key of `walk.PROTOCOLS`; anything else is data
    start: int
    end: int  # where it ends by what the headers say; the bytes kept may end before


class Reader:
    """Reads a layer's fields in the order in which they come."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        """`end`: where the layer and all that it carries ends, by what the headers before say."""
        self.data, self.start, self.end = data, start, end
        self.at = start
        self.fields: list[Field] = []

    @property
    def left(self) -> int:
        """Bytes up to the end, whether they were kept or not."""
        return max(0, self.end - self.at)

    def take(self, size: int) -> bytes:
        """The next bytes. Raises Cut."""
        after = self.at + size
        if size < 0 or after > self.end or after > len(self.data):
            raise Cut
        taken = self.data[self.at : after]
        self.at = after
        return taken

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer where it ends before, without reading them."""
        return self.data[self.at : max(self.at, min(self.at + size, self.end))]

    def note(self, name: str, value: object, size: int) -> None:
        """What the last `size` bytes were."""
        self.fields.append(Field(name, str(value), self.at - size, size))

    def number(self, name: str, size: int, show: Callable[[int], str] = str) -> int:
        """A number, the most significant byte first. Raises Cut."""
        number = int.from_bytes(self.take(size), "big")
        self.note(name, show(number), size)
        return number

    def text(self, name: str, size: int, show: Callable[[bytes], str]) -> str:
        """Bytes that are shown in some way. Raises Cut."""
        shown = show(self.take(size))
        self.note(name, shown, size)
        return shown

    def next(self, protocol: str) -> Next:
        """What follows here, up to the end."""
        return Next(protocol, self.at, self.end)


class Summary:
    """The words of a line, as tcpdump says them: who speaks to whom, and what."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._ends: tuple[str, str, str] | None = None

    def ends(self, label: str, source: str, destination: str) -> None:
        """Between whom; said as soon as it is known whether they have ports."""
        self._settle()
        self._ends = (label, source, destination)

    def ports(self, source: int, destination: int) -> None:
        """The ports at both ends."""
        if self._ends:
            label, here, there = self._ends
            self._words.append(f"{label} {here}.{source} > {there}.{destination}: ")
            self._ends = None
        else:  # behind what has been said already, as an extension header
            self._words.append(f"{source} > {destination}: ")

    def say(self, words: str) -> None:
        """Goes on with these words."""
        self._settle()
        self._words.append(words)

    def cut(self, protocol: str) -> None:
        """The packet ends within this protocol's header."""
        self._settle()
        blank = " " if self._words and not self._words[-1].endswith(" ") else ""
        self._words.append(f"{blank}[|{protocol}]")

    def _settle(self) -> None:
        if self._ends:
            self._words.append("{} {} > {}: ".format(*self._ends))
            self._ends = None

    @property
    def line(self) -> str:
        """All that was said."""
        self._settle()
        return "".join(self._words).rstrip(" :")


Parse = Callable[[Reader, Summary], Next | None]


class Protocol(NamedTuple):
    """How one protocol's header is read."""

    name: str
    short: str  # in the summary of a packet that ends within the header: [|tcp]
    parse: Parse


def hexadecimal(raw: bytes) -> str:
    """0x0a0b, cut after some bytes."""
    return f"0x{raw[:_SHOWN].hex()}{'…' if len(raw) > _SHOWN else ''}" if raw else ""


def hex_number(digits: int) -> Callable[[int], str]:
    """Shows a number as 0x0800."""
    return lambda number: f"0x{number:0{digits}x}"


def named(names: dict[int, str]) -> Callable[[int], str]:
    """Shows a number with its name: 6 (TCP)."""
    return lambda number: f"{number} ({names[number]})" if number in names else str(number)
