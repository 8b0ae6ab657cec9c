"""Sleeping on an event loop, for `await session.serve()`. Imported only then: asyncio is not cheap."""

from __future__ import annotations

import asyncio

from sessionkit_redengine.waker import LONGEST_NAP


class LoopWaker:
    """Sleeps on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def wake(self) -> None:
        """End the sleep; from any thread."""
        self._loop.call_soon_threadsafe(self._event.set)

    async def sleep(self, seconds: float) -> None:
        """Wait that long, at most `LONGEST_NAP`, or until woken."""
        try:
            await asyncio.wait_for(self._event.wait(), min(seconds, LONGEST_NAP))
        except asyncio.TimeoutError:
            return
        finally:
            self._event.clear()
