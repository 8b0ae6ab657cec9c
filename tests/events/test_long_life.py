"""A long life leaves nothing behind: no memory, threads, sockets or files. `pytest -m soak` lives longer."""

import gc
import os
import threading
from pathlib import Path

import pytest

from sessionkit.events import Event
from sessionkit.testing.tools import wait_until


def footprint():
    gc.collect()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return descriptors, threading.active_count(), pages * os.sysconf("SC_PAGE_SIZE")


def live(server, ann, bob, reconnects, events):
    """Reconnect often, by both sides, and publish all the while."""
    received = []
    identifier = bob.subscribe("topic=x", lambda event: received.append(event["data"]) or None)
    bob.flush()
    each = events // reconnects
    for n in range(reconnects):
        for _ in range(each):
            ann.publish(Event("x", data=n), on_reply=print)
        if n % 2:
            ann.reconnect()
        else:
            server.fault("event_drop")
        ann.flush(60)
        wait_until(lambda expected=(n + 1) * each: len(received) == expected, 30)
    bob.unsubscribe(identifier)
    assert received == [n for n in range(reconnects) for _ in range(each)]


def check(server, connected, reconnects, events, warm):
    ann = connected(server.url, reply_lifetime=0.2)
    bob = connected(server.url)
    live(server, ann, bob, *warm)
    before = footprint()
    live(server, ann, bob, reconnects, events)
    wait_until(lambda: footprint()[:2] <= before[:2], 20)
    after = footprint()
    assert after[2] - before[2] < 20_000_000, "memory grew"


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")
def test_reconnecting_often_leaves_nothing_behind(event_server, connected):
    check(event_server, connected, reconnects=30, events=600, warm=(10, 200))


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")
def test_a_day_in_miniature(event_server, connected):
    """1,000 reconnects and 100,000 events; warmed up until the memory of seen identifiers is full."""
    check(event_server, connected, reconnects=1_000, events=100_000, warm=(60, 60_000))
