"""Hubs on Redis streams without sockets, threads and time, in which every step is somebody's decision.

Real hubs (`EventHub`, `RedisTransport`, its link and its place) talk to `redis_double.Server`. A schedule is
a list of steps, such as `("publish", "ann")`; one that cannot be taken is skipped, so that any part of a
schedule is one too. Ann and Bob are plain hubs, Cat and Dan members of a group; Dan's consumer has a name.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest import mock

from redis_double import Client, Server

from sessionkit.events import Event, EventHub, EventHubError
from sessionkit.events.transports import places, reconnecting
from sessionkit.events.transports import redis as transports
from sessionkit.testing import ManualClock

STREAM = "sessionkit:events"
KEYS = (STREAM, f"{STREAM}:direct")
CALM = ("publish", "read", "work", "connect", "advance")
QUERIES = {"ann": "?", "bob": "?", "cat": "?group=g&", "dan": "?group=g&consumer=dan&"}
FORGETFUL = places.FORGETFUL_SECONDS
ABANDONED = places._ABANDONED_SECONDS


class Life:
    """A person's process, from its start until it is killed: a hub, and what it got."""

    def __init__(self, world, name, serial):
        self.world = world
        self.name = f"{name}{serial}"
        self.group = "group" in QUERIES[name]
        self.hub = EventHub(
            f"redis://model/0{QUERIES[name]}maxlen={world.maxlen}", clock=world.clock, queue_limit=world.limit
        )
        self.hub.init_connection()
        self.transport = self.hub._transport
        self.hub.subscribe("topic=x", self.handle, {"name": name})
        self.got = []
        self.published = 0
        self.began = None
        self.told_at = -1
        self.alive = True

    @property
    def link(self):
        return self.transport._link

    @property
    def place(self):
        """Its own, in the stream or in what has a target."""
        place = self.transport._place
        return getattr(place, "_direct", place)

    def handle(self, event):
        self.got.append(tuple(event["data"]))

    def publish(self, target):
        self.published += 1
        key = (self.name, self.published)
        try:
            self.hub.publish(Event("x", data=key, target=f"name={target}" if target else ""))
        except (EventHubError, KeyboardInterrupt):
            return
        self.world.accepted[key] = SimpleNamespace(at=self.world.serial, target=target, publisher=self)

    def connect(self):
        if self.link is None:
            self.transport._keeper = reconnecting.Keeper(None)
            try:
                reconnecting._attempt(self.transport, self.transport._keeper)
            except (EventHubError, reconnecting.LinkBroken, KeyboardInterrupt):
                return False
        return True

    def read(self):
        """Take what has come; whether there was anything."""
        link = self.link
        if link is None:
            return False
        try:
            batch = link.receive()
            self.transport.handle(link, batch)
        except reconnecting.LinkBroken:
            self.transport.lost(link)
            return True
        return bool(batch)

    def work(self):
        if not len(self.hub._reception.inbox):
            return False
        self.hub._reception.inbox.take(None)()
        return True


class World:
    """Four people and their Redis, whose stream is older than they are."""

    def __init__(self, *, limit=1000, maxlen=1000, fresh=False):
        self.clock = ManualClock()
        self.server = Server(self.clock)
        self.limit = limit
        self.maxlen = maxlen
        self.fresh = fresh
        self.serial = 0
        self.calm = True
        self.synced = 0
        self.group_known = False
        self.accepted = {}
        self.unsure_of_group = set()
        self.forgotten_for_good = set()
        self.lives = []
        self.actor = None
        event = '{"topic": "x", "data": ["old", %d], "id": "old%d", "target": ""}'
        for n in range(3):
            for key in KEYS:
                self.server.obey(("xadd", (key, {"event": event % (n, n)}), {}))

    def tell(self, *_):
        """Somebody logs that it may miss something."""
        self.actor.told_at = self.serial

    # Steps

    def step(self, name, *arguments):
        self.serial += 1
        self.calm = self.calm and name in CALM
        self.clock.advance(0.001)
        getattr(self, f"do_{name}")(*arguments)
        for life in self.lives:
            if life.began is None and life.place.last:
                life.began = (self.serial, self.clock.monotonic())
                if not self.group_known:  # who does not know of it makes it anew
                    self.unsure_of_group |= set(self.accepted)
        stream = self.server.data.streams.get(STREAM)
        self.group_known = stream is not None and "g" in stream.groups

    def person(self, name):
        """The person's process; it starts if there is none."""
        for life in self.lives:
            if life.alive and life.name.startswith(name):
                break
        else:
            life = Life(self, name, len(self.lives))
            self.lives.append(life)
        self.actor = life
        return life

    def do_publish(self, who, target=""):
        self.person(who).publish(target)

    def do_connect(self, who):
        self.person(who).connect()

    def do_read(self, who):
        self.person(who).read()

    def do_work(self, who):
        self.person(who).work()

    def do_kill(self, who):
        self.person(who).alive = False

    def do_leave(self, who):
        """Disconnect for a while."""
        person = self.person(who)
        if person.link is not None:
            link = person.link
            person.transport.close(0, keep=True)
            link.close()

    def do_cut(self, who):
        """Both connections are lost without a word."""
        link = self.person(who).link
        if link is not None:
            for client in link._clients:
                client.close()

    def do_fault(self, command, kind):
        """Something goes wrong with the next command of that name."""
        self.server.faults[command] = kind

    def do_refuse(self, kind):
        """Redis refuses from now on; "" for no longer."""
        self.server.refusal = kind

    def do_crash(self, most, behind=0):
        """Redis starts again, or its replica does; it forgets so many writes, but none that is old."""
        since = self.clock.monotonic() - FORGETFUL
        young = [at for at, *_ in self.server.log[self.synced :] if at > since]
        self.server.behind += behind
        self.server.crash(min(most, len(young)))
        self.forget()

    def forget(self):
        """A hub with little room, or whose stream has little, stores nothing again that is older."""
        if self.limit < 1000 or self.maxlen < 1000:
            self.forgotten_for_good |= set(self.accepted)

    def do_exchange(self, behind):
        self.server.behind += behind
        self.server.exchange()
        self.synced = 0
        self.excuse()
        self.forget()

    def do_trim(self, left):
        for key in KEYS:
            self.drop("xtrim", key, left)

    def do_delete(self, key):
        self.drop("delete", key)

    def drop(self, command, key, *arguments):
        self.server.obey((command, (key, *arguments), {}))
        self.synced = len(self.server.log)  # should that be undone, it is as if Redis had been exchanged
        self.excuse()

    def excuse(self):
        """What is lost is missed by a group, and by who had found nothing there without knowing."""
        self.unsure_of_group |= set(self.accepted)
        for life in self.lives:
            if life.place.last == "0-0":
                life.told_at = self.serial

    def do_advance(self, seconds):
        """Time passes; who is connected looks now and then whether something came."""
        for _ in range(int(seconds) // 10):
            self.clock.advance(10)
            for life in self.lives:
                if life.alive:
                    self.actor = life
                    life.read()
        self.clock.advance(seconds % 10)

    # The end

    def settle(self):
        """Let everything happen that can happen without time."""
        quiet = 0
        for _ in range(200):
            moved = False
            for name in QUERIES:
                self.step("connect", name)
                person = self.person(name)
                moved |= person.link is None
                while person.link is not None and person.read():
                    moved = True
                while self.person(name).work():
                    moved = True
            quiet = 0 if moved else quiet + 1
            if quiet == 2:  # who finds nothing may look elsewhere next
                return
        raise AssertionError("it does not come to rest")

    def finish(self):
        """Let everything arrive, and look whether it has."""
        self.drain()
        self.check()

    def drain(self):
        """Put everything right, and let time pass."""
        self.server.faults.clear()
        self.server.refusal = ""
        self.settle()
        for _ in range(4):  # what was given out by a clock that was ahead takes longer to be abandoned
            self.step("advance", ABANDONED + 1)
            self.settle()
        for name in QUERIES:
            self.step("publish", name)
        self.settle()

    def check(self):
        """The promises."""
        self.stored = {key for *_, commands in self.server.log for key in stored_keys(commands)}
        for life in self.lives:
            if life.alive:
                waiting = [entry.event["data"] for entry in life.transport.outbox._entries.values()]
                assert not waiting, f"{life.name} waits to store {waiting}"
                assert life.hub.connected, f"{life.name} is not connected"
                assert life.transport.flush(0), f"{life.name} is not settled"
            assert len(set(life.got)) == len(life.got), f"{life.name} got twice {life.got}"
            assert not self.got_old(life), f"{life.name} got what is old {life.got}"
            if not life.group:
                self.check_order(life)
            self.check_missing(life)
        self.check_group()

    def got_old(self, life):
        """What was there before everybody; unless there was no older place to return to."""
        return self.maxlen == 1000 and any(who == "old" for who, _ in life.got)

    def check_order(self, life):
        """Of what came since it connected: what was stored shortly before may be stored again after that."""
        since = max(life.began[0] if life.began else 0, life.told_at)
        for publisher in {who for who, _ in life.got}:
            numbers = [n for who, n in life.got if who == publisher and self.accepted_at(who, n) > since]
            assert numbers == sorted(numbers), f"out of order from {publisher} to {life.name}: {numbers}"

    def accepted_at(self, *key):
        return self.accepted[key].at if key in self.accepted else -1

    def owed(self):
        """What was accepted, and either reached Redis for good or whose publisher is there to care for it."""
        return {
            key: event
            for key, event in self.accepted.items()
            if key in self.stored or (event.publisher.alive and key not in self.forgotten_for_good)
        }

    def check_missing(self, life):
        if not life.alive or life.began is None:
            return
        missing = [
            key
            for key, event in self.owed().items()
            if event.at > max(life.began[0], life.told_at)
            and key not in life.got
            and (life.name.startswith(event.target) if event.target else not life.group)
        ]
        assert not missing, f"{life.name} misses {missing}, got {life.got}"

    def check_group(self):
        members = [life for life in self.lives if life.group]
        got = {key for member in members for key in member.got}
        if self.maxlen == 1000:
            since = min(member.began[0] for member in members if member.began)
            missing = [
                key
                for key, event in self.owed().items()
                if event.at > since and not event.target and key not in got | self.unsure_of_group
            ]
            assert not missing, f"the group misses {missing}, got {got}"
        if self.calm:
            all_got = [key for member in members for key in member.got]
            assert len(all_got) == len(got), f"handled by two members: {all_got}"
        pending = self.server.data.streams[STREAM].groups["g"].pending
        assert not pending, f"the group still waits for {pending}"


def stored_keys(commands):
    """Which events the commands store."""
    for name, arguments, _ in commands:
        if name == "xadd":
            fields = transports.wire.parse_json(arguments[1]["event"])
            yield tuple(fields["data"])


@contextmanager
def world(**options):
    """A world whose hubs are all connected."""
    with ExitStack() as undo:
        made = World(**options)
        clock = SimpleNamespace(
            monotonic=made.clock.monotonic, sleep=lambda _: made.actor.work() or made.clock.advance(0.05)
        )
        for module in (transports, places):
            undo.enter_context(mock.patch.object(module, "time", clock))
        undo.enter_context(mock.patch.object(places, "_BATCH", 3))
        undo.enter_context(
            mock.patch.object(transports.RedisLink, "_client", lambda link, _: _new_client(link, made))
        )
        made.clock.advance(100)
        undo.enter_context(mock.patch.object(places, "_logger", SimpleNamespace(error=made.tell)))
        made.settle()
        if not made.fresh:
            made.clock.advance(2 * FORGETFUL)
        yield made


def _new_client(link, made):
    client = Client(made.server)
    link._clients.append(client)
    return client
