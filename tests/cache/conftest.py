from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from redis_kit import real_redis

from sessionkit.cache import (
    FileCache,
    LayeredCache,
    MemoryCache,
    ProxyCache,
    RedisCache,
    ScopedCache,
    SerialisedCache,
)


@pytest.fixture(scope="session")
def redis_url():
    with real_redis() as server:
        yield server.socket_url


@pytest.fixture
def redis_cache(redis_url):
    with RedisCache(redis_url) as cache:
        yield cache
        cache.clear()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.db"


@pytest.fixture
def file_cache(path):
    with FileCache(path) as cache:
        yield cache


BUILDERS = {
    "memory": lambda request: MemoryCache(),
    "proxy": lambda request: ProxyCache(MemoryCache()),
    "scoped": lambda request: ScopedCache(MemoryCache(), "ann"),
    "layered": lambda request: LayeredCache([MemoryCache(max_entries=3), MemoryCache()]),
    "file": lambda request: request.getfixturevalue("file_cache"),
    "scoped file": lambda request: ScopedCache(request.getfixturevalue("file_cache"), "ann"),
    "layered file": lambda request: LayeredCache([MemoryCache(), request.getfixturevalue("file_cache")]),
    "redis": lambda request: request.getfixturevalue("redis_cache"),
    "scoped redis": lambda request: ScopedCache(request.getfixturevalue("redis_cache"), "ann"),
}


@pytest.fixture(params=BUILDERS)
def any_cache(request):
    """Each kind of cache, of those that keep text and bytes."""
    return BUILDERS[request.param](request)


@pytest.fixture
def serialised_cache(file_cache):
    return SerialisedCache(file_cache)


@pytest.fixture
def identity():
    def make(principal="ann", base_url="https://service.test", metakey="service"):
        return SimpleNamespace(metakey=metakey, principal=principal, base_url=base_url)

    return make


@pytest.fixture(autouse=True)
def _quiet_locks(caplog):
    caplog.set_level(logging.INFO, logger="sessionkit")
