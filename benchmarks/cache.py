"""Kept answers: GETs answered from memory and from a file, beside requests-cache; then the stores alone."""

from __future__ import annotations

import dbm.dumb
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import requests_cache

from benchmarks.server import FastServer
from sessionkit import HttpEngine
from sessionkit.cache import FileCache, MemoryCache, ObjectKeyMaker, ScopedCache
from sessionkit.http import CachePolicy

if TYPE_CHECKING:
    from benchmarks.report import Report

HITS = 500
BODY = b"x" * 400


class Kept(HttpEngine):
    __metakey__ = "benchmarks.cache"


def run(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        answers(report, Path(folder))
        stores(report, Path(folder))


def answers(report: Report, folder: Path) -> None:
    places = (
        ("memory", MemoryCache(), requests_cache.CachedSession(backend="memory"), "<= 40 us"),
        (
            "a file",
            FileCache(folder / "ours.db"),
            requests_cache.CachedSession(str(folder / "theirs"), backend="sqlite"),
            "<= 150 us",
        ),
    )
    for place, cache, peer, budget in places:
        policy = CachePolicy(ttl=3600)
        with (
            FastServer() as server,
            cache,
            peer,
            Kept.detached(server.url, cache=cache, cache_policy=policy) as ours,
        ):
            url = f"{server.url}/thing"

            def hit(ours: Kept = ours) -> None:
                ours.get("/thing")

            def their_hit(peer: requests_cache.CachedSession = peer, url: str = url) -> None:
                peer.get(url).json()

            report.cost(f"a GET answered from {place}", hit, budget=budget, number=HITS)
            name = f"the same beside requests-cache, {place}"
            report.ratio(name, hit, their_hit, peer_name="requests-cache", number=HITS)


def stores(report: Report, folder: Path) -> None:
    memory = MemoryCache()
    memory.set("key", BODY)
    report.cost("MemoryCache.get", lambda: memory.get("key"), number=20_000)
    report.cost("MemoryCache.set", lambda: memory.set("key", BODY), number=20_000)
    scoped = ScopedCache(memory, "scope")
    scoped.set("key", BODY)
    report.cost("the same, scoped", lambda: scoped.get("key"), number=20_000)
    maker = ObjectKeyMaker()
    report.cost("ObjectKeyMaker.key", lambda: maker.key("Task", {"id": 7, "name": "x"}), number=5_000)
    path = str(folder / "dbm")

    # A file opened for every use, as the caches do that are made of dbm.
    def dbm_get() -> None:
        with dbm.dumb.open(path, "c") as file:
            _ = file["key"]

    def dbm_set() -> None:
        with dbm.dumb.open(path, "c") as file:
            file["key"] = BODY

    dbm_set()
    with FileCache(folder / "cache.db") as file:
        file.set("key", BODY)
        report.ratio("FileCache.get", lambda: file.get("key"), dbm_get, peer_name="dbm", number=200)
        report.ratio("FileCache.set", lambda: file.set("key", BODY), dbm_set, peer_name="dbm", number=200)
