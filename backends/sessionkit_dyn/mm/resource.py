"""What every resource of Message Management has in common: its session, and doubt about answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit_dyn.mm.errors import EmailUnexpectedError
from sessionkit_dyn.mm.session import MMSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE: Final = 25
"""How many entries the service lists at a time."""


class Resource:
    """Something of Message Management, asked for by the session it was given, else by the current one."""

    __slots__ = ("_given",)

    def __init__(self, session: MMSession | None = None) -> None:
        self._given = session

    @property
    def session(self) -> MMSession:
        """The session of the next call.

        Raises:
            NoCurrentSession: none was given, and none is current here.
        """
        return MMSession.current() if self._given is None else self._given


def ask(session: MMSession | None, method: str, uri: str, **args: Any) -> Any:
    """The data of the answer to a call, by `session` or the current one."""
    return (MMSession.current() if session is None else session).execute(uri, method, args)


def mapping(data: Any, what: str) -> dict[str, Any]:
    """`data` if it is an object, as it must be.

    Raises:
        EmailUnexpectedError: it is not.
    """
    if isinstance(data, dict):
        return data
    raise EmailUnexpectedError(f"{what}: expected an object, got {type(data).__name__}")


def listed(data: Any, name: str) -> list[dict[str, Any]]:
    """The list of objects called `name` in `data`, as it must be.

    Raises:
        EmailUnexpectedError: there is none.
    """
    found = mapping(data, name).get(name)
    if isinstance(found, list) and all(isinstance(row, dict) for row in found):
        return found
    raise EmailUnexpectedError(f"{name}: expected a list of objects, got {type(found).__name__}")


def pages(
    session: MMSession | None, uri: str, name: str, args: Mapping[str, Any], start: int
) -> Iterator[dict[str, Any]]:
    """Every entry from number `start`, asked for page by page as they are used."""
    while True:
        page = listed(ask(session, "GET", uri, **{**args, "startindex": start}), name)
        yield from page
        if len(page) < PAGE:
            return
        start += len(page)
