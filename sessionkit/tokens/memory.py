"""Tokens in this process's memory."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sessionkit import fork
from sessionkit.errors import DeadlineExceeded
from sessionkit.tokens.store import is_unseen, waitable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.clock import Deadline
    from sessionkit.tokens.store import Seen
    from sessionkit.tokens.token import Token


class MemoryTokenStore:
    """Keeps tokens for as long as it lives; sources that share it share their tokens.

    A forked child starts with the tokens its parent had.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._saving = threading.Lock()
        fork.aware(self)

    def after_fork_in_child(self) -> None:
        """Forget locks that threads of the parent may have held."""
        self._locks = {}
        self._saving = threading.Lock()

    def load(self, key: str) -> Token | None:
        """The token kept under `key`, or None."""
        return self._tokens.get(key)

    def save(self, key: str, token: Token, seen: Seen = ...) -> None:
        """Keep `token` under `key`, unless somebody else has kept one since `seen`."""
        with self._saving:
            if not is_unseen(self._tokens.get(key), seen):
                self._tokens[key] = token

    def remove(self, key: str) -> None:
        """Forget what is kept under `key`."""
        self._tokens.pop(key, None)

    @contextmanager
    def lock(self, key: str, deadline: Deadline) -> Iterator[None]:
        """Hold the right to renew `key`."""
        lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=waitable(deadline.remaining())):
            raise DeadlineExceeded(f"somebody else renewed the token for more than {deadline.seconds:g} s")
        try:
            yield
        finally:
            lock.release()

    def __repr__(self) -> str:
        return f"<MemoryTokenStore of {len(self._tokens)}>"
