import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.bpf.expression_errors import column, pointer
from tui.bpf.expression_words import completions, keywords


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("tcp and ", []),
        ("not ", []),
        ("(", []),
        ("t", ["tcp", "tr", "type", "ta"]),
        ("tc", ["tcp"]),
        ("tcp", []),
        ("(udp or tc", ["tcp"]),
        ("tcp && po", ["port", "portrange"]),
        ("tcp ", ["port", "portrange", "src", "dst", "and", "or"]),
        ("tcp po", ["port", "portrange"]),
        ("tcp dst ", ["port", "portrange", "and", "or"]),
        ("ether dst ", ["host", "and", "or"]),
        ("src ", ["host", "net", "port", "portrange", "and", "or"]),
        ("src or ", ["src", "dst"]),
        ("src or d", ["dst"]),
        ("port ", []),
        ("tcp port s", ["ssh", "smtp", "snmp", "syslog"]),
        ("tcp port 22 ", ["and", "or"]),
        ("tcp port 2", []),
        ("host ", []),
        ("host foo", []),
        ("host foo.t", []),
        ("host ::1 ", ["and", "or"]),
        ("net 10.0.0.0/8 ", ["and", "or"]),
        ("ip proto \\t", ["\\tcp"]),
        ("ether proto \\i", ["\\ip", "\\ip6", "\\ipx"]),
        ("wlan type ", ["mgt", "ctl", "data"]),
        ("tcp[", ["tcpflags"]),
        ("tcp[tcp", ["tcpflags"]),
        ("ip[", []),
        ("tcp[tcpflags] ", []),
        ("tcp[tcpflags] & tcp-s", ["tcp-syn"]),
        ("tcp[tcpflags] & (tcp-syn|tcp-a", ["tcp-ack"]),
        ("icmp[icmptype] != icmp-echo", ["icmp-echoreply"]),
        ("icmp[icmptype] = icmp-echo and (", []),
        ("ip[0:", []),
        ("len > ", []),
        ("vlan 5 ", ["and", "or"]),
        ("tcp\nand\tud", ["udp"]),
    ],
)
def test_words_that_may_follow(text: str, words: list[str]) -> None:
    assert completions(text, len(text)) == words


def test_only_what_is_before_the_cursor_counts() -> None:
    assert completions("tcp po 22 or udp", 6) == ["port", "portrange"]
    assert completions("tcp po", 0) == []
    assert completions("a" * 1_000_000 + " tcp po", 1_000_007) == ["port", "portrange"]


@given(st.text(alphabet="tcp[]()! &|=\\andorhost:.0\x1b\n", max_size=40), st.integers(0, 45))
def test_any_text_has_completions_that_begin_as_it_ends(text: str, cursor: int) -> None:
    for word in completions(text, cursor):
        assert any(text[:cursor].endswith(word[:length]) for length in range(len(word)))


def test_keywords_come_once() -> None:
    assert len(set(keywords())) == len(keywords()) > 150
    assert keywords()[0] == "tcp"


@pytest.mark.parametrize(
    ("at", "shown"),
    [(0, "tcp and prot 22\n^"), (8, "tcp and prot 22\n        ^"), (15, "tcp and prot 22\n               ^")],
)
def test_a_pointer(at: int, shown: str) -> None:
    assert pointer("tcp and prot 22", at) == shown


def test_a_pointer_into_a_long_text_shows_a_part_of_it() -> None:
    text = "".join(f"{number:04}" for number in range(1000))
    for at in (0, 3, 2000, 3999):
        shown, caret = pointer(text, at, 20).split("\n")
        assert shown in text
        assert len(shown) == 20
        assert text.index(shown) + caret.index("^") == at


def test_a_column_is_found_in_few_steps() -> None:
    asked = []

    def complaint(text: str) -> str:
        asked.append(text)
        return "bad" if "wrong" in text else ""

    assert column(complaint, "word " * 1000 + "wrong " + "word " * 1000, "bad") == 5000
    assert len(asked) <= 13
