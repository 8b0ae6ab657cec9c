"""Events through a real Redis: between hubs, across restarts, with a memory of one's own."""

import time

import pytest
import redis

from sessionkit.errors import ConfigurationError
from sessionkit.events import Backoff, Event, EventHubConnectionError
from sessionkit.events.transports.redis import RedisTransport
from sessionkit.testing.tools import wait_until


def collect(hub, subscription="topic=x"):
    got = []
    hub.subscribe(subscription, lambda event: got.append(event["data"]))
    return got


def test_events_and_replies_travel_between_hubs(redis_server, connected):
    ann = connected(redis_server.url(), user="ann", key=None)
    bob = connected(redis_server.url(), user="bob", key=None)
    asked, replies = [], []
    bob.subscribe("topic=question and data.n > 1", lambda event: asked.append(event) or {"answer": 42})
    for n in range(3):
        ann.publish(Event("question", data={"n": n}), on_reply=replies.append)
    wait_until(lambda: replies)
    (event,) = asked
    assert (event["data"], event["source"]["user"]) == ({"n": 2}, {"username": "ann"})
    assert event["sent"]
    assert replies[0]["data"] == {"answer": 42}


def test_only_what_is_published_after_connecting_arrives(redis_server, connected):
    ann = connected(redis_server.url(), key=None)
    ann.publish(Event("x", data="early"))
    bob = connected(redis_server.url(), key=None)
    got = collect(bob)
    ann.publish(Event("x", data="late"))
    wait_until(lambda: got == ["late"])


def test_streams_are_separate(redis_server, connected):
    ann = connected(redis_server.url("?stream=one"), key=None)
    bob = connected(redis_server.url("?stream=two"), key=None)
    one, two = collect(ann), collect(bob)
    ann.publish(Event("x", data=1))
    wait_until(lambda: one == [1])
    assert two == []


def test_nothing_is_lost_while_redis_is_restarted(redis_server, connected):
    ann, bob = connected(redis_server.url(), key=None), connected(redis_server.url(), key=None)
    got = collect(bob)
    for n in range(300):
        if n == 100:
            redis_server.stop()
            wait_until(lambda: not bob.connected)
        if n == 200:
            redis_server.start()
        ann.publish(Event("x", data=n))
    ann.flush()
    wait_until(lambda: len(got) == 300)
    assert got == list(range(300))
    assert ann.connected


def test_a_group_remembers_what_a_process_missed(redis_server, make_hub, connected):
    ann = connected(redis_server.url(), key=None)
    url = redis_server.url("?group=render&consumer=one")
    first = connected(url, key=None)
    got = collect(first)
    ann.publish(Event("x", data=1))
    wait_until(lambda: got == [1])
    first.disconnect()
    ann.publish(Event("x", data=2))
    second = make_hub(url, key=None)
    later = collect(second)
    second.connect()
    second.run_in_thread()
    wait_until(lambda: later == [2])


def test_members_of_a_group_share_the_work(redis_server, connected):
    ann = connected(redis_server.url(), key=None)
    members = [connected(redis_server.url("?group=render"), key=None) for _ in range(2)]
    got = [collect(member) for member in members]
    for n in range(200):
        ann.publish(Event("x", data=n))
    wait_until(lambda: sum(map(len, got)) == 200)
    assert sorted(got[0] + got[1]) == list(range(200))


def test_answers_reach_the_member_of_a_group_that_asked(redis_server, connected):
    url = redis_server.url("?group=render")
    members = [connected(url, key=None) for _ in range(3)]
    other = connected(redis_server.url(), key=None)
    other.subscribe("topic=question", lambda event: {"double": event["data"] * 2})
    answers = [[] for _ in members]
    for n in range(30):
        for member, got in zip(members, answers, strict=True):
            member.publish(
                Event("question", data=n), on_reply=lambda reply, got=got: got.append(reply["data"])
            )
    wait_until(lambda: all(len(got) == 30 for got in answers))
    assert answers == [[{"double": 2 * n} for n in range(30)]] * 3
    with redis.Redis(port=redis_server.port) as client:
        wait_until(lambda: client.xpending("sessionkit:events", "render")["pending"] == 0)


def test_what_has_a_target_reaches_every_member_that_it_is_for_once(redis_server, connected):
    url = redis_server.url("?group=render")
    members = [connected(url, key=None) for _ in range(3)]
    got = [[] for _ in members]
    for number, (member, seen) in enumerate(zip(members, got, strict=True)):
        machine = {"machine": number, "kind": "odd" if number % 2 else "even"}
        member.subscribe("topic=x", lambda event, seen=seen: seen.append(event["data"]), machine)
    ann = connected(redis_server.url(), key=None)
    for n in range(20):
        ann.publish(Event("x", data=n, target=f"machine={n % 3}"))
    ann.publish(Event("x", data="even", target="kind=even"))
    wait_until(lambda: sum(map(len, got)) == 22)
    assert got == [[*range(0, 20, 3), "even"], list(range(1, 20, 3)), [*range(2, 20, 3), "even"]]


def test_what_has_a_target_is_also_remembered_by_the_group(redis_server, make_hub, connected):
    url = redis_server.url("?group=render&consumer=one")
    first = connected(url, key=None)
    first.disconnect()
    ann = connected(redis_server.url(), key=None)
    ann.publish(Event("x", data=1, target="machine=7"))
    ann.flush()
    again = make_hub(url, key=None)
    got = []
    again.subscribe("topic=x", lambda event: got.append(event["data"]), {"machine": 7})
    again.connect()
    again.run_in_thread()
    wait_until(lambda: got == [1])


def test_an_event_whose_handling_never_ended_comes_again(redis_server, make_hub, connected):
    url = redis_server.url("?group=render&consumer=one")
    crashing = make_hub(url, key=None)
    collect(crashing)
    crashing.connect()
    ann = connected(redis_server.url(), key=None)
    ann.publish(Event("x", data=1))
    wait_until(lambda: len(crashing._reception.inbox) == 2)  # the news of the connection, and the event
    crashing.disconnect()
    again = make_hub(url, key=None)
    got = collect(again)
    again.connect()
    again.run_in_thread()
    wait_until(lambda: got == [1])
    with redis.Redis(port=redis_server.port) as client:
        wait_until(lambda: client.xpending("sessionkit:events", "render")["pending"] == 0)


def test_the_stream_is_bounded_and_a_gap_is_told(redis_server, connected, make_hub, caplog):
    url = redis_server.url("?maxlen=100")
    ann, bob = connected(url, key=None), make_hub(url, key=None)
    collect(bob)
    bob.connect()
    bob.disconnect(unsubscribe=False, reconnect=True)
    for n in range(1000):
        ann.publish(Event("x", data=n))
    bob.connect()
    assert "has dropped events" in caplog.text
    with redis.Redis(port=redis_server.port) as client:
        assert client.xlen("sessionkit:events") < 500


@pytest.mark.parametrize("query", ["", "?group=render&consumer=one"])
def test_a_stream_that_was_lost_leaves_no_deaf_hub(redis_server, connected, make_hub, query):
    ann, bob = connected(redis_server.url(), key=None), make_hub(redis_server.url(query), key=None)
    got = collect(bob)
    bob.connect()
    bob.run_in_thread()
    ann.publish(Event("x", data=1))
    wait_until(lambda: got == [1])
    bob.disconnect(unsubscribe=False, reconnect=True)
    with redis.Redis(port=redis_server.port) as client:
        client.flushall()
        # Another Redis, whose clock is behind: its entries are older than the place the hub had.
        client.xadd("sessionkit:events", {"event": '{"topic": "x", "data": 2}'}, id="1000-0")
        bob.connect()
        client.xadd("sessionkit:events", {"event": '{"topic": "x", "data": 3}'}, id="1000-1")
    wait_until(lambda: got == [1, 2, 3])


def test_what_is_no_event_is_ignored(redis_server, connected, caplog):
    hub = connected(redis_server.url(), key=None)
    got = collect(hub)
    with redis.Redis(port=redis_server.port) as client:
        for fields in ({"event": "{"}, {"other": "x"}, {"event": b"\xff\xfe"}, {"event": "[1]"}):
            client.xadd("sessionkit:events", fields)
    hub.publish(Event("x", data=1))
    wait_until(lambda: got == [1])
    assert "was ignored" in caplog.text


def test_a_full_queue_holds_the_stream_up_and_nothing_is_lost(redis_server, connected, make_hub):
    slow = make_hub(redis_server.url(), key=None, queue_limit=5)
    got = collect(slow)
    slow.connect()
    ann = connected(redis_server.url(), key=None)
    for n in range(50):
        ann.publish(Event("x", data=n))
    wait_until(lambda: not slow._reception.has_room())
    time.sleep(0.1)
    wait_until(lambda: slow.wait(0.02) or len(got) == 50)
    assert got == list(range(50))


def test_the_password_is_sent_and_never_shown(redis_server, make_hub, caplog):
    caplog.set_level("DEBUG")
    redis_server.stop()
    redis_server.start("--requirepass", "the-api-key")
    with pytest.raises(EventHubConnectionError) as caught:
        make_hub(redis_server.url(), user="default", key="not-the-key").connect()
    assert "not-the-key" not in str(caught.value)
    hub = make_hub(redis_server.url(), user="default", key="the-api-key")
    hub.connect()
    assert hub.connected
    assert "the-api-key" not in repr(hub) + repr(hub._transport.options) + caplog.text


def test_no_redis_is_a_typed_error(redis_server, make_hub):
    redis_server.stop()
    with pytest.raises(EventHubConnectionError):
        make_hub(redis_server.url(), key=None).connect()


def test_giving_up_is_told(redis_server, make_hub):
    hub = make_hub(redis_server.url(), key=None, backoff=Backoff(0.01, 0.01, attempts=2))
    hub.connect()
    errors = []
    redis_server.stop()
    hub.publish(Event("x"), on_error=errors.append)
    wait_until(lambda: hub.wait(0.05) or errors)
    with pytest.raises(EventHubConnectionError):
        hub.publish(Event("x"))


@pytest.mark.parametrize("query", ["?maxlen=many", "?unknown=1"])
def test_parameters_are_checked(make_hub, query):
    with pytest.raises(ConfigurationError):
        make_hub(f"redis://127.0.0.1:1/0{query}")


def test_the_transport_follows_the_url(make_hub):
    assert isinstance(make_hub("rediss://127.0.0.1:1/0")._transport, RedisTransport)
