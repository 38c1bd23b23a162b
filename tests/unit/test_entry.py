"""What is entered: earlier ones, completion; bytes as they are shown."""

from tui.collectors.filters import completions
from tui.widgets.bytes import row_pieces, row_width
from tui.widgets.entry import Completion, Past
from tui.widgets.pieces import length


def test_earlier_ones_and_back_to_what_was_typed() -> None:
    past = Past(["udp", "tcp"])
    assert [past.older("ar"), past.older("tcp"), past.older("udp")] == ["tcp", "udp", None]
    assert [past.newer(), past.newer(), past.newer()] == ["tcp", "ar", None]
    past.add("udp")
    assert past.entries == ["tcp", "udp"]
    past.add("  ")
    assert past.entries == ["tcp", "udp"]


def test_only_so_many_are_kept() -> None:
    past = Past(["a", "b"], most=2)
    past.add("c")
    assert past.entries == ["b", "c"]


def test_completion_goes_through_the_words_and_keeps_what_follows() -> None:
    completion = Completion(completions)
    assert completion.next("tcp po and udp", 6) == ("tcp port and udp", 8)
    assert completion.next("tcp port and udp", 8) == ("tcp portrange and udp", 13)
    assert completion.next("tcp portrange and udp", 13) == ("tcp port and udp", 8)
    assert completion.next("broad", 5) == ("broadcast ", 10)
    assert Completion(completions).next("host 192.0.2.", 13) is None
    assert Completion(completions).next("", 0) is None


def test_rows_of_bytes() -> None:
    data = bytes(range(0x41, 0x41 + 20))
    first = row_pieces(data, 0, 16, (6, 4))
    assert length(first) == row_width(16)
    assert [shown for shown, role in first if role == "found"] == ["47 48  49 4a", "GHIJ"]
    last = row_pieces(data, 16, 16, (0, 0))
    assert "".join(shown for shown, _ in last).split() == ["0010", "51", "52", "53", "54", "QRST"]
    assert row_pieces(data, 32, 16, (0, 0)) == []
