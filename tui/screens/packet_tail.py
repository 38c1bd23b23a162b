"""The last packets that were kept, each with its place in the order in which they came. Pure: knows no widget."""

from collections import deque
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from tui.collectors import packet_text
from tui.collectors.samples import PacketRecord, PacketsSample

KEPT: Final = 2_000  # packets; older ones are forgotten


class PacketRow(NamedTuple):
    """One packet."""

    number: int  # from the first on
    at: float  # seconds since the first one
    record: PacketRecord


class PacketTail:
    """What was read, as far as it is kept."""

    def __init__(self) -> None:
        self.rows: deque[PacketRow] = deque(maxlen=KEPT)
        self.total = 0
        self._first = 0

    def take(self, sample: PacketsSample) -> None:
        """Note the next sample's packets."""
        for record in sample.records:
            if not self.total:
                self._first = record.time_ns
            self.rows.append(PacketRow(self.total, (record.time_ns - self._first) / 1e9, record))
            self.total += 1

    def clear(self) -> None:
        """Forget them: others are about to come."""
        self.rows.clear()
        self.total = 0

    def since(self, number: int) -> list[PacketRow]:
        """The rows from this one on, as far as they are kept."""
        return list(islice(self.rows, max(0, len(self.rows) - (self.total - number)), None))


@lru_cache(maxsize=4_096)
def _summary(record: PacketRecord) -> str:
    return packet_text.summary(record)


def summary(row: PacketRow) -> str:
    """The packet in one line."""
    return _summary(row.record)


def words(row: PacketRow) -> str:
    """By what a packet can be found."""
    return f"{summary(row)}\n{row.record.direction}\n{row.record.interface}\n{row.record.length}"
