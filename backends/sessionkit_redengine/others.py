"""What happens outside: other schedulers on the same history, and wishes from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit_redengine.errors import HistoryError
from sessionkit_redengine.waker import LONGEST_NAP

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.doorbell import Doorbell
    from sessionkit_redengine.engine import Session


class Others:
    """Looks into a shared history when its doorbell rings, and every ten seconds. Costs nothing otherwise."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._bell: Doorbell | None = None
        self._where = ""
        self._ring: Callable[[str], int] | None = None
        self._looked = float("-inf")
        self._there = False

    def open(self) -> None:
        """Begin to listen, when the scheduler starts."""
        history = self._session.history
        self._where = getattr(history, "where", "")
        if history.shared and self._where and "://" not in self._where:
            from sessionkit_redengine import doorbell  # noqa: PLC0415 - sockets, which few schedulers need

            self._ring = doorbell.ring
            self._bell = doorbell.Doorbell(self._where, self.look_again)
        self._looked = float("-inf")

    def close(self) -> None:
        """Listen no more."""
        if self._bell is not None:
            self._bell.close()
            self._bell = self._ring = None

    def tell(self) -> None:
        """Wake the other schedulers, if there are any: a run has ended."""
        if self._there and self._ring is not None:
            self._ring(self._where)

    def look_again(self) -> None:
        """Look at once, because another scheduler has done something; from any thread."""
        self._session.scheduler.post(self._look_now)

    def look(self, now: float) -> None:
        """Look, if it is time to."""
        if self._session.history.shared and not 0 <= now - self._looked < LONGEST_NAP:
            self._looked = now
            self._look_now()

    def _look_now(self) -> None:
        session = self._session
        try:
            orders = session.history.orders(session.name)
            paused = session.history.paused(session.name)
            self._there = session.history.others(session.clock.time())
            session.record.take_over()
            for order, name in orders.items():
                if name not in session and session.history.drop_order(order):
                    session.report(f"somebody wants task {name!r} to run, which does not exist")
        except HistoryError as error:
            session.report(f"the shared history cannot be read: {error}")
            return
        planner = session.scheduler.planner
        planner.obey(orders)
        changed = planner.paused ^ paused
        planner.paused = paused
        for name in changed:
            if name in session:
                planner.plan(session[name])
