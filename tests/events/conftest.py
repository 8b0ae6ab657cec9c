import asyncio

import pytest
from event_servers import QUICK, EventServer
from redis_kit import real_redis

from sessionkit.events import EventHub


@pytest.fixture
def event_server():
    server = EventServer().start()
    yield server
    server.stop()


@pytest.fixture
def make_hub():
    """Hubs that are closed when the test ends."""
    hubs = []

    def make(url=None, user="ann", key="the-api-key", **options):
        hub = EventHub(url, user, key, backoff=options.pop("backoff", QUICK), **options)
        hubs.append(hub)
        return hub

    yield make
    for hub in hubs:
        hub.close()


@pytest.fixture
def connected(make_hub):
    """A connected hub, waited for by a thread."""

    def connect(url=None, **options):
        hub = make_hub(url, **options)
        hub.connect()
        hub.run_in_thread()
        return hub

    return connect


@pytest.fixture
def redis_server():
    with real_redis() as server:
        yield server


@pytest.fixture
def run_async():
    return lambda coroutine: asyncio.run(asyncio.wait_for(coroutine, 20))
