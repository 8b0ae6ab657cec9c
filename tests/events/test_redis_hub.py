"""Events through a real Redis: between hubs, across restarts, with a memory of one's own."""

import json
import os
import threading
import time

import pytest
import redis

from sessionkit.errors import ConfigurationError
from sessionkit.events import Backoff, Event, EventHubConnectionError
from sessionkit.events.transports.places import GroupPlace, Place
from sessionkit.events.transports.redis import RedisTransport, Settings
from sessionkit.testing.tools import wait_until


def stored(client):
    """The data of what is in the stream."""
    return [json.loads(fields[b"event"])["data"] for _, fields in client.xrange("sessionkit:events")]


def collect(hub, subscription="topic=x"):
    got = []
    hub.subscribe(subscription, lambda event: got.append(event["data"]))
    return got


def what_machine_7_gets(make_hub, url):
    hub, got = make_hub(url, key=None), []
    hub.subscribe("topic=x", lambda event: got.append(event["data"]), {"machine": 7})
    hub.connect()
    hub.run_in_thread()
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


def _written(redis_server):
    """How many bytes Redis has written to its log."""
    return (redis_server.folder / "appendonly.aof").stat().st_size


def _crash(redis_server, written):
    """Kill Redis as if it had written no more than that, and start it again."""
    redis_server.stop()
    os.truncate(redis_server.folder / "appendonly.aof", written)
    redis_server.start()


def test_what_redis_forgot_when_it_crashed_is_stored_again_in_order(
    redis_server, connected, make_hub, caplog
):
    ann, bob = connected(redis_server.url(), key=None), make_hub(redis_server.url(), key=None)
    got = collect(bob)
    bob.connect()
    bob.disconnect(unsubscribe=False, reconnect=True)
    for n in range(30):
        if n == 10:
            written = _written(redis_server)
        ann.publish(Event("x", data=n, target="machine=7" if n == 20 else ""))
    _crash(redis_server, written)
    ann.publish(Event("x", data=30))
    ann.flush()
    bob.connect()
    bob.run_in_thread()
    wait_until(lambda: len(got) == 30)
    assert got == [n for n in range(31) if n != 20]
    assert "Redis has forgotten 20 events" in caplog.text
    with redis.Redis(port=redis_server.port) as client:
        assert [client.xlen(f"sessionkit:events{which}") for which in ("", ":direct")] == [31, 1]


def test_who_had_read_what_redis_forgot_sees_it_once(redis_server, connected):
    ann, bob = connected(redis_server.url(), key=None), connected(redis_server.url(), key=None)
    got = collect(bob)
    ann.publish(Event("x", data=1))
    wait_until(lambda: got == [1])
    written = _written(redis_server)
    ann.publish(Event("x", data=2))
    wait_until(lambda: got == [1, 2])
    _crash(redis_server, written)
    ann.publish(Event("x", data=3))
    wait_until(lambda: 3 in got)
    assert got == [1, 2, 3]


@pytest.mark.parametrize("long_ago", [False, True])
def test_what_was_dropped_on_purpose_does_not_come_back_later(redis_server, connected, monkeypatch, long_ago):
    monkeypatch.setattr("sessionkit.events.transports.redis.FORGETFUL_SECONDS", 0.0 if long_ago else 5.0)
    ann = connected(redis_server.url(), key=None)
    ann.publish(Event("x", data=1))
    ann.flush()
    with redis.Redis(port=redis_server.port) as client:
        (sent,) = ann._transport._unsure
        wait_until(lambda: ann._transport._link.heard > sent.at)  # Redis was there after it stored the event
        client.delete("sessionkit:events")
        ann.reconnect()
        assert client.xlen("sessionkit:events") == (0 if long_ago else 1)


def test_who_reads_no_more_for_now_does_not_store_before_what_redis_forgot(redis_server, make_hub):
    ann = make_hub(redis_server.url(), key=None, queue_limit=5)
    collect(ann)
    ann.connect()
    for n in range(6):
        if n == 4:
            written = _written(redis_server)
        ann.publish(Event("x", data=n))
    wait_until(lambda: not ann._reception.has_room())
    _crash(redis_server, written)
    ann.publish(Event("x", data=6))
    ann.flush()
    with redis.Redis(port=redis_server.port) as client:
        assert stored(client) == list(range(7))


def test_a_hub_has_two_connections(redis_server, connected):
    ann = connected(redis_server.url(), key=None)
    ann.publish(Event("x"))
    with redis.Redis(port=redis_server.port) as client:
        assert len(client.client_list()) == 2 + 1


def test_what_is_older_than_a_hub_is_not_read_because_redis_forgot_something(redis_server, connected):
    with redis.Redis(port=redis_server.port) as client:
        client.xadd("sessionkit:events", {"event": '{"topic": "x", "data": "old"}'}, id="1000-0")
    ann, bob = connected(redis_server.url(), key=None), connected(redis_server.url(), key=None)
    got = collect(bob)
    written = _written(redis_server)
    ann.publish(Event("x", data=1))
    wait_until(lambda: got == [1])
    _crash(redis_server, written)
    ann.publish(Event("x", data=2))
    wait_until(lambda: 2 in got)
    assert got == [1, 2]


@pytest.fixture
def client(redis_server):
    """A client as a hub has it."""
    with redis.Redis(port=redis_server.port, decode_responses=True, protocol=2) as client:
        yield client


def _read(place, client):
    batch = place.read(client, 1)
    for each in batch:
        place.passed(each)
    return [each.fields["event"] for each in batch]


def test_what_came_when_redis_had_forgotten_its_last_and_its_clock_was_behind_is_read(redis_server, client):
    place = Place(Settings(redis_server.url()), "s")
    for entry_id in (1000, 2000, 50_000):
        client.xadd("s", {"event": entry_id}, id=f"{entry_id}-0")
    place.begin(client)
    for entry_id in (52_000, 54_000):
        client.xadd("s", {"event": entry_id}, id=f"{entry_id}-0")
    assert _read(place, client) == ["52000", "54000"]
    client.delete("s")
    for entry_id in (1000, 2000, 50_000, 53_000, 60_000):
        client.xadd("s", {"event": entry_id}, id=f"{entry_id}-0")
    place.begin(client)
    assert _read(place, client) == ["53000", "60000"]


def test_another_stream_whose_entries_are_older_is_read_without_a_reconnection(redis_server, client, caplog):
    place = Place(Settings(redis_server.url()), "s")
    client.xadd("s", {"event": 1}, id="2000-0")
    place.begin(client)
    client.delete("s")
    client.xadd("s", {"event": 2}, id="1000-0")
    assert _read(place, client) + _read(place, client) == ["2"]
    assert "was lost or exchanged" in caplog.text


def test_a_group_that_redis_forgot_begins_where_its_member_began(redis_server, client):
    place = GroupPlace(Settings(redis_server.url("?group=render")), "one")
    client.xadd("sessionkit:events", {"event": "old"})
    place.begin(client)
    client.xadd("sessionkit:events", {"event": "new"})
    client.xgroup_destroy("sessionkit:events", "render")
    place.begin(client)
    assert _read(place, client) == ["new"]


def test_what_has_a_target_is_remembered_by_the_group_though_redis_clock_was_set_back(
    redis_server, make_hub, connected, client
):
    url = redis_server.url("?group=render&consumer=one")
    connected(url, key=None).disconnect()
    event = '{"topic": "x", "data": 1, "target": "machine=7"}'
    for stream in ("sessionkit:events", "sessionkit:events:direct"):
        client.xadd(stream, {"event": event}, id="9999999999999-0")
    got = what_machine_7_gets(make_hub, url)
    wait_until(lambda: got == [1])


def test_only_the_end_that_redis_forgot_is_stored_again(redis_server, connected):
    ann = connected(redis_server.url(), key=None)
    for n in range(4):
        ann.publish(Event("x", data=n))
    with redis.Redis(port=redis_server.port) as client:
        for number in (0, 3):
            client.xdel("sessionkit:events", ann._transport._unsure[number].id)
        ann.reconnect()
        assert stored(client) == [1, 2, 3]


def test_what_a_full_stream_has_dropped_is_not_stored_again(redis_server, connected):
    ann = connected(redis_server.url("?maxlen=2"), key=None)
    ann.publish(Event("x", data=1))
    with redis.Redis(port=redis_server.port) as client:
        for n in range(2, 5):
            client.xadd("sessionkit:events", {"event": f'{{"data": {n}}}'})
        client.xtrim("sessionkit:events", maxlen=2, approximate=False)
        ann.reconnect()
        assert stored(client) == [3, 4]


def test_an_event_is_not_taken_for_another_with_its_identifier(redis_server, connected):
    ann = connected(redis_server.url(), key=None)
    ann.publish(Event("x", data=1))
    with redis.Redis(port=redis_server.port) as client:
        client.delete("sessionkit:events")
        client.xadd("sessionkit:events", {"event": '{"data": 2}'}, id=ann._transport._unsure[0].id)
        ann.reconnect()
        assert stored(client) == [2, 1]


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
    got = what_machine_7_gets(make_hub, url)
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
    wait_until(lambda: "has dropped events" in caplog.text)
    with redis.Redis(port=redis_server.port) as client:
        assert client.xlen("sessionkit:events") < 500


def test_a_gap_is_told_to_a_hub_that_would_have_kept_more(redis_server, connected, make_hub, caplog):
    ann, bob = connected(redis_server.url("?maxlen=100"), key=None), connected(redis_server.url(), key=None)
    got = collect(bob)
    ann.publish(Event("x", data=0))
    wait_until(lambda: got == [0])
    bob.disconnect(unsubscribe=False, reconnect=True)
    for n in range(1, 400):
        ann.publish(Event("x", data=n))
    bob.connect()
    wait_until(lambda: "has dropped events" in caplog.text)


def test_a_gap_is_told_to_a_hub_that_is_connected_and_slow(redis_server, connected, make_hub, caplog):
    url = redis_server.url("?maxlen=100")
    ann, slow = connected(url, key=None), make_hub(url, key=None, queue_limit=5)
    got = collect(slow)
    slow.connect()
    for n in range(10):
        ann.publish(Event("x", data=n))
    wait_until(lambda: len(slow._reception.inbox) >= 5)  # it reads no more now
    for n in range(10, 400):
        ann.publish(Event("x", data=n))
    ann.flush()
    assert "has dropped events" not in caplog.text
    wait_until(lambda: slow.wait(0.02) or got[-1:] == [399])
    assert "has dropped events" in caplog.text


def test_what_waits_to_be_handled_is_not_told_to_have_been_when_it_comes_again(
    redis_server, connected, make_hub
):
    slow = make_hub(redis_server.url("?group=render&consumer=one"), key=None)
    got = collect(slow)
    slow.connect()
    ann = connected(redis_server.url(), key=None)
    for n in range(3):
        ann.publish(Event("x", data=n))
    wait_until(lambda: len(slow._reception.inbox) == 4)  # the news of the connection, and the events
    slow._transport._link.abort()
    wait_until(lambda: len(slow._reception.inbox) == 8)  # once more
    with redis.Redis(port=redis_server.port) as client:
        assert client.xpending("sessionkit:events", "render")["pending"] == 3
        slow.wait(0.2)
        assert got == [0, 1, 2]
        wait_until(lambda: client.xpending("sessionkit:events", "render")["pending"] == 0)


def test_what_the_stream_dropped_unfinished_does_not_stand_in_the_way(
    redis_server, connected, make_hub, caplog
):
    url = redis_server.url("?group=render&consumer=one")
    crashing = make_hub(url, key=None)
    collect(crashing)
    crashing.connect()
    ann = connected(redis_server.url(), key=None)
    ann.publish(Event("x", data="dropped"))
    wait_until(lambda: len(crashing._reception.inbox) == 2)
    crashing.disconnect()
    with redis.Redis(port=redis_server.port) as client:
        client.xtrim("sessionkit:events", maxlen=0, approximate=False)
        again = connected(url, key=None)
        got = collect(again)
        ann.publish(Event("x", data="later"))
        wait_until(lambda: got == ["later"])
        wait_until(lambda: client.xpending("sessionkit:events", "render")["pending"] == 0)
    assert "an entry of the stream was ignored" in caplog.text


def test_what_the_stream_dropped_unfinished_is_not_waited_for_by_another_member(
    redis_server, monkeypatch, client
):
    monkeypatch.setattr("sessionkit.events.transports.places._ABANDONED_SECONDS", 0.0)
    one, two = (GroupPlace(Settings(redis_server.url("?group=render")), name) for name in ("one", "two"))
    one.begin(client)
    client.xadd("sessionkit:events", {"event": "dropped"})
    assert _read(one, client) == ["dropped"]
    client.xtrim("sessionkit:events", maxlen=0, approximate=False)
    two.begin(client)
    for _ in range(3):
        for stored in two.read(client, 1):
            two.done(client, stored)
    assert client.xpending("sessionkit:events", "render")["pending"] == 0


def test_what_could_not_be_acknowledged_is_as_soon_as_may_be(redis_server, connected, monkeypatch, client):
    failing = [redis.ResponseError("MISCONF")]
    done = GroupPlace.done

    def done_the_second_time(*arguments):
        if failing:
            raise failing.pop()
        done(*arguments)

    monkeypatch.setattr(GroupPlace, "done", done_the_second_time)
    hub = connected(redis_server.url("?group=render"), key=None)
    got = collect(hub)
    hub.publish(Event("x", data=1))
    wait_until(lambda: not failing)
    wait_until(lambda: client.xpending("sessionkit:events", "render")["pending"] == 0)
    assert got == [1]


def test_what_takes_long_is_not_handled_by_another_member_as_well(redis_server, connected, monkeypatch):
    monkeypatch.setattr("sessionkit.events.transports.places._ABANDONED_SECONDS", 0.4)
    url = redis_server.url("?group=render")
    handled, finish = [], threading.Event()
    for _ in range(2):
        hub = connected(url, key=None, queue_limit=3)
        hub.subscribe("topic=x", lambda event: handled.append(event["data"]) or finish.wait(10))
    ann = connected(redis_server.url(), key=None)
    for n in range(10):
        ann.publish(Event("x", data=n))
    wait_until(lambda: len(handled) == 2)
    time.sleep(1)
    finish.set()
    wait_until(lambda: len(handled) == 10)
    time.sleep(0.2)
    assert sorted(handled) == list(range(10))


def test_consumers_that_are_long_gone_are_removed_once_everything_is_handled(
    redis_server, connected, monkeypatch, client
):
    url = redis_server.url("?group=render")
    hub = connected(url, key=None)
    hub.disconnect()
    client.xadd("sessionkit:events", {"event": "{}"})
    client.xreadgroup("render", "unfinished", {"sessionkit:events": ">"})
    time.sleep(0.02)
    connected(url, key=None)
    assert len(client.xinfo_consumers("sessionkit:events", "render")) >= 2
    monkeypatch.setattr("sessionkit.events.transports.places._GONE_SECONDS", 0.01)
    connected(f"{url}&consumer=named", key=None)
    names = {each["name"] for each in client.xinfo_consumers("sessionkit:events", "render")}
    assert "unfinished" in names
    assert hub.id not in names


def test_a_forked_child_is_a_member_of_its_own(redis_server, connected):
    hub = connected(redis_server.url("?group=render"), key=None)
    parent = hub._transport._place._consumer
    hub.close()
    hub.after_fork_in_child()
    assert parent != hub._transport._place._consumer == hub.id


def test_what_has_a_target_is_read_beside_a_busy_stream(redis_server):
    settings = Settings(redis_server.url("?group=render"))
    place = GroupPlace(settings, "one")
    with redis.Redis(port=redis_server.port, decode_responses=True, protocol=2) as client:
        place.begin(client)
        place.read(client, 1)
        for stream in (settings.stream, settings.direct):
            client.xadd(stream, {"event": "{}"})
        assert [stored.stream for stored in place.read(client)] == [settings.stream, settings.direct]


def test_a_group_that_could_not_be_made_at_once_begins_with_what_is_new(redis_server, monkeypatch):
    place = GroupPlace(Settings(redis_server.url("?group=render")), "one")
    with redis.Redis(port=redis_server.port, decode_responses=True, protocol=2) as client:
        client.xadd("sessionkit:events", {"event": "old"})
        with monkeypatch.context() as patch:
            patch.setattr(redis.Redis, "xgroup_create", _fails)
            with pytest.raises(redis.ConnectionError):
                place.begin(client)
        place.begin(client)
        assert place.read(client, 1) == []


def test_an_interrupted_publication_is_sent_again(redis_server, connected, monkeypatch):
    ann, bob = connected(redis_server.url(), key=None), connected(redis_server.url(), key=None)
    got = collect(bob)
    with monkeypatch.context() as patch:
        patch.setattr(ann._transport._link._writer, "pipeline", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            ann.publish(Event("x", data=1))
    ann.publish(Event("x", data=2))
    wait_until(lambda: got == [1, 2])


def _fails(*_, **__):
    raise redis.ConnectionError


def _interrupted(*_, **__):
    raise KeyboardInterrupt


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


def test_a_redis_that_stores_nothing_is_given_up_like_one_that_is_not_there(redis_server, make_hub, client):
    hub = make_hub(redis_server.url(), key=None, backoff=Backoff(0.01, 0.01, attempts=5))
    hub.connect()
    errors = []
    client.config_set("maxmemory", 1)
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
