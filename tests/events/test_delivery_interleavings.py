"""Every accepted event arrives exactly once and in order, in whichever order packets and people move.

`delivery_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does; it belongs into `ONCE_BROKEN` then.
"""

import asyncio

import pytest
from delivery_model import broken_promise, search, world

pytestmark = pytest.mark.usefixtures("no_logs")

ONCE_BROKEN = {
    "an event overtook what its receiver had missed, between its subscriptions and its wish to resume": (
        {},
        [
            ("kill",),
            ("publish", "bob"),
            ("cut", "bob"),
            ("connect", "bob"),
            *[("up", "bob")] * 5,
            ("publish", "bob"),
            ("cut", "ann"),
            ("connect", "ann"),
            *[("up", "ann")] * 2,
            ("up", "bob"),
        ],
    ),
    "an event overtook one for which there had been no room": (
        {"limit": 3},
        [
            *[("publish", "cat")] * 2,
            *[("up", "cat")] * 2,
            *[("publish", "bob")] * 3,
            *[("up", "bob")] * 2,
            *[("down", "ann")] * 4,
            ("work", "ann"),
            ("up", "bob"),
            ("down", "ann"),
        ],
    ),
    "a hub's return took long, and the server took it to have been away for that much less": (
        {},
        [
            ("publish", "ann"),
            ("kill",),
            ("cut", "ann"),
            ("connect", "ann"),
            *[("up", "ann")] * 5,
            ("cut", "bob"),
            ("connect", "bob"),
            ("advance", 8),
        ],
    ),
    "a hub took a connection for a return that the server never knew of": (
        {},
        [
            ("kill",),
            ("cut", "ann"),
            ("publish", "ann"),
            ("connect", "ann"),
            *[("up", "ann")] * 5,
            ("advance", 8),
            ("down", "cat"),
            ("connect", "cat"),
            ("drop", "cat"),
        ],
    ),
    "a hub read late what the server had said before it was killed, and was taken to be lost later": (
        {},
        [
            ("beat", "bob"),
            ("publish", "cat"),
            ("kill",),
            ("cut", "cat"),
            ("connect", "cat"),
            *[("up", "cat")] * 5,
            ("advance", 8),
        ],
    ),
    "what came while a hub announced itself was forgotten with the log, and confirmed never": (
        {"backlog": 4},
        [
            ("kill",),
            ("advance", 31),
            ("down", "bob"),
            ("connect", "bob"),
            *[("up", "bob")] * 2,
            ("cut", "ann"),
            ("connect", "ann"),
            *[("up", "ann")] * 4,
            *[("publish", "ann"), ("up", "ann")] * 3,
            ("cut", "cat"),
            ("connect", "cat"),
            *[("up", "cat")] * 4,
            *[("publish", "cat"), ("up", "cat")] * 2,
            *[("down", "ann"), ("down", "cat"), ("up", "ann"), ("up", "cat")] * 12,
            ("drop", "bob"),
        ],
    ),
    "flush believed that a subscription was known that nobody had been told of": (
        {},
        [("cut", "ann"), ("more", "ann")],
    ),
}


async def awaited(work, *arguments, **options):
    """The server's connections look for a loop, which has nothing to do."""
    return work(*arguments, **options)


@pytest.mark.parametrize("name", ONCE_BROKEN)
def test_no_promise_is_broken_that_was_broken_once(name):
    kind, steps = ONCE_BROKEN[name]
    broken = asyncio.run(awaited(broken_promise, steps, **kind))
    assert not broken, broken


def test_no_promise_is_broken_by_hundreds_of_random_schedules():
    broken = asyncio.run(awaited(search, range(200)))
    assert not broken, broken


def test_a_return_that_the_server_never_knew_of_does_not_shorten_an_absence():
    def absence():
        with world() as made:
            for step in ("cut", "bob"), ("advance", 8), ("connect", "bob"), ("drop", "bob"), ("down", "bob"):
                made.step(*step)
            return made.clock.monotonic() - made.people["bob"].transport.lost_at

    assert asyncio.run(awaited(absence)) == 8


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("length", [40, 80, 200])
def test_no_promise_is_broken_by_thousands_of_random_schedules(length):
    broken = asyncio.run(awaited(search, range(1_000_000, 1_010_000), length))
    assert not broken, broken
