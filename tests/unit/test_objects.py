import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.bpf.objects import MapSpec, ObjectSpec, magic, patched

EXIT = struct.pack("=BBhi", 0x95, 0, 0, 0)
SPEC = ObjectSpec(
    (MapSpec("calls", 2, 4, 8, 1024, 1024), MapSpec("seen", 1, 8, 4, 16, 0)), {"count": EXIT, "other": EXIT * 3}
)


def load(value: int, source: int = 0) -> bytes:
    """An ld_imm64 of a number, or of a map (source 1)."""
    return struct.pack("=BBhIBBhI", 0x18, source << 4 | 1, 0, value & 0xFFFFFFFF, 0, 0, 0, value >> 32)


def test_objects_survive_json() -> None:
    assert ObjectSpec.from_json(SPEC.to_json("key"), "key") == SPEC
    assert ObjectSpec.from_json(SPEC.to_json("key")) == SPEC
    assert ObjectSpec.from_json(SPEC.to_json("key"), "another key") is None


@pytest.mark.parametrize(
    "text",
    ["", "null", "7", "[]", '"key"', "{}", '{"key": "key"}', '{"key": "key", "maps": 7, "programs": {}}', "[" * 100_000,
     "\0", '{"key": "key", "maps": [["calls", 1]], "programs": {}}', '{"key": "key", "maps": [[]], "programs": {}}',
     '{"key": "key", "maps": [["calls", 1e999, 1, 1, 1, 1]], "programs": {}}',
     '{"key": "key", "maps": [], "programs": []}', '{"key": "key", "maps": [], "programs": {"count": "%%"}}',
     '{"key": "key", "maps": [], "programs": {"count": 7}}', '{"key": "key", "maps": [], "programs": {"count": "é"}}'],
)  # fmt: skip
def test_damage_is_no_object(text: str) -> None:
    assert ObjectSpec.from_json(text, "key") is None


def test_cut_anywhere_is_no_object() -> None:
    text = SPEC.to_json("key").rstrip()
    assert all(ObjectSpec.from_json(text[:end], "key") is None for end in range(len(text)))


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_an_object_or_none(data: object) -> None:
    for part in ("maps", "programs"):
        whole = {"key": "key", "maps": [], "programs": {}, part: data}
        assert isinstance(ObjectSpec.from_json(json.dumps(whole), "key"), ObjectSpec | None)


def test_the_magic_number_spells_the_name() -> None:
    assert magic("row").to_bytes(8, "big") == b"rowrowro"
    assert magic("generation").to_bytes(8, "big") == b"generati"


def test_maps_and_constants_are_patched() -> None:
    code = load(1, source=1) + load(magic("tgid")) + load(77) + load(magic("row")) + load(magic("tgid")) + EXIT
    done = patched(code, [31, 32], {"tgid": 811, "row": (1 << 64) - 1})
    assert done == load(32, source=1) + load(811) + load(77) + load((1 << 64) - 1) + load(811) + EXIT


def test_the_second_half_of_a_wide_load_is_no_instruction() -> None:
    code = load(0x18 << 32) + EXIT
    assert patched(code, [], {}) == code


def test_a_constant_that_the_program_lacks() -> None:
    with pytest.raises(ValueError, match="no constant row, tgid in the program"):
        patched(load(7) + EXIT, [], {"tgid": 1, "row": 2})
