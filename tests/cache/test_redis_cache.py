from __future__ import annotations

import subprocess
import sys

import pytest

from sessionkit.cache import RedisCache
from sessionkit.errors import CacheError, ConfigurationError


def test_redis_forgets_after_the_time_to_live(redis_url):
    with RedisCache(redis_url, prefix="ttl:", ttl=120) as cache:
        cache.set("k", "v")
        left = cache._client.pttl(b"ttl:tk")
        assert 100_000 < left <= 120_000


def test_caches_of_several_prefixes_share_a_server(redis_url):
    with RedisCache(redis_url, prefix="a*[b]?^-\\:") as odd, RedisCache(redis_url, prefix="aXb:") as plain:
        odd.set("k", "odd")
        plain.set("k", "plain")
        plain._client.set("unrelated", "stays")
        assert odd.keys() == ["k"]
        odd.clear()
        assert plain.get("k") == "plain"
        plain.clear()
        assert plain._client.get("unrelated") == b"stays"


def test_many_keys_are_listed_and_cleared(redis_cache):
    for number in range(1234):
        redis_cache.set(f"k{number}", "v")
    assert len(redis_cache.keys()) == 1234
    redis_cache.clear("[5-9]$")
    assert len(redis_cache.keys()) == 619


def test_what_others_put_there_is_missing(redis_cache):
    redis_cache._client.set(redis_cache._prefix + b"tk", b"no tag")
    redis_cache._client.set(redis_cache._prefix + b"tl", b"t\xff")
    redis_cache._client.set(redis_cache._prefix + b"odd", b"tvalue")
    for key in ("k", "l", "odd"):
        with pytest.raises(KeyError):
            redis_cache.get(key)
    redis_cache._client.rpush(redis_cache._prefix + b"tlist", "x")
    with pytest.raises(CacheError):
        redis_cache.get("list")


def test_another_process_sees_it(redis_url, redis_cache):
    redis_cache.set("k", "v")
    code = f"from sessionkit.cache import RedisCache; print(RedisCache({redis_url!r}).get('k'))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "v\n"


def test_a_server_that_is_not_there_is_an_error_without_its_password(tmp_path):
    with RedisCache(f"unix://user:hunter22@{tmp_path}/nobody.sock", timeout=0.2) as cache:
        for use in (lambda: cache.get("k"), lambda: cache.set("k", "v"), cache.keys, cache.clear):
            with pytest.raises(CacheError) as caught:
                use()
            assert "hunter22" not in f"{caught.value!r} {caught.value}"
        assert "hunter22" not in repr(cache)


def test_an_address_that_is_none(redis_url):
    with pytest.raises(ConfigurationError, match="address"):
        RedisCache("http://example.test:hunter22")


def test_importing_the_cache_package_imports_no_heavy_library():
    code = (
        "import sys, sessionkit.cache;"
        "heavy = {'redis', 'sqlite3', 'requests', 'cryptography', 'yaml'} & set(sys.modules); print(heavy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "set()\n"
