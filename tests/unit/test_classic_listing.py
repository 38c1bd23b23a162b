"""Programs as text and bytes; test_classic_libpcap.py compares whole listings with tcpdump's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines import libpcap_image
from tui.bpf.classic import (
    Instruction,
    assemble,
    c_array,
    decimal,
    instruction_text,
    listing,
    pack,
    parse,
    prune,
    read,
    source,
    unpack,
)
from tui.bpf.classic.instructions import AD_OFF, LL_OFF, NET_OFF
from tui.errors import UsageError

IP = (
    Instruction(0x28, 0, 0, 12),
    Instruction(0x15, 0, 1, 0x800),
    Instruction(6, 0, 0, 262144),
    Instruction(6, 0, 0, 0),
)
NUMBERS = (0, 5, 31, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, NET_OFF, LL_OFF, *range(AD_OFF, AD_OFF + 66))


def test_every_code_is_shown_as_libpcap_shows_it() -> None:
    for code in (*range(0x200), 0x1234, 0xFFF5, 0xFFFF):
        for k in NUMBERS:
            instruction = Instruction(code, 1, 255, k)
            assert listing((instruction,) * 8)[7] == libpcap_image(7, instruction)


def test_parts_are_for_columns() -> None:
    assert instruction_text(1, IP[1]) == ("jeq", "#0x800", (2, 3))
    assert instruction_text(2, IP[2]) == ("ret", "#262144", None)
    assert instruction_text(1000, Instruction(5, k=7)) == ("ja", "1008", None)
    assert instruction_text(0, Instruction(0xFFFF)) == ("unimp", "0xffff", None)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(decimal(IP)),
        "\n".join(c_array(IP)),
        "4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0,\n",
        "{ 0x28,  0,  0, 0x0000000c },\n{ 0X15,  0,  1, 0x00000800 },\n{ 6, 0, 0, 0x00040000 },\n{ 0x06, 0, 0, 0 },",
        "{{ 0x28, 0, 0, 12 }, { 21, 0, 1, 2048 }, { 6, 0, 0, 262144 }, { 6, 0, 0, 0 }}"[1:-1],
        "\r\n".join([*decimal(IP), "", ""]),
    ],
)
def test_what_others_print_is_read(text: str) -> None:
    assert parse(text) == IP


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no instructions"),
        ("0\n", "no instructions"),
        ("3\n6 0 0 0\n", "announces 3 instructions, 1 follow"),
        ("1\n6 0 0\n", "“6 0 0” is no instruction"),
        ("1\n6 0 256 0\n", "“6 0 256 0”"),
        ("1\n6 0 0 4294967296\n", "“6 0 0 4294967296”"),
        ("1\n65536 0 0 0\n", "“65536 0 0 0”"),
        ("1\n6 0 0 -1\n", "“6 0 0 -1”"),
        ("1\n6 0 0 \x1b[2J\n", "␛[2J"),
        ("{ 0x6, 0, 0 },", "is no instruction"),
        ("6 0 0 0\n" * 4097, "4,097 instructions are more"),
    ],
)
def test_what_is_no_program_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert reason in str(caught.value)


@given(st.text(alphabet="0123456789 x,{}\n-", max_size=60))
def test_any_text_is_a_program_or_an_error(text: str) -> None:
    try:
        program = parse(text)
    except UsageError:
        return
    assert parse("\n".join(decimal(program))) == program


def test_hostile_text_takes_no_time() -> None:
    for text in (" " * 1_000_000 + "x", "{" * 1_000_000, "9" * 1_000_000, "1 " * 500_000, "٣ ٣ ٣ ٣", "1,\n" * 300_000):
        with pytest.raises(UsageError):
            parse(text)


def test_numbers_and_sources_are_told_apart() -> None:
    for text in ("\n".join(decimal(IP)), "\n".join(c_array(IP)), "\n".join(source(IP))):
        assert read(f"\n {text}") == IP
    with pytest.raises(UsageError):
        read("")


def test_bytes_and_back() -> None:
    assert unpack(pack(IP)) == IP
    assert len(pack(IP)) == 32
    with pytest.raises(UsageError, match="7 bytes"):
        unpack(bytes(7))


def test_sources_have_labels_where_jumps_lead() -> None:
    assert source(IP) == ["    ldh  [12]", "    jeq  #0x800, L2, L3", "L2: ret  #262144", "L3: ret  #0"]
    assert source(assemble("ld vlan_tci ldx 4*([14]&0xf) ld [x + 0xfff00000] tax ret a")) == [
        "    ld   vlan_tci",
        "    ldx  4*([14]&0xf)".replace("ldx ", "ldxb"),
        "    ld   [x + 0xfff00000]",
        "    tax",
        "    ret  a",
    ]


@pytest.mark.parametrize("wrong", [Instruction(0xFF), Instruction(5, k=9), Instruction(0x15, 0, 9, 0)])
def test_some_instructions_have_no_source(wrong: Instruction) -> None:
    with pytest.raises(UsageError, match="instruction 1 has no source"):
        source((IP[0], wrong, IP[3]))


def test_what_is_never_reached_is_taken_out() -> None:
    program = assemble("ja on  neg neg  on: jeq #1, yes, no  tax  yes: ret #1  tax  no: ja end  txa  end: ret #0")
    pruned = prune(program)
    assert pruned.program == assemble("ja on  on: jeq #1, yes, no  yes: ret #1  no: ja end  end: ret #0")
    assert pruned.positions == (0, None, None, 1, None, 2, None, 3, None, 4)


def test_loops_are_kept() -> None:
    program = assemble("ja start  neg  again: ja end  start: jeq #0, end  ja again  end: ret a")
    assert prune(program).program == assemble("ja start  again: ja end  start: jeq #0, end  ja again  end: ret a")
