"""Users: their time, their keys, their invitations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sessionkit_review.entity import Entity
from sessionkit_review.errors import DuplicateEntryError, NoResultFound, NotUnique
from sessionkit_review.values import UTC

if TYPE_CHECKING:
    from collections.abc import Mapping


class User(Entity):
    """A user."""

    __slots__ = ()

    def send_invite(self) -> None:
        """Have the server invite the user by email."""
        self.session.send_user_invite(self)

    def reset_api_key(self) -> str:
        """Have the server give the user another API key, which is returned; the old one ends."""
        answer: Mapping[str, Any] = self.session.reset_remote("api_key", self)
        return str(answer["api_key"])

    def start_timer(
        self,
        context: Entity | None = None,
        comment: str = "",
        name: str | None = None,
        force: bool = False,
    ) -> Entity:
        """Start the user's timer and commit; there is one per user.

        Args:
            context: What the user works on.
            comment: Goes into the time log.
            name: What is worked on, where there is no `context`.
            force: Stop the timer that runs, if one does.

        Raises:
            NotUnique: when one runs already.
        """
        session = self.session
        if force and session.select("Timer").where(user_id=self["id"]).first() is not None:
            self.stop_timer()
        timer = session.create(
            "Timer", {"user": self, "context": context, "name": name, "comment": comment, "start": now()}
        )
        try:
            session.commit()
        except DuplicateEntryError as error:
            session.unit.withdraw(timer)
            raise NotUnique(
                f"a timer of {self['username']} runs already", hint="stop it, or pass force=True"
            ) from error
        return timer

    def stop_timer(self) -> Entity:
        """Stop the user's timer, log the time and commit; the time log.

        Raises:
            NoResultFound: when none runs.
        """
        session = self.session
        wanted = ("start", "context_id", "comment", "name")
        timer = session.select("Timer", *wanted).where(user_id=self["id"]).first()
        if timer is None:
            raise NoResultFound(f"no timer of {self['username']} runs", hint="start_timer() starts one")
        data = {name: timer[name] for name in ("context_id", "comment", "name", "start")}
        seconds = int((now() - timer["start"]).total_seconds())
        log = session.create("Timelog", {**data, "user_id": self["id"], "duration": max(0, seconds)})
        session.delete(timer)
        session.commit()
        return log


def now() -> datetime:
    """This moment, in whole seconds, as the server keeps them."""
    return datetime.now(UTC).replace(microsecond=0)
