"""Tokens in one file, shared by all processes of a user on a machine."""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import contextmanager, suppress
from itertools import product
from typing import TYPE_CHECKING

from sessionkit.clock import SYSTEM_CLOCK, Clock, Deadline
from sessionkit.errors import DeadlineExceeded
from sessionkit.files import is_temporary, replacing
from sessionkit.paths import expanded
from sessionkit.tokens import document
from sessionkit.tokens.store import is_unseen, waitable

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sessionkit.tokens.store import Seen
    from sessionkit.tokens.token import Token

    Reader = Callable[[bytes], Token | None]

logger = logging.getLogger(__name__)

# Seconds between two looks at a lock that somebody else holds.
_POLL = 0.02
# Seconds to wait for another process to finish writing, which takes it milliseconds.
_WRITE_TIMEOUT = 5.0
# A temporary file this old (seconds) was left by a process that was killed.
_LEFTOVER_AGE = 60.0


class FileTokenStore:
    """Keeps tokens in one JSON file that only its user can read.

        store = FileTokenStore("~/.cache/weather/tokens.json")

    The file is replaced as a whole, never written in place: whoever reads it, and whoever is killed at any
    moment, sees the old content or the new. It has mode 0600 from its first byte; a directory made for it
    has mode 0700. Beside it lie small lock files: one for writing, and one for each identity, held for as
    long as that identity's token is being renewed. The operating system frees a dead process's lock.

    Content that makes no sense (empty, cut short, foreign, too large, a directory, another user's file) is
    "no token", and the next token saved replaces it. Where nothing can be written or locked, a warning is
    logged once, and the process keeps its token in memory at least.

    The tokens are not encrypted: a key that lies beside the file would protect nothing. Locks need a file
    system that has them: on an NFS without locks, processes fetch a token each, and otherwise work.

    Args:
        path: The file; "~" is the user's home.
        readers: Understand the formats of earlier clients: each gets the content as bytes and returns a
            `Token` or None. They are tried in order on content that is not ours, for whatever key is asked.
        legacy: Files of earlier clients, which `readers` understand. Looked into when `path` has no token;
            never written.
        clock: The time; tests hand in one they turn.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        readers: Sequence[Reader] = (),
        legacy: Sequence[str | os.PathLike[str]] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.path = expanded(path)
        self.legacy = tuple(map(expanded, legacy))
        self.readers = tuple(readers)
        self._clock = clock
        self._warned = False

    def load(self, key: str) -> Token | None:
        """The token kept under `key`, or what an earlier client left; None when neither makes sense."""
        content = document.read_bytes(self.path)
        tokens = document.decode(content)
        if tokens is not None:
            token = tokens.get(_entry(key))
            return token if token is not None else self._foreign(*map(document.read_bytes, self.legacy))
        return self._foreign(content, *map(document.read_bytes, self.legacy))

    def save(self, key: str, token: Token, seen: Seen = ...) -> None:
        """Keep `token` under `key`, unless somebody else has kept one since `seen`.

        A warning is logged, once, when nothing can be kept.
        """
        self._change(_entry(key), token, seen)

    def remove(self, key: str) -> None:
        """Forget what is kept under `key`; nothing is written when there is nothing to forget."""
        tokens = document.decode(document.read_bytes(self.path))
        if tokens is not None and _entry(key) in tokens:
            self._change(_entry(key), None)

    @contextmanager
    def lock(self, key: str, deadline: Deadline) -> Iterator[None]:
        """Hold the right to renew `key` among all processes that use this file.

        Raises:
            DeadlineExceeded: somebody else has held it until `deadline`.
        """
        with self._locked(f".{_entry(key)[:16]}.lock", deadline):
            yield

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"

    def _foreign(self, *contents: bytes | None) -> Token | None:
        """The token that a reader finds in one of these contents."""
        for content, reader in product(filter(None, contents), self.readers):
            with suppress(Exception):  # the content is anybody's, and a reader that fails has found nothing
                token = reader(content)
                if token is not None:
                    return token
        return None

    @contextmanager
    def _locked(self, suffix: str, deadline: Deadline) -> Iterator[None]:
        # Imported here because it takes 10 ms, which only those who keep tokens in a file should pay.
        import filelock  # noqa: PLC0415 - see above

        # Not the library's fallback on a file's mere existence: a killed holder would leave it for ever.
        lock = filelock.FileLock(f"{self.path}{suffix}", mode=0o600, fallback_to_soft=False)
        try:
            _make_directory(self.path.parent)
            lock.acquire(timeout=waitable(deadline.remaining()), poll_interval=_POLL)
        except filelock.Timeout:
            raise DeadlineExceeded(f"{lock.lock_file} was held by another process") from None
        except (OSError, ValueError) as error:
            self._warn(error)
        try:
            yield
        finally:
            lock.release()

    def _change(self, entry: str, token: Token | None, seen: Seen = ...) -> None:
        try:
            with self._locked(".lock", Deadline.after(_WRITE_TIMEOUT)):
                tokens = document.decode(document.read_bytes(self.path)) or {}
                if is_unseen(tokens.pop(entry, None), seen):
                    return
                tokens = document.pruned(tokens, self._clock.time())
                if token is not None:
                    tokens[entry] = token
                self._sweep()
                with replacing(self.path, 0o600) as file:
                    file.write(document.encode(tokens))
        except (OSError, ValueError, DeadlineExceeded) as error:
            self._warn(error)

    def _sweep(self) -> None:
        """Remove temporary files of processes that were killed while writing."""
        for other in self.path.parent.iterdir():
            with suppress(OSError):
                if is_temporary(self.path, other) and time.time() - other.lstat().st_mtime > _LEFTOVER_AGE:
                    other.unlink()

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "%s cannot be locked or written, so each process may fetch a token of its own: %s",
                self.path,
                error,
            )


def _entry(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _make_directory(path: Path) -> None:
    """Make `path` and what is missing above it, readable by the user alone; what exists stays as it is."""
    if not path.exists():
        _make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
