"""A file that is not what it was: the cache starts anew, and never gives out what was not put in."""

from __future__ import annotations

import random
import sqlite3

import pytest

from sessionkit.cache import FileCache
from sessionkit.errors import CacheError


def filled(path, count=50):
    values = {f"key{n}": f"value{n}" * (n * 20 + 1) for n in range(count)}
    with FileCache(path) as cache:
        for key, value in values.items():
            cache.set(key, value)
    return values


def check(path, values):
    """Whatever happened to the file: right values or none, and the cache works."""
    with FileCache(path) as cache:
        kept = 0
        for key, value in values.items():
            try:
                assert cache.get(key) == value
                kept += 1
            except KeyError:
                continue
        cache.keys()
        cache.values()
        cache.set("new", "n")
        assert cache.get("new") == "n"
        cache.clear("key1")
        cache.clear()
        assert cache.keys() == []
    return kept


@pytest.mark.parametrize("content", [b"", b"x", b"no database at all" * 500, bytes(8192)])
def test_other_content(path, content):
    values = filled(path)
    path.write_bytes(content)
    assert check(path, values) == 0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short(path, share):
    values = filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    check(path, values)


@pytest.mark.parametrize("seed", range(25))
def test_bytes_overwritten_anywhere(path, seed):
    values = filled(path)
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 5, 200])):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)
    check(path, values)


def test_pages_exchanged(path):
    values = filled(path)
    content = path.read_bytes()
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    random.Random(1).shuffle(pages[3:])
    path.write_bytes(b"".join([*pages[:3], *reversed(pages[3:])]))
    check(path, values)


def test_a_changed_value_is_missing_not_wrong(path, caplog):
    filled(path)
    content = path.read_bytes()
    assert content.count(b"value7value7") > 0
    path.write_bytes(content.replace(b"value7value7", b"value7VALUE7"))
    with FileCache(path) as cache:
        with pytest.raises(KeyError):
            cache.get("key7")
        assert cache.get("key8").startswith("value8")
        cache.set("key7", "again")
        assert cache.get("key7") == "again"
    assert "damaged" in caplog.text


def test_the_damaged_file_is_kept_aside_for_whoever_it_belonged_to(path, caplog):
    path.write_text("my notes, in the wrong place")
    with FileCache(path) as cache:
        cache.set("k", "v")
    assert path.with_name("cache.db.damaged").read_text() == "my notes, in the wrong place"
    assert "starts anew" in caplog.text


def test_another_programs_database_is_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE notes (text)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with FileCache(path) as cache:
        for use in (lambda: cache.get("k"), lambda: cache.set("k", "v"), cache.clear):
            with pytest.raises(CacheError, match="another program"):
                use()
    assert path.read_bytes() == before


@pytest.mark.parametrize("harm", ["remove", "empty", "garbage", "table"])
def test_harm_done_while_two_caches_have_the_file_open(path, harm):
    with FileCache(path) as one, FileCache(path) as two:
        one.set("k", "v")
        assert two.get("k") == "v"
        two.set("l", "w")
        if harm == "remove":
            path.unlink()
        elif harm == "table":
            other = sqlite3.connect(path)
            other.execute("DROP TABLE entries")
            other.close()
        else:
            path.write_bytes(b"" if harm == "empty" else b"garbage" * 10_000)
            for suffix in ("-wal", "-shm"):
                path.with_name(f"cache.db{suffix}").unlink(missing_ok=True)
        for cache in (one, two):
            try:
                assert cache.get("k") == "v"
            except KeyError:
                continue
        one.set("k", "new")
        assert two.get("k") == "new"
        two.set("l", "newer")
        assert one.get("l") == "newer"
        assert one.remove("k") == "new"
        assert two.keys() == ["l"]


def test_entries_of_other_types_do_not_count(path):
    with FileCache(path) as cache:
        cache.set("k", "v")
        other = sqlite3.connect(path)
        other.execute("UPDATE entries SET value = 5")
        other.execute("INSERT INTO entries VALUES (7, 'x', 0, 0), ('t', 'x', 'yesterday', 'sum')")
        other.commit()
        other.close()
        assert cache.keys() == ["k", "t"]
        assert cache.values() == []
