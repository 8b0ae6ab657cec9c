"""Caches: in memory, in a file, in Redis, in layers; scoped to who is signed in; kept coherent by events.

    cache = LayeredCache([MemoryCache(ttl=60), FileCache("~/.cache/mine.db", ttl=3600)])
    mine = scoped(cache, session.identity)

`ResponseCache` keeps a service's answers, `Coherence` drops what an event says has changed, `memoise`
keeps what a function returned.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sessionkit.cache.base import Cache, Key, ProxyCache
from sessionkit.cache.keys import KeyMaker, ObjectKeyMaker, StringKeyMaker
from sessionkit.cache.layered import LayeredCache
from sessionkit.cache.memoisation import Memoiser, memoise, memoise_decorator, memoiser
from sessionkit.cache.memory import MemoryCache, Statistics
from sessionkit.cache.scope import ScopedCache, scoped
from sessionkit.cache.serialised import SerialisedCache

if TYPE_CHECKING:
    from sessionkit.cache.coherence import Coherence
    from sessionkit.cache.file import FileCache
    from sessionkit.cache.http import Hit, Miss, ResponseCache
    from sessionkit.cache.redis import RedisCache

__all__ = [
    "Cache",
    "Coherence",
    "FileCache",
    "Hit",
    "Key",
    "KeyMaker",
    "LayeredCache",
    "Memoiser",
    "MemoryCache",
    "Miss",
    "ObjectKeyMaker",
    "ProxyCache",
    "RedisCache",
    "ResponseCache",
    "ScopedCache",
    "SerialisedCache",
    "Statistics",
    "StringKeyMaker",
    "memoise",
    "memoise_decorator",
    "memoiser",
    "scoped",
]

# Imported by whoever first asks for them: they bring SQLite, Redis and the parsing of dates along.
_LATER = {
    "Coherence": "sessionkit.cache.coherence",
    "FileCache": "sessionkit.cache.file",
    "Hit": "sessionkit.cache.http",
    "Miss": "sessionkit.cache.http",
    "RedisCache": "sessionkit.cache.redis",
    "ResponseCache": "sessionkit.cache.http",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
