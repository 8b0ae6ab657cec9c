"""What every resource of Managed DNS has in common: its session, its way to ask, and doubt about answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import UnexpectedResponse
from sessionkit_dyn import errors
from sessionkit_dyn.session import DynectSession

if TYPE_CHECKING:
    from collections.abc import Mapping


class Resource:
    """Something at the service, asked for by the session it was given, else by the current one.

    Args:
        session: The session to use; None looks for the current one at each call.
    """

    __slots__ = ("_given",)

    def __init__(self, session: DynectSession | None = None) -> None:
        self._given = session

    @property
    def session(self) -> DynectSession:
        """The session of the next call.

        Raises:
            NoCurrentSession: none was given, and none is current here.
        """
        return DynectSession.current() if self._given is None else self._given


def ask(
    session: DynectSession | None,
    method: str,
    uri: str,
    args: Mapping[str, Any] | None = None,
    *,
    timeout: float | None = None,
) -> Any:
    """The data of the answer to a call, by `session` or the current one."""
    session = DynectSession.current() if session is None else session
    return session.execute(uri, method, args, timeout=timeout)["data"]


def mapping(data: Any, what: str) -> dict[str, Any]:
    """`data` if it is an object, as it must be.

    Raises:
        DynectGetError: it is not (also an `UnexpectedResponse`).
    """
    if isinstance(data, dict):
        return data
    raise odd(what, "an object", data)


def rows(data: Any, what: str) -> list[dict[str, Any]]:
    """`data` if it is a list of objects, as it must be.

    Raises:
        DynectGetError: it is not (also an `UnexpectedResponse`).
    """
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return data
    raise odd(what, "a list of objects", data)


def texts(data: Any, what: str) -> list[str]:
    """`data` if it is a list of texts, as it must be.

    Raises:
        DynectGetError: it is not (also an `UnexpectedResponse`).
    """
    if isinstance(data, list) and all(isinstance(row, str) for row in data):
        return data
    raise odd(what, "a list of texts", data)


def odd(what: str, expected: str, got: Any) -> errors.DynectError:
    """The error of an answer of another shape than promised."""
    return errors.both(errors.DynectGetError, UnexpectedResponse)(
        f"{what}: expected {expected}, got {type(got).__name__}"
    )


def plain_name(name: str) -> str:
    """A domain name without its trailing dot; the root stays ".".

    Raises:
        DynectInvalidArgumentError: when it is empty or no text.
    """
    if not isinstance(name, str) or not name.strip():
        raise errors.DynectInvalidArgumentError("name", name, problem="must be a domain name")
    return name.strip().rstrip(".") or "."


def below(name: str | None, zone: str) -> str:
    """The full name of `name` in `zone`; None and "" are the zone's own.

    >>> below("www", "example.test")
    'www.example.test'
    >>> below("www.example.test.", "example.test")
    'www.example.test'
    """
    if not name:
        return zone
    plain = plain_name(name)
    low, apex = plain.lower(), zone.lower()
    return plain if low == apex or low.endswith(f".{apex}") else f"{plain}.{zone}"
