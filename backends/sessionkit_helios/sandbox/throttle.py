"""How often a client may ask."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sessionkit_helios.sandbox.errors import ApiError

if TYPE_CHECKING:
    from sessionkit.clock import Clock


class Throttle:
    """At most `limit` requests of one client in each `per` seconds; 0 means any number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit = 0
        self._per = 1.0
        self._windows: dict[str, tuple[float, int]] = {}

    def set(self, limit: int, per: float) -> None:
        """Change the rate, from now on."""
        self._limit, self._per = limit, per
        self._windows.clear()

    def enter(self, client: str) -> None:
        """Count a request.

        Raises:
            ApiError: 429 with Retry-After when there were too many.
        """
        if not self._limit:
            return
        now = self._clock.monotonic()
        began, count = self._windows.get(client, (now, 0))
        if now - began >= self._per:
            began, count = now, 0
        if count >= self._limit:
            wait = math.ceil(began + self._per - now)
            raise ApiError(
                429, f"Too many requests: {self._limit} in {self._per:g} s.", {"Retry-After": str(wait)}
            )
        self._windows[client] = (began, count + 1)
