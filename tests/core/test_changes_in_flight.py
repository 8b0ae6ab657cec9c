"""An answer that was on its way while somebody changed the thing is not kept, whoever it was."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from core_kit import Api

from sessionkit.cache import FileCache, LayeredCache, MemoryCache
from sessionkit.http import CachePolicy

HERE = Path(__file__).parent


@pytest.fixture
def slow(server):
    """A thing whose reader is answered only when told to, with what it was when it was asked for."""
    server.asked, server.go, server.value = threading.Event(), threading.Event(), "old"

    def answer(seen):
        if seen.method != "GET":
            server.value = "new"
            return 200, {}, {}
        value = server.value
        if not server.asked.is_set():
            server.asked.set()
            server.go.wait(30)
        return 200, {}, {"value": value}

    server.answer = answer
    return server


def reader_of(server, cache):
    return Api.detached(server.url, cache=cache, cache_policy=CachePolicy(ttl=3600))


def change_during_a_read(slow, api, change):
    """What was read before and after; `change` is made while the first answer is on its way."""
    got = []
    reading = threading.Thread(target=lambda: got.append(api.get("/thing")["value"]))
    reading.start()
    assert slow.asked.wait(10)
    change()
    slow.go.set()
    reading.join(30)
    return [*got, api.get("/thing")["value"], api.get("/thing")["value"]]


@pytest.mark.parametrize("kind", ["memory", "file", "layered"])
def test_by_another_session_of_this_process(slow, tmp_path, kind):
    file = FileCache(tmp_path / "answers.db")
    cache = {"memory": MemoryCache(), "file": file, "layered": LayeredCache([MemoryCache(), file])}[kind]
    with file, reader_of(slow, cache) as api, reader_of(slow, cache) as other:
        seen = change_during_a_read(slow, api, lambda: other.put("/thing", {"value": "new"}))
    assert seen == ["old", "new", "new"]
    assert [each.method for each in slow.seen] == ["GET", "PUT", "GET"]


def test_by_another_process_that_shares_the_file(slow, tmp_path):
    path = tmp_path / "answers.db"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}

    def change():
        writer = [sys.executable, str(HERE / "cache_writer.py"), slow.url, str(path)]
        subprocess.run(writer, env=environ, check=True, timeout=60)

    with FileCache(path) as cache, reader_of(slow, cache) as api:
        seen = change_during_a_read(slow, api, change)
    assert seen == ["old", "new", "new"]
    assert [each.method for each in slow.seen] == ["GET", "PUT", "GET"]
