"""`async for event in hub.events(...)`."""

import asyncio
import gc

import pytest

from sessionkit.events import Event, EventQueueFull
from sessionkit.testing.tools import wait_until


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
            await asyncio.to_thread(wait_until, lambda: stream._overflowed)
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
    wait_until(thread.is_alive)


def test_a_cancelled_wait_loses_no_event(make_hub, run_async):
    hub = make_hub()
    hub.connect()

    async def read():
        stream, got = hub.events("topic=x"), []
        for number in range(300):
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            # The event and the cancellation race, now one is first and now the other.
            publishing = asyncio.to_thread(hub.publish, Event("x", data=number))
            if number % 3:
                await publishing
                publishing = asyncio.sleep(0.001 * (number % 2))
                await publishing
                waiting.cancel()
            else:
                waiting.cancel()
                await publishing
            try:
                got.append((await waiting)["data"])
            except asyncio.CancelledError:
                continue
        while len(got) < 300:
            got.append((await asyncio.wait_for(anext(stream), 10))["data"])
        return got

    assert run_async(read()) == list(range(300))


def test_a_cancelled_loop_unsubscribes(make_hub, run_async):
    hub = make_hub()
    hub.connect()

    async def listen():
        async with hub.events("topic=x") as stream:
            async for _ in stream:
                pass

    async def read():
        listening = asyncio.ensure_future(listen())
        await asyncio.sleep(0.01)
        assert hub.enabled
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        assert not hub.enabled

    run_async(read())


def test_closing_a_stream_ends_every_wait_for_it_and_it_stays_ended(make_hub, run_async):
    hub = make_hub()
    hub.connect()

    async def read():
        stream = hub.events("topic=x")
        waiting = [asyncio.ensure_future(anext(stream)) for _ in range(3)]
        await asyncio.sleep(0.01)
        await stream.aclose()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [StopAsyncIteration] * 3
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        await stream.aclose()

    run_async(read())


def test_a_loop_that_is_gone_disturbs_no_hub(make_hub, caplog):
    hub = make_hub()
    hub.connect()
    streams = []

    async def leave():
        streams.append(hub.events("topic=x"))

    asyncio.run(leave())
    got = []
    hub.subscribe("topic=x", got.append)
    hub.publish(Event("x"))
    wait_until(lambda: got)
    streams.clear()
    assert "failed" not in caplog.text
