"""A world without sockets, threads and time, in which every step is somebody's decision.

Real hubs (`EventHub`, its transport, its outbox, its link) talk to the real event server (`SocketIoServer`,
its bus) through `Wire`s whose packets move one at a time. A schedule is a list of steps, such as
`("publish", "ann")`; one that cannot be taken is skipped, so that any part of a schedule is one too.
"""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack, contextmanager
from unittest import mock

import shrinking
import websocket

from sessionkit.events import Event, EventHub, EventHubError, wire
from sessionkit.events.transports import link as links
from sessionkit.events.transports import reconnecting
from sessionkit.events.transports import socketio as transports
from sessionkit.sandbox.socketio import Connection, SocketIoServer
from sessionkit.testing import ManualClock

GRACE = 10.0
JOIN = object()


class Wire:
    """A connection, as websocket-client and the server would see it."""

    def __init__(self, world, who, header):
        self.who = who
        self.connection = Connection(f"c{next(world.serial)}", header)
        self.connection.close = self.stop_at_server
        self.server = world.server
        self.server._connections[self.connection.id] = self.connection
        self.up = deque([JOIN])
        self.open_at_server = self.open_at_client = True
        self.broken = False

    # What a link does

    def send(self, packet):
        if self.broken or not self.open_at_client:
            raise OSError("broken")
        if self.open_at_server:
            self.up.append(packet)

    def recv_data(self):
        if self.broken or not self.pending():
            raise websocket.WebSocketConnectionClosedException
        return websocket.ABNF.OPCODE_TEXT, self.connection.queue.get_nowait().encode()

    def abort(self):
        self.open_at_client = False

    def close(self, timeout=0):
        self.open_at_client = False

    shutdown = close

    @property
    def sock(self):
        return self

    def pending(self):
        return self.connection.queue.qsize()

    # What the server does

    def hear(self):
        packet = self.up.popleft()
        if packet is JOIN:
            self.server._join(self.connection)
        elif not self.server._handle(self.connection, packet):
            self.stop_at_server()

    def stop_at_server(self):
        """Hear no more; that the connection has ended is noticed later."""
        self.open_at_server = False
        self.up.clear()

    def end_at_server(self):
        self.stop_at_server()
        self.server._part(self.connection)


class Person:
    """A hub, and what it must have got."""

    def __init__(self, world, name, *, plain, limit):
        self.world = world
        self.name = name
        self.plain = plain
        self.hub = EventHub("http://model", name, clock=world.clock, queue_limit=limit)
        self.hub.init_connection()
        self.transport = self.hub._transport
        self.hub.subscribe("topic=x", self.handle)
        self.got = []
        self.accepted = []
        self.failed = {}
        self.exempt = set()
        self.away_since = 0.0
        self.newcomer = True
        self.published = 0
        self.more = self.more_known = False

    @property
    def wire(self):
        link = self.transport._link
        return link and link._socket

    @property
    def served(self):
        """Whether it has announced itself on a connection that both sides believe in."""
        current = self.wire
        if current is None or not current.open_at_server or current.broken:
            return False
        peer = current.connection.peer
        return peer is not None and peer.live

    def handle(self, event):
        self.got.append(tuple(event["data"]))

    def publish(self, topic):
        self.published += 1
        number = (self.name, self.published)
        try:
            self.hub.publish(
                Event(topic, data=number), on_error=lambda error: self.failed.update({number: error})
            )
        except EventHubError:
            return
        self.accepted.append(number)
        if self.plain or self.newcomer:
            self.world.exempt.add(number)
        for person in self.world.people.values():
            if topic == "y" and not person.more_known:
                person.exempt.add(number)

    def want_more(self, wanted):
        """Subscribe to "y" as well, or no more."""
        if wanted and not self.more:
            self.hub.subscribe("topic=y", self.handle, {"id": f"{self.name}-y"})
        elif self.more and not wanted:
            self.exempt.update(self.world.accepted())
            self.hub.unsubscribe(f"{self.name}-y")
        self.more = wanted
        self.more_known = self.more_known and wanted

    def connect(self):
        if self.wire is None:
            self.hub.init_connection()
            self.transport._keeper = reconnecting.Keeper(None)
            reconnecting._attempt(self.transport, self.transport._keeper)

    def hear(self):
        """Receive a packet, or that the connection has ended."""
        link, current = self.transport._link, self.wire
        if current is None or not (current.pending() or current.broken or not current.open_at_server):
            return
        try:
            self.transport.handle(link, link.receive())
        except reconnecting.LinkBroken:
            self.transport.lost(link)

    def goodbye(self):
        if self.wire is not None:
            self.transport.close(0)
            self.hub._reception.is_down("disconnected")
            self.newcomer = True

    def work(self):
        if len(self.hub._reception.inbox):
            self.hub._reception.inbox.take(None)()


class World:
    """Three hubs and their server."""

    def __init__(self, *, plain=False, limit=1000, backlog=1000):
        self.serial = iter(range(1_000_000))
        self.clock = ManualClock()
        self.backlog = backlog
        self.tight = limit < 1000 or backlog < 1000
        self.wires = []
        self.exempt = set()
        self.unordered = set()
        self.excuse = ""
        self.server = self.new_server()
        self.people = {
            name: Person(self, name, plain=plain and name == "cat", limit=limit)
            for name in ("ann", "bob", "cat")
        }

    def new_server(self):
        self.started = self.clock.monotonic()
        return SocketIoServer(self.clock, grace=GRACE, backlog=self.backlog)

    def open(self, options, header):
        plain = self.people[options.api_user].plain
        self.wires.append(Wire(self, options.api_user, "" if plain else header))
        return links.SocketIoLink(self.wires[-1], wire.parse_session("s:15:25:websocket"), resumes=not plain)

    # Steps

    def step(self, name, *arguments):
        getattr(self, f"do_{name}")(*arguments)
        self.watch()

    def do_publish(self, who, topic="x"):
        self.people[who].publish(topic)

    def do_more(self, who):
        self.people[who].want_more(True)

    def do_less(self, who):
        self.people[who].want_more(False)

    def do_connect(self, who):
        self.people[who].connect()

    def do_down(self, who):
        self.people[who].hear()

    def do_work(self, who):
        self.people[who].work()

    def do_up(self, who):
        """The server hears the hub's newest connection, as far as it knows it."""
        current = self.people[who].wire
        if current is not None and current.up:
            current.hear()

    def do_late(self, who):
        """The server hears a connection that the hub has left."""
        for left in self.wires_of(who):
            if left.up and not left.open_at_client:
                left.hear()
                return

    def do_notice(self, who):
        """The server notices which of the hub's connections have ended."""
        for one in self.wires_of(who):
            if not (one.open_at_server and one.open_at_client):
                one.end_at_server()

    def do_cut(self, who):
        """The hub notices the end of its connection first."""
        person = self.people[who]
        if person.wire is not None:
            person.transport.lost(person.transport._link)

    def do_break(self, who):
        """Sending and receiving fail from now on."""
        if self.people[who].wire is not None:
            self.people[who].wire.broken = True

    def do_drop(self, who):
        """The server ends the connection first."""
        current = self.people[who].wire
        if current is not None and current.open_at_server:
            current.connection.cut()

    def do_beat(self, who):
        current = self.people[who].wire
        if current is not None and current.open_at_server and current.connection.peer is not None:
            current.connection.send(f"{wire.HEARTBEAT}::")

    def do_refuse(self, who):
        """The server hears an event and refuses it."""
        current = self.people[who].wire
        if current is not None and current.up and '"topic":"x"' in str(current.up[0]):
            # Should the refusal be lost, the event is tried again, behind others by then.
            self.unordered.add(tuple(wire.parse_event(wire.parse_packet(current.up[0]).data)[1][0]["data"]))
            self.server.fault("event_refuse")
            current.hear()
            self.excuse = "an event was refused"

    def do_goodbye(self, who):
        self.people[who].goodbye()

    def do_kill(self):
        for one in self.wires:
            one.stop_at_server()
        self.server = self.new_server()

    def do_advance(self, seconds):
        self.clock.advance(seconds)

    def do_tick(self):
        self.server.bus.tick()

    def wires_of(self, who):
        """Those that this server does not know to be gone."""
        self.wires = [one for one in self.wires if one.connection.id in self.server._connections]
        return [one for one in self.wires if one.who == who]

    def watch(self):
        """Who is away, and for whom the promise does not hold any more."""
        now = self.clock.monotonic()
        for person in self.people.values():
            if person.more and not person.more_known:
                peer = self.server.bus._peers.get(person.hub.id)
                person.more_known = peer is not None and f"{person.name}-y" in peer.interests
                flushed = person.transport.flush(0) and not (person.plain or person.newcomer)
                assert person.more_known or not flushed, "flush returned before a subscription was known"
            if person.served:
                if person.away_since is None:
                    person.newcomer = person.newcomer and not self.all_served()
                person.away_since = None
                continue
            if person.away_since is None:
                person.away_since = now
            if person.newcomer or now - person.away_since >= GRACE:
                person.exempt.update(self.accepted())
                self.excuse = self.excuse or f"{person.name} was away"

    def accepted(self):
        """Every event so far."""
        return [number for person in self.people.values() for number in person.accepted]

    def all_served(self):
        return all(person.served for person in self.people.values())

    # The end

    def settle(self):
        """Let everything happen that can happen without time."""
        for _ in range(200):
            moved = False
            for who, person in self.people.items():
                if person.wire is None:
                    self.step("connect", who)
                while person.wire is not None and person.wire.up:
                    moved = True
                    self.step("up", who)
                while person.wire is not None and (
                    person.wire.pending() or person.wire.broken or not person.wire.open_at_server
                ):
                    moved = True
                    self.step("down", who)
                while len(person.hub._reception.inbox):
                    moved = True
                    self.step("work", who)
                if person.wire is not None and person.transport._link.dropped:
                    moved = True
                    self.step("beat", who)
            if not moved:
                return
        raise AssertionError("it does not come to rest")

    def finish(self):
        """Let everything arrive, and look whether it has."""
        self.drain()
        self.check()
        self.check_that_nothing_is_kept()

    def drain(self):
        self.settle()
        for _ in range(2):
            for _ in range(2):
                self.step("advance", GRACE / 2)
                self.step("tick")
            for who in self.people:
                self.step("beat", who)
            self.settle()

    def check(self):
        """The promises."""
        for person in self.people.values():
            self.check_publisher(person)
            for publisher in self.people.values():
                self.check_receiver(publisher, person)

    def check_publisher(self, person):
        waiting = [entry.event["data"] for entry in person.transport.outbox._entries.values()]
        assert not waiting, f"{person.name} waits for the confirmation of {waiting}"
        if not (self.excuse or self.tight or self.clock.monotonic() > reconnecting.CONFIRM_SECONDS):
            assert not person.failed, f"{person.name} heard of an error for no reason: {person.failed}"

    def check_receiver(self, publisher, person):
        got = [number for number in person.got if number[0] == publisher.name]
        names = f"from {publisher.name} to {person.name}: {[n for _, n in got]}"
        assert len(set(got)) == len(got), f"twice {names}"
        if person.plain:
            return
        # A server whose memory is full forgets what it refused; who was away too long may hear late.
        free = person.exempt | set(publisher.failed) | self.unordered
        ordered = [number for number in got if number not in free]
        assert ordered == sorted(ordered) or self.backlog < 1000, f"out of order {names}"
        owed = set(publisher.accepted) - set(publisher.failed) - person.exempt - self.exempt
        missing = sorted(owed - set(got))
        assert not missing, f"missing {names}, without {[n for _, n in missing]}"

    def check_that_nothing_is_kept(self):
        for who in self.people:
            self.step("goodbye", who)
            while any(one.up for one in self.wires_of(who)):
                self.step("late", who)
            self.step("notice", who)
        self.step("advance", 3 * GRACE)
        self.step("tick")
        bus = self.server.bus
        assert bus.idle, "something is kept for ever"
        assert (bus._receipts, bus._index._entries, self.server._connections) == ({}, {}, {})


@contextmanager
def world(**options):
    """A world whose hubs are all connected."""
    with ExitStack() as undo:
        made = World(**options)
        undo.enter_context(mock.patch.object(links.SocketIoLink, "open", made.open))
        for module in (links, transports):
            undo.enter_context(mock.patch.object(module, "time", made.clock))
        made.settle()
        for person in made.people.values():
            person.newcomer, person.away_since = False, None
            person.exempt.clear()
        made.excuse = ""
        yield made


WEIGHTS = {
    "publish": 10,
    "up": 34,
    "down": 20,
    "work": 8,
    "connect": 14,
    "late": 3,
    "notice": 2,
    "cut": 2,
    "break": 1,
    "drop": 1,
    "beat": 2,
    "kill": 2,
    "advance": 3,
    "tick": 3,
    "more": 1,
    "less": 0.5,
    "refuse": 0.3,
    "goodbye": 0.3,
}


def schedule(rng, length):
    """A random list of steps."""
    steps = []
    for name in rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length):
        if name in {"kill", "tick"}:
            steps.append((name,))
        elif name == "advance":
            steps.append((name, rng.choice([0.5, 2, 2, 4, 8, 31] if rng.random() < 0.3 else [0.5, 2, 3])))
        else:
            topic = ["y"] if name == "publish" and rng.random() < 0.3 else []
            steps += [(name, rng.choice(["ann", "bob", "cat"]), *topic)] * rng.choice([1, 1, 2, 4])
    return steps


def options(rng):
    """What kind of world."""
    return {
        "plain": rng.random() < 0.2,
        "limit": rng.choice([1000, 1000, 3]),
        "backlog": rng.choice([1000, 1000, 4]),
    }


def broken_promise(steps, **kind):
    """Which promise is broken when the steps are taken, in a few words; "" when none is."""
    with world(**kind) as made:
        return shrinking.broken_in(made, steps)


def search(seeds, length=80):
    """See `shrinking.search`."""
    return shrinking.search(seeds, lambda rng: (options(rng), schedule(rng, length)), broken_promise)
