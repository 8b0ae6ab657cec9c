"""One file, many processes, some of which are killed."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time

import pytest
from cache_workers import finish, start

from sessionkit.cache import FileCache
from sessionkit.errors import CacheError


def test_processes_write_one_file_from_its_first_moment(path):
    processes = [start("count_up", path, name, 60) for name in "abcd"]
    for process in processes:
        finish(process)
    with FileCache(path) as cache:
        expected = {f"{name}:{turn}" for name in "abcd" for turn in range(60)} | {"shared"}
        assert set(cache.keys()) == expected
        assert cache.get("c:59") == "c:59" * 20
    assert not path.with_name("cache.db.damaged").exists()


def test_a_writer_killed_in_the_middle_leaves_whole_values(path):
    chance = random.Random(7)
    with FileCache(path) as cache:
        for _ in range(6):
            process = start("write_for_ever", path)
            assert process.stdout.readline() == "writing\n"
            time.sleep(chance.random() * 0.05)  # the moment is what the test is about
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
            for key in ("a", "b"):
                value = cache.get(key)
                assert len(value) == 50_000
                assert len(set(value)) == 1
            cache.set("after", "still works")
            assert cache.get("after") == "still works"
    assert not path.with_name("cache.db.damaged").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_parent_and_children_go_on_after_a_fork_during_work(path):
    with FileCache(path) as cache:
        cache.set("k", "v")
        stop = threading.Event()

        def work():
            while not stop.is_set():
                cache.set("busy", "x" * 1000)
                cache.get("busy")

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        children = []
        for number in range(5):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    for turn in range(20):
                        cache.set(f"child{number}:{turn}", "c")
                    code = 0 if cache.get("k") == "v" else 2
                finally:
                    os._exit(code)
            children.append(child)
        codes = [os.waitpid(child, 0)[1] for child in children]
        stop.set()
        for thread in threads:
            thread.join(30)
        assert codes == [0] * 5
        keys = cache.keys()
        assert sum(key.startswith("child") for key in keys) == 100
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_no_connection_is_open_across_a_fork(path):
    with FileCache(path) as cache:
        cache.set("k", "v")
        lane = cache._database._write
        if hasattr(os, "fork"):
            child = os.fork()
            if child == 0:
                os._exit(0 if lane.connection is None else 1)
            assert os.waitpid(child, 0)[1] == 0
        assert cache.get("k") == "v"


def test_readers_do_not_wait_for_a_writer(path):
    with FileCache(path, timeout=0.05) as cache:
        cache.set("k", "v")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert cache.get("k") == "v"
        assert cache.keys() == ["k"]
        with pytest.raises(CacheError, match="locked"):
            cache.set("k", "w")
        with pytest.raises(CacheError, match="locked"):
            cache.clear("k")
        other.execute("ROLLBACK")
        other.close()
        cache.set("k", "w")
        assert cache.get("k") == "w"


def test_a_forgotten_cache_closes_its_file(path):
    cache = FileCache(path)
    cache.set("k", "v")
    connection = cache._database._write.connection
    del cache
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_a_closed_cache_says_so(path):
    cache = FileCache(path)
    cache.set("k", "v")
    cache.close()
    cache.close()
    for use in (lambda: cache.get("k"), lambda: cache.set("k", "v"), cache.clear, cache.keys):
        with pytest.raises(CacheError, match="closed"):
            use()


def test_making_a_cache_touches_nothing(tmp_path):
    FileCache(tmp_path / "deep" / "cache.db").close()
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_and_the_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with FileCache("~/deep/er/cache.db") as cache:
        cache.set("k", "v")
    assert (tmp_path / "deep/er/cache.db").is_file()
