"""One cache for many users, each of whom sees only what is their own."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

from sessionkit.cache.base import ProxyCache, matcher

if TYPE_CHECKING:
    from sessionkit.cache.base import Cache, Key, Which


class IdentityLike(Protocol):
    """Who is signed in where: `sessionkit.engine.Identity`, or anything with these."""

    @property
    def metakey(self) -> Any:
        """The kind of session."""

    @property
    def principal(self) -> Any:
        """Who is signed in; None or "" for nobody."""

    @property
    def base_url(self) -> Any:
        """Where."""


# As JSON, so that where one part ends and the next begins is never in doubt.
_canonical = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=str).encode


def digest(*parts: Any) -> str:
    """32 hexadecimal digits that stand for `parts`, and tell nothing about them.

    Raises:
        TypeError, ValueError: when JSON cannot tell them.
    """
    return hashlib.blake2b(_canonical(parts).encode(), digest_size=16).hexdigest()


class ScopedCache(ProxyCache):
    """A view of `proxied` in which only the keys of one scope exist.

    >>> cache = MemoryCache()                                                             # doctest: +SKIP
    >>> ann, bob = scoped(cache, ann_identity), scoped(cache, bob_identity)               # doctest: +SKIP
    >>> ann.set("projects", [1, 2])                                                       # doctest: +SKIP
    >>> bob.get("projects")                                                               # doctest: +SKIP
    Traceback (most recent call last):
    KeyError: 'projects'

    Args:
        proxied: The cache all scopes share. Closing the view leaves it open for the others.
        scope: Text that is this scope's alone. It begins every key in `proxied`.
    """

    def __init__(self, proxied: Cache, scope: str) -> None:
        super().__init__(proxied)
        self._text = f"{scope}:"
        self._bytes = self._text.encode()

    def _inside(self, key: Key) -> Key:
        return self._text + key if isinstance(key, str) else self._bytes + key

    def get(self, key: Key) -> Any:
        """The value kept for `key` in this scope; KeyError when there is none."""
        try:
            return self.proxied.get(self._inside(key))
        except KeyError:
            raise KeyError(key) from None

    def set(self, key: Key, value: Any) -> None:
        """Keep `value` for `key` in this scope."""
        self.proxied.set(self._inside(key), value)

    def set_within(self, epoch: Any, key: Key, value: Any) -> bool:
        """Keep `value` for `key` in this scope unless `epoch` is over; all scopes have the same epochs."""
        return self.proxied.set_within(epoch, self._inside(key), value)

    def remove(self, key: Key) -> Any:
        """Take the value out of this scope, and return it; KeyError when there is none."""
        try:
            return self.proxied.remove(self._inside(key))
        except KeyError:
            raise KeyError(key) from None

    def keys(self) -> list[Key]:
        """This scope's keys at this moment, as they were set."""
        length = len(self._text)
        return [key[length:] for key in filter(self._owns, self.proxied.keys())]

    def clear(self, pattern: Which | None = None) -> None:
        """Remove this scope's keys in which `pattern` is found; without one, all of this scope."""
        matches, length = matcher(pattern), len(self._text)
        # One step of the cache behind, which knows how to leave nothing, whatever others are doing to it.
        self.proxied.clear(lambda key: self._owns(key) and matches(key[length:]))

    def close(self) -> None:
        """Nothing: the cache behind belongs to all scopes."""

    def _owns(self, key: Key) -> bool:
        return key.startswith(self._text) if isinstance(key, str) else key.startswith(self._bytes)


def scoped(cache: Cache, identity: IdentityLike, *, shared: bool = False) -> ScopedCache:
    """The view of `cache` that belongs to `identity`: to this principal, at this URL, of this backend.

    With `shared`, to all principals there: only for what the service shows to everyone alike.
    """
    # The tag keeps "shared by all" apart from a principal who has no name.
    owner = ("shared", None) if shared else ("private", identity.principal)
    return ScopedCache(cache, digest(identity.metakey, identity.base_url, *owner))
