"""Values as text or bytes, for caches that keep nothing else."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from sessionkit.cache.base import ProxyCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.cache.base import Cache, Key

_log = logging.getLogger(__name__)


class SerialisedCache(ProxyCache):
    """A cache that encodes what goes in and decodes what comes out; JSON, unless told otherwise.

    >>> from sessionkit.cache import FileCache
    >>> cache = SerialisedCache(FileCache(path))                                          # doctest: +SKIP
    >>> cache = SerialisedCache(FileCache(path), session.encode, session.decode)          # doctest: +SKIP

    What can no longer be decoded (written by another version, say) counts as missing and is dropped.
    """

    def __init__(
        self,
        proxied: Cache,
        encode: Callable[[Any], Any] = json.dumps,
        decode: Callable[[Any], Any] = json.loads,
    ) -> None:
        super().__init__(proxied)
        self.encode = encode
        self.decode = decode

    def get(self, key: Key) -> Any:
        """The value kept for `key`, decoded; KeyError when there is none."""
        raw = self.proxied.get(key)
        try:
            return self._decoded(key, raw)
        except KeyError:
            with contextlib.suppress(KeyError):
                self.proxied.remove(key)
            raise

    def set(self, key: Key, value: Any) -> None:
        """Encode `value` and keep it for `key`. What `encode` raises is passed on."""
        self.proxied.set(key, self.encode(value))

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Encode `value` and keep it for `key` unless `epoch` is over."""
        return self.proxied.set_within(epoch, key, self.encode(value))

    def remove(self, key: Key) -> Any:
        """Take the value out, and return it decoded; KeyError when there is none."""
        return self._decoded(key, self.proxied.remove(key))

    def _decoded(self, key: Key, raw: Any) -> Any:
        try:
            return self.decode(raw)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # Not the text of the error: it may quote the value.
            _log.warning("A cached value could not be decoded (%s) and was dropped.", type(error).__name__)
            raise KeyError(key) from error
