"""Answering the server's web pages when they ask where on this machine a component is."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Final

from sessionkit_review.errors import AccessorError, LocationError
from sessionkit_review.locations.location import Location

if TYPE_CHECKING:
    from sessionkit.events import Event
    from sessionkit_review.session import ReviewSession

REQUEST: Final = "ftrack.location.request-resolve"


def answer_requests(session: ReviewSession) -> str:
    """Tell the web pages of a session's user where components are on this machine; the subscriber's id.

    A page asks with `componentId`, `locationName` (None for any) and `platform`, and is answered with `path`.
    There is no answer for what is nowhere to be had as a file, nor for other platforms than this one.

    >>> answer_requests(session); session.event_hub.connect(); session.event_hub.run_in_thread()
    """

    def answer(event: Event) -> dict[str, str] | None:
        return _answer(session, event["data"])

    mine = f'source.user.username="{session.api_user}"'
    return session.event_hub.subscribe(f"topic={REQUEST} and {mine}", answer)


def _answer(session: ReviewSession, asked: Any) -> dict[str, str] | None:
    if not isinstance(asked, dict):
        return None  # events come from anybody
    identifier, name = asked.get("componentId"), asked.get("locationName")
    if not isinstance(identifier, str) or str(asked.get("platform")).lower() != platform.system().lower():
        return None
    component = session.get("Component", identifier)
    if component is None:
        return None
    location = session.pick_location(component) if name is None else _named(session, name)
    try:
        return None if location is None else {"path": location.get_filesystem_path(component)}
    except (LocationError, AccessorError):
        return None


def _named(session: ReviewSession, name: Any) -> Location | None:
    found = session.select("Location").where(name=str(name)).first()
    return found if isinstance(found, Location) else None
