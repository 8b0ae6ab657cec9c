from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest
from cache_workers import finish, start

from sessionkit.cache import FileCache, ScopedCache
from sessionkit.errors import CacheError, ConfigurationError
from sessionkit.testing import ManualClock


def test_entries_age_by_the_wall_clock_which_processes_share(path):
    clock = ManualClock()
    with FileCache(path, ttl=60, clock=clock) as cache:
        cache.set("k", "v")
        clock.advance(59)
        assert cache.get("k") == "v"
        clock.advance(1)
        assert cache.keys() == []
        for action in (cache.get, cache.remove):
            with pytest.raises(KeyError):
                action("k")


def test_a_clock_set_back_makes_entries_old_not_immortal(path):
    clock = ManualClock()
    with FileCache(path, ttl=60, clock=clock) as cache:
        cache.set("k", "v")
        clock.jump(-3600)
        with pytest.raises(KeyError):
            cache.get("k")


@pytest.mark.parametrize("jump", [-1000, 100], ids=["from the future", "too old"])
@pytest.mark.parametrize("scope", ["", "ann"])
def test_what_was_cleared_while_it_did_not_count_does_not_come_back_with_the_clock(path, jump, scope):
    clock = ManualClock()
    with FileCache(path, ttl=60, clock=clock) as file:
        cache = ScopedCache(file, scope) if scope else file
        cache.set("k", "from before")
        clock.jump(jump)
        cache.clear("k")
        clock.jump(-jump)
        with pytest.raises(KeyError):
            cache.get("k")


def test_the_oldest_written_entries_go(path):
    with FileCache(path, max_entries=160) as cache:
        for turn in range(1000):
            cache.set(f"k{turn}", "v")
        keys = cache.keys()
    assert 160 <= len(keys) <= 170
    assert keys[-1] == "k999"
    assert keys[0] == f"k{1000 - len(keys)}"


def test_aged_entries_leave_the_file(path):
    clock = ManualClock()
    with FileCache(path, ttl=60, max_entries=16, clock=clock) as cache:
        cache.set("old", "v")
        clock.advance(61)
        for turn in range(20):
            cache.set(f"k{turn % 3}", "v")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM entries WHERE key = 'old'").fetchone() == (0,)
    connection.close()


def test_bounds_of_nothing_are_mistakes(path):
    with pytest.raises(ConfigurationError, match="ttl"):
        FileCache(path, ttl=-1)


def test_only_the_owner_may_read(path):
    mask = os.umask(0)
    try:
        with FileCache(path) as cache:
            cache.set("k", "v")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(mask)
    assert {"cache.db", "cache.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_file_others_may_read_is_closed_to_them(path):
    with FileCache(path) as cache:
        cache.set("k", "v")
    path.chmod(0o644)
    with FileCache(path) as cache:
        assert cache.get("k") == "v"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_costs_new_entries_only(path):
    written = int(finish(start("fill", path, 400_000)))
    assert 0 < written < 100
    with FileCache(path) as cache:
        assert len(cache.keys()) == written
        cache.set("more", "space again")
        assert cache.get("more") == "space again"


def test_a_folder_is_no_cache(tmp_path):
    mode = tmp_path.stat().st_mode
    with FileCache(tmp_path) as cache, pytest.raises(CacheError, match="no file"):
        cache.get("k")
    assert tmp_path.stat().st_mode == mode


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("")
    with (
        FileCache(tmp_path / "taken" / "cache.db") as cache,
        pytest.raises(CacheError, match="cannot be used"),
    ):
        cache.get("k")


def test_lone_surrogates_are_refused_in_our_words(path):
    with FileCache(path) as cache:
        for key, value in (("\ud800", "v"), ("k", "\ud800")):
            with pytest.raises(CacheError, match="surrogate"):
                cache.set(key, value)
        with pytest.raises(KeyError):
            cache.get("\ud800")


@pytest.fixture
def open_folder():
    """A folder that every user may look into, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="sessionkit-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nobody(action):
    """What `action()` returns, as text, in a child without the rights of root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            text = str(action())
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@fork
def test_a_file_that_may_only_be_read_is_read_and_refuses_writes(open_folder):
    path = open_folder / "cache.db"
    with FileCache(path) as writer:
        writer.set("k", "v")
        if os.geteuid() == 0:
            open_folder.chmod(0o777)
            path.chmod(0o444)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).chmod(0o444)
        else:
            path.chmod(0o400)

        def use():
            cache = FileCache(path, timeout=0.2)
            found = cache.get("k")
            try:
                cache.set("k", "w")
            except CacheError as error:
                return f"{found}, then {error}"
            return "was written"

        told = as_nobody(use)
        assert told.startswith("v, then The cache file")
        assert "readonly" in told
        assert writer.get("k") == "v"


@fork
def test_a_folder_one_may_not_write_to_is_an_error_of_ours(open_folder):
    if os.geteuid() != 0:
        open_folder.chmod(0o555)
    told = as_nobody(lambda: FileCache(open_folder / "cache.db", timeout=0.2).set("k", "v"))
    open_folder.chmod(0o755)
    assert told.startswith("CacheError: The cache file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_file_planted_by_another_user_is_not_trusted(open_folder):
    path = open_folder / "cache.db"
    with FileCache(path) as cache:
        cache.set("k", "poison")
    os.chown(path, 65534, 65534)
    with FileCache(path) as cache, pytest.raises(CacheError, match="another user"):
        cache.get("k")
