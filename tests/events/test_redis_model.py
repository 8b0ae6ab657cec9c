"""What is promised for events through Redis holds, in whichever order people, connections and Redis fail.

`redis_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does; it belongs into `ONCE_BROKEN` then.
"""

import random

import pytest
import redis
from redis_double import Streams
from redis_schedules import broken_promise, search

from sessionkit.events.reception import _Seen
from sessionkit.events.transports.outbox import Outbox
from sessionkit.events.transports.places import GroupPlace, Place
from sessionkit.events.transports.redis import RedisTransport

pytestmark = pytest.mark.usefixtures("no_logs")

ONCE_BROKEN = {
    "Redis forgot something, and everything was read from the beginning of the stream": (
        {"fresh": True},
        [("publish", "ann"), ("read", "bob"), ("crash", 5, 30)],
    ),
    "the stream was trimmed without having been full, and nobody was told": (
        {},
        [*[("publish", "cat")] * 3, ("publish", "bob", "dan"), ("trim", 3)],
    ),
    "another Redis had given an event's identifier to another event, and the event was not stored again": (
        {"fresh": True},
        [("publish", "bob", "ann"), ("publish", "cat", "cat"), ("exchange", 0.002), ("read", "cat")],
    ),
    "what the stream had dropped stayed with the member that claimed it": (
        {"maxlen": 4},
        [
            *[("publish", "bob")] * 2,
            ("read", "cat"),
            ("kill", "cat"),
            ("publish", "bob", "bob"),
            *[("publish", "dan", "cat")] * 2,
        ],
    ),
    "what could not be acknowledged was kept for ever": (
        {"fresh": True},
        [("fault", "xack", "MISCONF"), ("publish", "dan", "ann"), ("read", "cat")],
    ),
    "a member that was slow was taken to be dead": (
        {},
        [
            *[("publish", "ann")] * 2,
            ("read", "dan"),
            *[("advance", 61)] * 2,
            ("read", "cat"),
            ("work", "cat"),
        ],
    ),
}


@pytest.mark.parametrize("name", ONCE_BROKEN)
def test_no_promise_is_broken_that_was_broken_once(name):
    kind, steps = ONCE_BROKEN[name]
    broken = broken_promise(steps, **kind)
    assert not broken, broken


def test_no_promise_is_broken_by_random_schedules():
    broken = search(range(20))
    assert not broken, broken


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("length", [20, 60, 150])
def test_no_promise_is_broken_by_thousands_of_random_schedules(length):
    broken = search(range(1_000_000, 1_003_000), length)
    assert not broken, broken


def _done_at_once(transport, link, stored, queue=RedisTransport._queue):
    link.handled(stored)
    queue(transport, link, stored)


STORED_TWICE = [("fault", "xadd", "after"), *[("publish", "ann")] * 2]
FORGOTTEN = [*[("publish", "ann")] * 2, ("crash", 20)]
MISTAKES = {
    "nothing is stored again": (RedisTransport, "announce", lambda *_: None, FORGOTTEN),
    "a lost event is not sent again": (
        Outbox,
        "rewind",
        lambda _: None,
        [("fault", "xadd", "before"), ("publish", "ann")],
    ),
    "what comes twice is not noticed": (
        _Seen,
        "__contains__",
        lambda *_: False,
        STORED_TWICE,
    ),
    "a place is lost with its connection": (
        Place,
        "_return",
        lambda place, _: setattr(place, "last", "0-0"),
        [("cut", "ann")],
    ),
    "a hub waits behind a place that Redis has forgotten": (
        Place,
        "_return",
        lambda *_: None,
        [("publish", "ann"), ("read", "bob"), ("advance", 2), ("crash", 1, 300)],
    ),
    "nobody takes over from the dead": (
        GroupPlace,
        "_abandoned",
        lambda *_: [],
        [("publish", "ann"), ("read", "cat"), ("kill", "cat")],
    ),
    "nothing is acknowledged": (GroupPlace, "done", lambda *_: None, []),
    "it is acknowledged before it is handled": (
        RedisTransport,
        "_queue",
        _done_at_once,
        [("publish", "ann"), ("read", "cat"), ("kill", "cat")],
    ),
    "slow members are not told from dead ones": (
        GroupPlace,
        "keep",
        lambda *_: None,
        ONCE_BROKEN["a member that was slow was taken to be dead"][1],
    ),
    "what is for one member is left to whom the group gives it": (
        GroupPlace,
        "elsewhere",
        lambda *_: True,
        [("publish", "ann", "nobody")],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(mistake, monkeypatch):
    where, name, wrong, steps = MISTAKES[mistake]
    assert not broken_promise(steps)
    monkeypatch.setattr(where, name, wrong)
    assert broken_promise(steps)


def _outcome(obey, *arguments, **options):
    try:
        return obey(*arguments, **options)
    except redis.ResponseError as error:
        return str(error).split()[0]


def _command(rng):
    """A command on a stream "s" and its group "g", with its options."""
    key, entry = "s", f"{rng.randrange(1, 40)}-{rng.choice([0, 0, 1])}"
    who = rng.choice(["one", "two"])
    return rng.choice(
        [
            *[("xadd", (key, {"event": entry}), {"id": entry, "maxlen": None})] * 4,
            ("xadd", (key, {"event": entry}), {"id": entry, "maxlen": 4, "approximate": False}),
            ("xrange", (key, entry), {"count": 3}),
            ("xrange", (key, entry, entry), {}),
            ("xrevrange", (key, entry), {"count": 1}),
            ("xlen", (key,), {}),
            ("xread", ({key: entry},), {"count": 2}),
            ("xgroup_create", (key, "g"), {"id": rng.choice(["$", "0", entry]), "mkstream": True}),
            *[("xreadgroup", ("g", who, {key: ">"}), {"count": 2})] * 3,
            ("xreadgroup", ("g", who, {key: rng.choice(["0-0", entry])}), {"count": 2}),
            ("xack", (key, "g", entry), {}),
            ("xautoclaim", (key, "g", who), {"min_idle_time": 0, "start_id": entry, "count": 2}),
            ("xpending_range", (key, "g", "-", "+", 9), {"consumername": who}),
            ("xclaim", (key, "g", who, 0, [entry]), {"justid": True}),
            ("xtrim", (key, 5), {"approximate": False}),
            ("xdel", (key, entry), {}),
            ("delete", (rng.choice([key, *"abcdefghi"]),), {}),
        ]
    )


def test_the_double_answers_as_redis_does(redis_server):
    rng = random.Random(7)
    double = Streams()
    with redis.Redis(port=redis_server.port, decode_responses=True, protocol=2) as client:
        for step in range(1500):
            name, arguments, options = _command(rng)
            got = _outcome(getattr(double, name), 0, *arguments, **options)
            expected = _outcome(getattr(client, name), *arguments, **options)
            assert _plain(got) == _plain(expected), (step, name, arguments, options)


def _plain(answer):
    """An answer without what hubs do not look at."""
    if isinstance(answer, (list, tuple)):
        return [_plain(each) for each in answer]
    if isinstance(answer, dict):
        return answer.get("message_id", answer)
    return answer
