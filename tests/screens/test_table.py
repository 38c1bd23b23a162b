"""The table itself: huge lists, and that only what changed is painted."""

import time

from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.geometry import Region

from tui.widgets.columns import Column, Sort
from tui.widgets.table import Table
from tui.widgets.theme import THEME

Row = tuple[int, str]
COLUMNS = (
    Column[Row]("number", "NUMBER", 8, lambda row, _: str(row[0]), lambda row: row[0], right=True),
    Column[Row]("name", "NAME", 10, lambda row, _: row[1], lambda row: row[1], flexible=True),
)


class Console(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.register_theme(THEME)
        self.theme = THEME.name

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, lambda row: row[0], Sort("number", False))

    @property
    def table(self) -> Table[Row]:
        return self.query_one(Table)


def line(table: Table[Row], y: int) -> str:
    return "".join(segment.text for segment in table.render_line(y))


async def test_two_hundred_thousand_rows() -> None:
    rows = [(number, f"main.function{number}") for number in range(200_000)]
    async with Console().run_test(size=(160, 50)) as pilot:
        table = pilot.app.query_one(Table)
        started = time.process_time()
        table.show(rows)
        assert time.process_time() - started < 0.25  # about 0.03 s on an idle machine
        await pilot.pause()
        await pilot.press("end", "up")
        assert table.row == rows[-2]
        assert any(line(table, y).split() == ["▌", "199998", "main.function199998"] for y in range(1, 50))
        started = time.process_time()
        for _ in range(10):
            table.action_page(-1)
        assert (time.process_time() - started) / 10 < 0.03
        await pilot.press("home")
        assert table.scroll_y == 0


async def test_the_end_is_seen_before_there_is_a_scroll_bar() -> None:
    rows = [(number, f"main.function{number}") for number in range(400)]
    async with Console().run_test(size=(60, 20)) as pilot:
        table = pilot.app.query_one(Table)
        table.show(rows[:4])
        await pilot.pause()
        table.show(rows)
        table.action_end()
        assert line(table, 19).split() == ["▌", "399", "main.function399"]


async def test_paints_only_lines_that_changed() -> None:
    rows = [(number, "same") for number in range(100)]
    async with Console().run_test(size=(60, 20)) as pilot:
        table = pilot.app.query_one(Table)
        table.show(rows)
        await pilot.pause()
        painted: list[Region] = []
        refresh = table.refresh

        def spy(*regions: Region, **options: bool) -> Table[Row]:
            painted.extend(regions)
            return refresh(*regions, **options)

        table.refresh = spy  # type: ignore[method-assign]
        table.show(list(rows))
        assert painted == []
        changed = [(number, "other" if number in (3, 80) else "same") for number in range(100)]
        table.show(changed)
        assert [region.y for region in painted] == [4]


async def test_wheel_and_wide_characters() -> None:
    rows = [(number, "日本語" * number) for number in range(60)]
    async with Console().run_test(size=(40, 12)) as pilot:
        table = pilot.app.query_one(Table)
        table.show(rows)
        await pilot.pause()
        assert all(table.render_line(y).cell_length == table.size.width for y in range(12))
        await pilot._post_mouse_events([MouseScrollDown], widget=table)
        await pilot.pause()
        assert table.scroll_y > 0
        assert table.cursor == 0
        await pilot.press("down")
        assert table.scroll_y <= 1
