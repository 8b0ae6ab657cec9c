"""Tokens in Redis, shared by processes on many machines; needs `sessionkit[redis]`."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sessionkit.clock import SYSTEM_CLOCK, Clock, Deadline
from sessionkit.errors import ConfigurationError, DeadlineExceeded
from sessionkit.secrets import redact_url
from sessionkit.tokens.store import is_unseen, waitable
from sessionkit.tokens.token import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis
    from redis.lock import Lock

    from sessionkit.tokens.store import Seen

logger = logging.getLogger(__name__)

_MAX_BYTES = 1 << 20
# Seconds that a token stays after its end: its refresh token may still be good.
_KEPT_AFTER_END = 30 * 24 * 3600
_POLL = 0.02


class RedisTokenStore:
    """Keeps tokens in Redis, as JSON under `<prefix><hash of the key>`.

        store = RedisTokenStore("rediss://:password@redis.example.test/0")

    A renewal holds a lock that names its owner and lapses after `lock_ttl` seconds; it is extended while the
    owner lives and holds it, so a long fetch keeps it and a killed process loses it. A Redis that cannot be
    reached is reported once, as a warning: each process then keeps its own token.

    Whoever reads that Redis reads the tokens: use a password, TLS (`rediss://`), and a database of its own.

    Args:
        url: redis://, rediss:// or unix://, as redis-py takes it.
        prefix: What the names of all entries begin with.
        lock_ttl: Seconds after which the lock of a dead process lapses.
        timeout: Seconds to wait for Redis itself.
        clock: The time; tests hand in one they turn.

    Raises:
        ConfigurationError: redis-py is not installed, or the URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "sessionkit:token:",
        lock_ttl: float = 10.0,
        timeout: float = 5.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._url = redact_url(url)
        self._client = _connect(url, timeout)
        self._prefix = prefix
        self._lock_ttl = lock_ttl
        self._clock = clock
        self._warned = False

    def load(self, key: str) -> Token | None:
        """The token kept under `key`; None when there is none, or Redis does not answer."""
        return _decoded(self._ask(lambda: self._client.get(self._name(key))))

    def save(self, key: str, token: Token, seen: Seen = ...) -> None:
        """Keep `token` until a month after its end, unless somebody else has kept one since `seen`."""
        content = json.dumps(token.to_json())
        lasts = None
        if token.expires_at is not None:
            lasts = max(1, int(token.expires_at - self._clock.time())) + _KEPT_AFTER_END
        self._ask(lambda: self._replace(self._name(key), seen, content, lasts))

    def remove(self, key: str) -> None:
        """Forget what is kept under `key`."""
        self._ask(lambda: self._client.delete(self._name(key)))

    @contextmanager
    def lock(self, key: str, deadline: Deadline) -> Iterator[None]:
        """Hold the right to renew `key` among all processes that use this Redis.

        Raises:
            DeadlineExceeded: somebody else has held it until `deadline`.
        """
        lock = self._client.lock(
            f"{self._name(key)}:lock", timeout=self._lock_ttl, sleep=_POLL, thread_local=False
        )
        wait = waitable(deadline.remaining())
        got = self._ask(lambda: lock.acquire(blocking_timeout=wait))
        if got is False:
            raise DeadlineExceeded(f"a token's lock in Redis was held for more than {deadline.seconds:g} s")
        if got is None:
            # Redis does not answer: renewing without a lock beats not renewing.
            yield
            return
        done = threading.Event()
        threading.Thread(
            target=self._extend, args=(lock, done), name="sessionkit-token-lock", daemon=True
        ).start()
        try:
            yield
        finally:
            done.set()
            self._ask(lock.release)

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._client.close()

    def __repr__(self) -> str:
        return f"RedisTokenStore({self._url!r})"

    def _replace(self, name: str, seen: Seen, content: str, lasts: int | None) -> None:
        from redis.exceptions import ResponseError, WatchError  # noqa: PLC0415 - see _connect

        kept = None
        with self._client.pipeline() as pipe, suppress(WatchError):  # who wrote in between has the newer one
            pipe.watch(name)  # type: ignore[no-untyped-call]  # redis-py has no types for it
            with suppress(ResponseError):  # an entry of another type is no token
                kept = _decoded(pipe.get(name))
            if not is_unseen(kept, seen):
                pipe.multi()
                pipe.set(name, content, ex=lasts)
                pipe.execute()

    def _extend(self, lock: Lock, done: threading.Event) -> None:
        """Keep the lock while its owner holds it; losing it costs a second fetch and nothing else."""
        while not done.wait(self._lock_ttl / 3):
            self._ask(lambda: lock.extend(self._lock_ttl, replace_ttl=True))

    def _name(self, key: str) -> str:
        return self._prefix + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

    def _ask(self, command: Callable[[], Any]) -> Any:
        """What Redis answers; None, and a warning the first time, when it does not."""
        from redis.exceptions import LockError, RedisError  # noqa: PLC0415 - see _connect

        try:
            return command()
        except LockError:
            logger.info("a token's lock in Redis lapsed while it was held")
        except (RedisError, OSError) as error:
            if not self._warned:
                self._warned = True
                logger.warning(
                    "%s does not answer, so each process may fetch a token of its own: %s", self._url, error
                )
        return None


def _decoded(content: object) -> Token | None:
    if not isinstance(content, bytes) or len(content) > _MAX_BYTES:
        return None
    try:
        return Token.from_json(json.loads(content))
    except (ValueError, RecursionError):
        return None


def _connect(url: str, timeout: float) -> Redis:
    try:
        # Imported here because redis-py is an extra, and costs 100 ms that only its users should pay.
        import redis  # noqa: PLC0415 - see above
    except ImportError:
        raise ConfigurationError(
            "tokens in Redis need redis-py", hint="pip install 'sessionkit[redis]'"
        ) from None
    try:
        return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{redact_url(url)} is not a Redis URL: {error}") from None
