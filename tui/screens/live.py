"""What the screens have in common that follow readings: pause, and how often is read."""

from tui.screens.base import ConsoleScreen, quicker, slower


class LiveScreen(ConsoleScreen):
    """Readings come every `interval` seconds; while it is paused they are taken, but not shown."""

    def __init__(self) -> None:
        super().__init__()
        self.interval = 1.0
        self.paused = False

    def start(self) -> None:
        """Read, from now on at this interval."""
        raise NotImplementedError

    def show_latest(self) -> None:
        """Paint the last reading, or that it is paused."""
        self.filtered()

    def action_pause(self) -> None:
        """Stop painting, or go on with the last reading."""
        self.paused = not self.paused
        self.show_latest()

    def action_faster(self) -> None:
        """Read more often."""
        self._set_interval(quicker(self.interval))

    def action_slower(self) -> None:
        """Read less often."""
        self._set_interval(slower(self.interval))

    def _set_interval(self, interval: float) -> None:
        if interval != self.interval:
            self.interval = interval
            self.start()
        self.show_state()
