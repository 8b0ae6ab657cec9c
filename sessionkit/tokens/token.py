"""`Token`: a credential that a service issued, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from sessionkit.errors import UnexpectedResponse
from sessionkit.secrets import register, sounds_secret

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, repr=False)
class Token:
    """A credential that a service issued.

        Token("eyJhbGciOi...", expires_at=time.time() + 3600)
        Token.from_response(response.json(), now=time.time())     # the answer of an OAuth token endpoint

    Attributes:
        value: What is sent; it shows in no repr, and logs are cleaned of it.
        expires_at: When it ends, in seconds since the epoch (UTC); None when nobody said.
        scheme: What stands before it in an Authorization header.
        extra: What else came with it and should be kept, as JSON types: a refresh token, a scope.
        issued_at: When it was received (seconds since the epoch, UTC). `TokenSource` fills it in.

    Two tokens are equal when everything but `extra` is. A token cannot be pickled: a process that needs it
    reads the store.
    """

    value: str
    expires_at: float | None = None
    scheme: str = "Bearer"
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)
    issued_at: float | None = None

    def __post_init__(self) -> None:
        register(self.value, self)
        for name, value in self.extra.items():
            if isinstance(value, str) and sounds_secret(name):
                register(value, self)

    def expired(self, now: float) -> bool:
        """Whether it has ended at `now` (seconds since the epoch, UTC)."""
        return self.expires_at is not None and now >= self.expires_at

    @property
    def lifetime(self) -> float:
        """Seconds from issue to end; infinite when either is unknown."""
        if self.expires_at is None or self.issued_at is None:
            return math.inf
        return self.expires_at - self.issued_at

    def to_json(self) -> dict[str, Any]:
        """What a store keeps; `from_json` reads it."""
        return {
            "value": self.value,
            "expires_at": self.expires_at,
            "scheme": self.scheme,
            "extra": dict(self.extra),
            "issued_at": self.issued_at,
        }

    @classmethod
    def from_json(cls, data: object) -> Self | None:
        """The token that `to_json` described; None when `data` is anything else, however odd."""
        if not isinstance(data, Mapping):
            return None
        value, scheme = _header_text(data.get("value")), _header_text(data.get("scheme", "Bearer"))
        expires_at, issued_at, extra = data.get("expires_at"), data.get("issued_at"), data.get("extra", {})
        if not (value and scheme and isinstance(extra, Mapping)):
            return None
        if not all(moment is None or _is_finite(moment) for moment in (expires_at, issued_at)):
            return None
        return cls(value, expires_at, scheme, dict(extra), issued_at)

    @classmethod
    def from_response(cls, payload: object, *, now: float) -> Self:
        """The token in the answer of an OAuth 2.0 token endpoint (RFC 6749, section 5.1).

        Args:
            payload: The decoded JSON: `access_token`, and perhaps `token_type`, `expires_in` (seconds, as a
                number or as digits). Everything else is kept in `extra`.
            now: Seconds since the epoch (UTC).

        Raises:
            UnexpectedResponse: there is no usable access token in it.
        """
        value = _header_text(payload.get("access_token")) if isinstance(payload, Mapping) else ""
        if not value or not isinstance(payload, Mapping):
            raise UnexpectedResponse(
                "the token endpoint answered without an access token",
                hint="check the token URL and the credentials",
            )
        rest = {
            str(name): value
            for name, value in payload.items()
            if name not in ("access_token", "token_type", "expires_in")
        }
        lasts = _seconds(payload.get("expires_in"))
        scheme = _header_text(payload.get("token_type")) or "Bearer"
        return cls(
            value,
            expires_at=None if lasts is None else now + lasts,
            scheme="Bearer" if scheme.lower() == "bearer" else scheme,
            extra=rest,
            issued_at=now,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***, expires_at={self.expires_at}, scheme={self.scheme!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Token cannot be pickled: share it between processes through a TokenStore")


def _header_text(value: object) -> str:
    """`value` if it can be sent in a header: text without the line breaks that would end it. Or ""."""
    return value if isinstance(value, str) and value.isprintable() else ""


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15


def _seconds(value: object) -> float | None:
    """`expires_in` as servers send it; None for what says nothing."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    return max(0.0, float(value)) if _is_finite(value) else None  # type: ignore[arg-type]  # checked by _is_finite
