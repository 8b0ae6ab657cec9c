"""What a place that keeps tokens must be able to do."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import EllipsisType

    from sessionkit.clock import Deadline
    from sessionkit.tokens.token import Token


Seen: TypeAlias = "Token | EllipsisType | None"
"""What a store was seen to keep: a token, or nothing (None); `...` when nobody has looked."""


class TokenStore(Protocol):
    """A place that keeps tokens between calls, threads, processes or machines.

    A store never makes a session fail: what it cannot read is "no token", what it cannot write is reported
    once as a warning, and the session goes on with the token it has in memory. Keys are any text; a store
    that makes file names or the like of them hashes them first.
    """

    def load(self, key: str) -> Token | None:
        """The token kept under `key`, expired or not; None when there is none that makes sense."""

    def save(self, key: str, token: Token, seen: Seen = ...) -> None:
        """Keep `token` under `key`; others see the old one or the new one, and never half of either.

        Args:
            key: What to keep it under.
            token: What to keep.
            seen: What was kept, or None, when `token` was asked for: a token that somebody else has kept
                since then stays, because it may be the newer one. Without it, any is replaced.
        """

    def remove(self, key: str) -> None:
        """Forget what is kept under `key`, if anything."""

    def lock(self, key: str, deadline: Deadline) -> AbstractContextManager[None]:
        """Hold the right to renew `key`; the holder's death gives it back.

        Raises:
            DeadlineExceeded: somebody else has held it until `deadline`.
        """


def token_key(*parts: str) -> str:
    """A store key for an identity: the same parts give the same key, in every process and for ever.

    >>> token_key("weather", "ann", "https://a.test") == token_key("weather", "ann", "https://b.test")
    False

    Name everything that makes a token another token: the service, its base URL, the principal, the scope.
    """
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_unseen(kept: Token | None, seen: Seen) -> bool:
    """Whether `kept` is a token that came after the look at the store that found `seen`."""
    return kept is not None and seen is not ... and kept != seen


def waitable(seconds: float) -> float:
    """`seconds` as threading's waits take them: not negative, not beyond what the platform can count."""
    return min(max(0.0, seconds), threading.TIMEOUT_MAX)
