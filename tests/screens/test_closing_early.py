"""A session that is closed while it is still attaching: what cancels is cancelled, nothing waits."""

import asyncio
from typing import Any

from tui.collectors.samples import Attached
from tui.screens.session import Session


async def test_a_session_that_cancels_does_not_wait() -> None:
    cancelled: list[bool] = []

    async def attaching() -> tuple[Any, Attached]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        raise AssertionError

    session: Session[Any] = Session(attaching(), cancels=True)
    await asyncio.sleep(0)
    await asyncio.wait_for(session.close(), 5)
    assert cancelled == [True]
