"""A cached listing is used whole or not at all: a wrong offset in it would kill the target."""

from array import array
from pathlib import Path

import pytest

from tui.elf import listing
from tui.elf.listing import Listing, Odd


@pytest.fixture
def kept(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(listing, "_WORTH_KEEPING", 1)
    numbers = (array("Q", [4096, 8192]), array("Q", [7, 9]), array("Q", [96, 128]))
    whole = Listing(["a", "b()"], ["a", "_Z1bv"], bytes([0, 1]), *numbers, {4096: Odd(("alias",), "", "int")})
    whole.keep("identity")
    assert listing.cached("identity") == whole
    return own_cache / "bpfscope" / "functions" / "identity"


def test_any_damage_is_noticed(kept: Path) -> None:
    content = kept.read_bytes()
    for at in range(len(content)):
        kept.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert listing.cached("identity") is None
    for end in range(len(content)):
        kept.write_bytes(content[:end])
        assert listing.cached("identity") is None


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"[3, Infinity]\n", b"{}\n", b"\xff" * 99])
def test_what_is_no_listing(kept: Path, content: bytes) -> None:
    kept.write_bytes(content)
    assert listing.cached("identity") is None


def test_plain_names_are_kept_only_where_there_are_many(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_WORTH_KEEPING", 1)
    monkeypatch.setattr(listing, "WORTH_KEEPING_PLAIN", 3)
    for count in (2, 3):
        names, numbers = [f"f{number}" for number in range(count)], array("Q", range(count))
        Listing(names, names, bytes(count), numbers, numbers, numbers, {}).keep(f"plain{count}")
    assert [path.name for path in (own_cache / "bpfscope" / "functions").iterdir()] == ["plain3"]
    assert listing.cached("plain3") is not None


def test_of_another_file(kept: Path) -> None:
    kept.rename(kept.with_name("other"))
    assert listing.cached("other") is None
