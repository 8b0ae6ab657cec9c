"""What a session did lately, for a person to read: secrets removed, bounded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sessionkit import secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit.outcome import Attempt

_HIDDEN: Final = "***"
_WORDS: Final = ("password", "secret", "token", "apikey", "api_key", "credential")


class HistoryEntry(NamedTuple):
    """One call.

    Attributes:
        at: When it began, ISO 8601 in UTC.
        uri: What was asked for.
        method: How.
        args: With what, secrets removed.
        status: The HTTP status, or the error's name.
        elapsed: Seconds it took as a whole.
        attempts: How often it was sent.
    """

    at: str
    uri: str
    method: str
    args: Any
    status: int | str
    elapsed: float
    attempts: int


def entry(
    call: Any, attempts: Sequence[Attempt], status: int | str, elapsed: float, now: float
) -> HistoryEntry:
    """The entry of a finished call."""
    at = datetime.fromtimestamp(now - elapsed, timezone.utc).isoformat(timespec="milliseconds")
    uri = secrets.redact_url(call.uri)
    return HistoryEntry(at, uri, call.method, without_secrets(call.args), status, elapsed, len(attempts))


def without_secrets(value: Any) -> Any:
    """`value` with registered secrets, and whatever stands under a key that is named like one, hidden."""
    if isinstance(value, Mapping):
        return {
            key: _HIDDEN if any(word in str(key).lower() for word in _WORDS) else without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [without_secrets(item) for item in value]
    if isinstance(value, bytes):
        return secrets.redact(value.decode("utf-8", "replace"))
    return secrets.redact(value) if isinstance(value, str) else value
