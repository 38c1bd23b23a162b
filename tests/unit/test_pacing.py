"""How often is read what takes long to read."""

import pytest

from tui.collectors.pacing import Taken, every, timed


@pytest.mark.parametrize(
    ("taken", "seconds"),
    [
        (Taken(0.001, 0.001), 1.0),
        (Taken(0.12, 0.15), 4.0),
        (Taken(0.001, 2.5), 2.5),  # others run, or the kernel waits
    ],
)
def test_reading_takes_at_most_its_share(taken: Taken, seconds: float) -> None:
    assert every(1.0, taken) == pytest.approx(seconds)


def test_what_reading_gives_and_takes() -> None:
    found, taken = timed(sum, range(1_000_000))
    assert found == 499_999_500_000
    assert taken.cpu > 0
    assert taken.wall > 0
