"""`async for event in hub.events(...)`."""

import asyncio
import gc

import pytest
from event_servers import eventually

from sessionkit.events import Event, EventQueueFull


def test_events_arrive_in_order_and_end_with_the_connection(make_hub, run_async):
    hub = make_hub()
    hub.connect()

    async def read():
        stream = hub.events("topic=x")
        for number in range(100):
            hub.publish(Event("x", data=number))
        hub.publish(Event("y"))
        got = [(await anext(stream))["data"] for _ in range(100)]
        hub.disconnect(unsubscribe=False)
        return got + [event async for event in stream]

    assert run_async(read()) == list(range(100))
    assert not hub.enabled


def test_several_streams_see_the_same_events(make_hub, run_async):
    hub = make_hub()
    hub.connect()

    async def read(stream):
        return (await anext(stream))["data"]

    async def both():
        streams = [hub.events("topic=x"), hub.events("topic=x")]
        hub.publish(Event("x", data=1))
        return await asyncio.gather(*map(read, streams))

    assert run_async(both()) == [1, 1]


def test_leaving_the_loop_unsubscribes(make_hub, run_async):
    hub = make_hub()
    hub.connect()

    async def read():
        hub_stream = hub.events("topic=x")
        hub.publish(Event("x"))
        async for _ in hub_stream:
            break
        del hub_stream
        gc.collect()
        await asyncio.sleep(0.01)
        assert not hub.enabled
        async with hub.events("topic=x"):
            assert hub.enabled
        stream = hub.events("topic=x")
        await stream.aclose()
        assert not hub.enabled

    run_async(read())


def test_a_loop_that_does_not_keep_up_is_told(make_hub, run_async):
    hub = make_hub()
    hub.connect()

    async def read():
        async with hub.events("topic=x", limit=5) as stream:
            for _ in range(20):
                hub.publish(Event("x"))
            await asyncio.to_thread(eventually, lambda: stream._overflowed)
            got = [await anext(stream) for _ in range(5)]
            with pytest.raises(EventQueueFull):
                await anext(stream)
        return len(got)

    assert run_async(read()) == 5


def test_a_stream_needs_no_second_thread(connected, run_async):
    hub = connected()
    thread = hub.run_in_thread()

    async def read():
        stream = hub.events("topic=x")
        hub.publish(Event("x", data="once"))
        return (await anext(stream))["data"]

    assert run_async(read()) == "once"
    assert hub.run_in_thread() is thread
    eventually(thread.is_alive)
