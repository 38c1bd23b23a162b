"""The last events: in the order in which they came, bounded, and with what was dropped in its place."""

from rich.cells import cell_len

from tests.screens.fakes import HOSTILE, LOOP, RECURSIVE, event, events_sample, function
from tui.screens.event_columns import COLUMNS, moment
from tui.screens.tail import KEPT, Tail, TailRow, call, thread, words
from tui.widgets.pieces import length, pieces_of


def test_in_the_order_in_which_they_came() -> None:
    tail = Tail()
    tail.take(events_sample(1, event(0.2), event(0.1, took=None, of=LOOP)))
    tail.take(events_sample(2, event(1.5)))
    assert [(row.number, round(row.at, 6)) for row in tail.rows] == [(0, 0.2), (1, 0.1), (2, 1.5)]
    assert [row.number for row in tail.since(1)] == [1, 2]
    assert tail.since(3) == []


def test_what_was_dropped_stands_where_it_was() -> None:
    tail = Tail()
    tail.take(events_sample(1, event(0.5)))
    tail.take(events_sample(2, event(1.5), dropped=7))
    tail.take(events_sample(3, dropped=7))
    tail.take(events_sample(4, event(3.5), dropped=9))
    assert [row.dropped for row in tail.rows] == [0, 0, 7, 0, 2]
    assert [row.event is None for row in tail.rows] == [False, False, True, False, True]


def test_old_ones_are_forgotten_and_counted() -> None:
    tail = Tail()
    tail.take(events_sample(1, *[event(0.5)] * (KEPT - 1), dropped=3))
    assert (len(tail.rows), tail.kept, tail.forgotten) == (KEPT, KEPT - 1, 0)
    tail.take(events_sample(2, *[event(1.5)] * (KEPT + 10)))
    assert (len(tail.rows), tail.forgotten, tail.total) == (KEPT, KEPT - 1 + 10, 2 * KEPT + 10)
    assert len(tail.since(5)) == KEPT
    assert len(tail.since(tail.total - 2)) == 2


def test_a_call_in_words() -> None:
    one = event(1, ("n", 3), ("name", "x"), ("p", None), gave=True)
    assert call(one) == 'main.fibonacciRecursive(n=3, name="x", p=unreadable) = true'
    assert call(event(1, of=LOOP)) == "main.fibonacciLoop()"
    several = one._replace(arguments=(), results=(("return0", 1), ("return1", False)))
    assert call(several) == "main.fibonacciRecursive() = 1, false"
    assert thread(one) == "2697"
    assert thread(event(1, goroutine=0xC000006380)) == "g c000006380"
    assert "n=3" in words(TailRow(0, 1.0, one))


def test_moments() -> None:
    assert moment(0) == "00:00.000"
    assert moment(83.1236) == "01:23.124"
    assert moment(59.9999) == "01:00.000"
    assert moment(3723.000001, 6) == "1:02:03.000001"


def cell(row: TailRow, width: int) -> str:
    column = next(column for column in COLUMNS if column.key == "call")
    pieces = pieces_of(column.cell(row, width))
    assert length(pieces) <= max(width, 20)
    return "".join(text for text, _ in pieces)


def test_results_are_seen_where_there_is_no_room_for_all_arguments() -> None:
    long = function(f"void {HOSTILE[4] * 9}::draw(std::vector<int> const&) const", 1)
    row = TailRow(0, 1.0, event(1, *((f"argument{at}", at) for at in range(9)), of=long, gave=-1))
    for width in (28, 40, 80, 120):
        said = cell(row, width)
        assert said.endswith(") = -1")
        assert said.startswith("void 日")
        assert "…" in said
        assert cell_len(said) <= width
    assert cell(row, 400) == call(event(1, *((f"argument{at}", at) for at in range(9)), of=long, gave=-1))
    much = TailRow(0, 1.0, event(1, ("n", 1), of=RECURSIVE, gave="x" * 200))
    assert cell(much, 300).startswith("main.fibonacciRecursive(n=1) = ")


def test_what_is_cut_says_so_wherever_the_cut_falls() -> None:
    row = TailRow(0, 1.0, event(1, ("first", 1), ("second", 2), of=LOOP, gave=3))
    whole = "main.fibonacciLoop(first=1, second=2) = 3"
    for width in range(24, len(whole)):
        assert "…) = 3" in cell(row, width)
    assert cell(row, len(whole)) == whole
