"""The cache that many machines share."""

from __future__ import annotations

import contextlib
import re
import uuid
from typing import TYPE_CHECKING, Any

from sessionkit.cache.base import Cache, check_bounds, matcher
from sessionkit.errors import CacheError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from sessionkit.cache.base import Key, Which

_BATCH = 500


class RedisCache(Cache):
    """Text and bytes in Redis; for other values put a `SerialisedCache` around it. Needs `sessionkit[redis]`.

    Args:
        url: Where Redis is: `redis://`, `rediss://` or `unix://`. Credentials in it appear nowhere else.
        prefix: What all keys there begin with, so that others may use the same database.
        ttl: Seconds after which Redis forgets a value. None: as long as its own limits allow.
        timeout: Seconds to wait for a connection, and for each answer.

    Using it may raise `CacheError`: Redis cannot be reached, is full, or refuses.

    >>> cache = RedisCache("redis://cache.example.test/0", ttl=3600)                      # doctest: +SKIP
    """

    def __init__(
        self, url: str, *, prefix: str = "sessionkit:cache:", ttl: float | None = None, timeout: float = 5.0
    ) -> None:
        check_bounds(ttl=ttl)
        self._prefix = prefix.encode()
        self._milliseconds = None if ttl is None else max(1, round(ttl * 1000))
        self._client = _client(url, timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(prefix={self._prefix.decode()!r})"

    def get(self, key: Key) -> str | bytes:
        """The value kept for `key`; KeyError when there is none."""
        with _errors():
            raw = self._client.get(self._outside(key))
        return _value(key, raw)

    def set(self, key: Key, value: Any) -> None:
        """Keep `value`, text or bytes, for `key`.

        Raises:
            TypeError: when `value` is neither.
        """
        raw = _raw(value)
        with _errors():
            self._client.set(self._outside(key), raw, px=self._milliseconds)

    def epoch(self) -> bytes:
        """A text in Redis that changes with every `advance()` of anybody."""
        with _errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.set(self._prefix + _EPOCH, uuid.uuid4().hex, nx=True)  # lost or not there yet: a new one
            pipe.get(self._prefix + _EPOCH)
            return bytes(pipe.execute()[1])

    def advance(self) -> None:
        """Begin another epoch, for all who use this Redis with this prefix."""
        with _errors():
            self._client.set(self._prefix + _EPOCH, uuid.uuid4().hex)

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Keep `value`, text or bytes, for `key` unless `epoch` is over."""
        raw = _raw(value)
        import redis  # noqa: PLC0415 -- there is a client, so it has been imported

        with _errors(), self._client.pipeline(transaction=True) as pipe:
            try:
                pipe.watch(self._prefix + _EPOCH)  # type: ignore[no-untyped-call]  # redis-py has it so
                if pipe.get(self._prefix + _EPOCH) != epoch:
                    return False
                pipe.multi()
                pipe.set(self._outside(key), raw, px=self._milliseconds)
                pipe.execute()
            except redis.WatchError:
                return False
        return True

    def remove(self, key: Key) -> str | bytes:
        """Take the value out, and return it; KeyError when there is none."""
        with _errors(), self._client.pipeline(transaction=True) as pipe:
            name = self._outside(key)
            pipe.get(name)
            pipe.delete(name)
            raw, _ = pipe.execute()
        return _value(key, raw)

    def keys(self) -> list[Key]:
        """The keys at this moment, in no order."""
        with _errors():
            # A set: while it grows or shrinks, Redis may name a key twice.
            names = set(self._client.scan_iter(match=_literal(self._prefix) + b"*", count=_BATCH))
        length = len(self._prefix)
        return [_untagged(name[length:]) for name in names if name[length : length + 1] in _TAGS]

    def clear(self, pattern: Which | None = None) -> None:
        """Remove the keys in which the regular expression `pattern` is found; without one, all of ours."""
        names = [self._outside(key) for key in filter(matcher(pattern), self.keys())]
        with _errors():
            for start in range(0, len(names), _BATCH):
                self._client.delete(*names[start : start + _BATCH])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _outside(self, key: Key) -> bytes:
        return self._prefix + _tagged(key)


def _client(url: str, timeout: float) -> Redis:
    try:
        import redis  # noqa: PLC0415 -- an extra, and 100 ms of import
    except ImportError as error:
        raise ConfigurationError(
            "The redis library is missing.", hint="pip install 'sessionkit[redis]'"
        ) from error
    try:
        return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)
    except ValueError as error:
        raise ConfigurationError(
            "This is no address of a Redis server.",
            hint="redis://host:port/number, rediss://... or unix://path",
        ) from error


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Say what went wrong with Redis in our own words: its errors may quote the address."""
    import redis  # noqa: PLC0415 -- there is a client, so it has been imported

    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise CacheError(
            f"Redis did not do what the cache asked ({type(error).__name__}).",
            hint="Is it running, reachable and not full?",
        ) from error


# Redis knows bytes only: a first letter tells what they were here.


_TAGS = (b"t", b"b")
_EPOCH = b"epoch"


def _raw(value: Any) -> bytes:
    if not isinstance(value, (str, bytes)):
        kind = type(value).__name__
        raise TypeError(f"a RedisCache keeps text or bytes, not {kind}: put a SerialisedCache around it")
    return _tagged(value)


def _tagged(data: str | bytes) -> bytes:
    return b"b" + data if isinstance(data, bytes) else b"t" + data.encode("utf-8", "surrogatepass")


def _untagged(data: bytes) -> str | bytes:
    return data[1:] if data[:1] == b"b" else data[1:].decode("utf-8", "surrogatepass")


def _value(key: Key, raw: object) -> str | bytes:
    if not isinstance(raw, bytes) or raw[:1] not in _TAGS:
        raise KeyError(key)
    try:
        return _untagged(raw)
    except UnicodeDecodeError as error:
        raise KeyError(key) from error


def _literal(prefix: bytes) -> bytes:
    """`prefix` as a pattern of Redis that finds just itself."""
    return re.sub(rb"([*?\[\]\\^-])", rb"\\\1", prefix)
