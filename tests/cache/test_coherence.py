from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionkit.cache import Coherence, Hit, LayeredCache, MemoryCache, ResponseCache
from sessionkit.errors import CacheError
from sessionkit.events import Event, EventHub
from sessionkit.http import Call, Request, Response
from sessionkit.sandbox import Sandbox

LISTENER = Path(__file__).with_name("cache_listener.py")


def changed(event):
    return [f"Task:{number}" for number in event["data"]["ids"]]


def filled():
    cache = MemoryCache()
    for number in range(4):
        cache.set(f"Task:{number}", number)
    return cache


@pytest.fixture
def hub():
    with EventHub() as hub:
        hub.wait(0.05)  # connecting is an event too
        yield hub


def announce(hub, topic="studio.update", **data):
    hub.publish(Event(topic, data=data))
    hub.wait(0.05)


def test_what_an_event_names_is_dropped(hub):
    cache = filled()
    with Coherence(hub, cache, changed, subscription="topic=studio.update"):
        announce(hub, ids=[1, 3, 99])
        assert cache.keys() == ["Task:0", "Task:2"]
        announce(hub, "another.topic", ids=[0])
        assert cache.keys() == ["Task:0", "Task:2"]
    announce(hub, ids=[0])
    assert cache.keys() == ["Task:0", "Task:2"]


def test_expressions_drop_many(hub):
    cache = filled()
    cache.set("User:1", "ann")
    with Coherence(hub, cache, lambda event: [re.compile("^Task:[0-2]")]):
        announce(hub)
    assert cache.keys() == ["Task:3", "User:1"]


def test_an_event_that_cannot_be_understood_may_concern_anything(hub, caplog):
    cache = filled()
    with Coherence(hub, cache, changed):
        announce(hub, unexpected=1)
    assert cache.keys() == []
    assert "could not be told" in caplog.text


def test_a_cache_that_cannot_drop_stops_nobody(hub, caplog):
    class Broken(MemoryCache):
        def remove(self, key):
            raise CacheError("no space")

    heard = []
    with Coherence(hub, Broken(), changed):
        hub.subscribe("topic=*", heard.append)
        announce(hub, ids=[1])
    assert len(heard) == 1
    assert "no space" in caplog.text


@pytest.mark.parametrize("item", ["Task:1", re.compile("^Task:")], ids=["key", "expression"])
@pytest.mark.parametrize("gap", ["topic=studio.lost", "topic=studio.update"], ids=["event", "gap"])
def test_a_value_that_was_on_its_way_when_the_event_came_is_not_kept(hub, item, gap):
    cache = LayeredCache([MemoryCache(), MemoryCache()])
    subscription = "topic=studio.update" if gap == "topic=studio.lost" else "topic=studio.other"
    with Coherence(hub, cache, lambda event: [item], subscription=subscription, gap=gap):
        epoch = cache.epoch()
        announce(hub)
        assert not cache.set_within(epoch, "Task:1", "from before")
    assert cache.keys() == []


def test_an_event_that_concerns_no_copy_leaves_those_alone_that_are_on_their_way(hub):
    cache = MemoryCache()
    with Coherence(hub, cache, lambda event: []):
        epoch = cache.epoch()
        announce(hub)
        assert cache.set_within(epoch, "Task:1", "new")


def test_nothing_is_replied(hub):
    replies = []
    with Coherence(hub, filled(), changed):
        hub.publish(Event("studio.update", data={"ids": [1]}), on_reply=replies.append)
        hub.wait(0.1)
    assert replies == []


def test_closing_twice_or_after_the_hub_let_go_is_harmless(hub):
    coherence = Coherence(hub, filled(), changed, gap="topic=studio.lost")
    for identifier in list(coherence._subscribers):
        hub.unsubscribe(identifier)
    coherence.close()
    coherence.close()


def test_after_a_gap_no_copy_is_trusted(hub):
    cache = filled()
    with Coherence(hub, cache, changed, subscription="topic=studio.update", gap="topic=studio.lost"):
        announce(hub, "studio.lost")
    assert cache.keys() == []


def test_kept_answers_are_copies_too(hub, identity):
    responses = ResponseCache(MemoryCache(), identity(), ttl=60)
    calls = [Call("GET", "/tasks/1"), Call("GET", "/tasks/2")]
    for call in calls:
        request = Request("GET", "https://service.test")
        responses.store(responses.lookup(call), Response(200, {}, b"{}", request.url, request))
    with Coherence(hub, responses, lambda event: [f"GET /tasks/{event['data']['id']}"]):
        announce(hub, id=1)
    assert [isinstance(responses.lookup(call), Hit) for call in calls] == [False, True]


def test_a_change_announced_by_one_process_drops_the_copies_of_the_others():
    with Sandbox(services=[]) as sandbox:
        listeners = [
            subprocess.Popen(
                [sys.executable, str(LISTENER), sandbox.url],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        try:
            for listener in listeners:
                assert listener.stdout.readline() == "has 1 2\n"
            with EventHub(sandbox.url, "ann", "key") as hub:
                hub.publish(Event("studio.update", data={"ids": [1]}))
                for listener in listeners:
                    assert listener.stdout.readline() == "has 2\n"
        finally:
            for listener in listeners:
                listener.communicate("stop\n", timeout=30)
        assert [listener.returncode for listener in listeners] == [0, 0]


def test_a_connection_made_anew_means_that_changes_may_have_been_missed():
    cache = filled()
    with (
        Sandbox(services=[]) as sandbox,
        EventHub(sandbox.url, "ann", "key") as hub,
        Coherence(hub, cache, changed, subscription="topic=studio.update"),
    ):
        hub.wait(0.2)  # for the first connection, which is one too
        cache.set("Task:1", 1)
        hub.wait(0.2)
        assert cache.get("Task:1") == 1
        hub.reconnect(attempts=10, delay=0.1)
        deadline = time.monotonic() + 20
        while cache.keys() and time.monotonic() < deadline:
            hub.wait(0.05)
        assert cache.keys() == []
