"""What holds on to something of the kernel's until it is closed: the base of all context managers here."""

from types import TracebackType
from typing import Self


class Owner:
    """Leaving it, by any way, closes it; closing twice is harmless."""

    def close(self) -> None:
        """Gives everything back."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
