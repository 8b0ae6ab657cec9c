"""The part of an answer that a caller wants, or an error that says what came instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.http.status import unexpected

if TYPE_CHECKING:
    from sessionkit.errors import UnexpectedResponse
    from sessionkit.outcome import Exchange


def picked(exchange: Exchange, field: str, kind: type | tuple[type, ...]) -> Any:
    """What stands at `field` of a finished call's result.

    Args:
        exchange: The call.
        field: Keys joined by dots; "" for the result itself.
        kind: What it must be; `object` for anything.

    Raises:
        UnexpectedResponse: it is not there, or something else.
    """
    value = exchange.result
    for key in field.split(".") if field else ():
        if not isinstance(value, dict) or key not in value:
            raise _unlike(exchange, f"the answer holds no {field!r}")
        value = value[key]
    # To Python true is a number, to a service it is none.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        place = f"{field!r} is" if field else "the answer is"
        raise _unlike(exchange, f"{place} {_described(value)}, not of type {_named(kind)}")
    return value


def _unlike(exchange: Exchange, what: str) -> UnexpectedResponse:
    error = unexpected(exchange.response, what)
    error.attempts = tuple(exchange.attempts)
    return error


def _described(value: Any) -> str:
    return "nothing" if value is None else f"of type {type(value).__name__}"


def _named(kind: type | tuple[type, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join(each.__name__ for each in kinds)
