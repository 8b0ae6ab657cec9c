"""What the event server remembers, and for how long: routing without sockets, the clock turned by hand."""

import json

import pytest

from sessionkit.events import Event
from sessionkit.sandbox.eventbus import EventBus


class Client:
    """A client of the bus: what was sent to it, and what it was answered."""

    def __init__(self, bus, key="", lost=None):
        self.bus = bus
        self.packets = []
        self.answers = []
        self.peer = bus.join(key or f"plain-{id(self)}", self.packets.append, resumes=bool(key), lost=lost)

    def subscribes(self, expression):
        self.bus.subscribe(self.peer, expression, {"id": f"{self.peer.key}-{expression}"}, "")
        return self

    def resumes(self):
        self.bus.resume(self.peer)
        return self

    def publishes(self, data, topic="x", event_id=None):
        self.bus.receive(
            self.peer, Event(topic, data=data, id=event_id), lambda *answer: self.answers.append(answer)
        )

    @property
    def got(self):
        return [
            json.loads(packet.split(":", 3)[3])["args"][0]["data"]
            for packet in self.packets
            if packet[0] == "5"
        ]

    def acknowledges(self):
        last = [packet for packet in self.packets if packet[0] == "5"][-1]
        self.bus.acknowledged(self.peer, int(last.split(":")[1].rstrip("+")))

    def vanishes(self):
        self.bus.vanish(self.peer, self.packets.append)


@pytest.fixture
def bus(manual_clock):
    return EventBus(manual_clock, grace=10, backlog=5)


@pytest.fixture
def pair(bus):
    return Client(bus, "ann").resumes(), Client(bus, "bob").subscribes("topic=x").resumes()


def test_a_publisher_hears_received_when_everybody_has_it(pair):
    ann, bob = pair
    ann.publishes(1)
    ann.publishes(2)
    assert (bob.got, ann.answers) == ([1, 2], [])
    bob.acknowledges()  # the last stands for both
    assert ann.answers == [(True, ""), (True, "")]


def test_a_plain_client_is_answered_at_once_and_nothing_is_kept_for_one(bus, pair):
    _, bob = pair
    plain = Client(bus).subscribes("topic=x")
    plain.publishes(1)
    assert plain.answers == [(True, "")]
    assert plain.got == bob.got == [1]
    plain.vanishes()
    assert plain.peer.key not in bus._peers


def test_what_a_client_missed_is_sent_when_it_returns(bus, pair, manual_clock):
    ann, bob = pair
    ann.publishes(1)
    bob.vanishes()
    ann.publishes(2)
    manual_clock.advance(9)
    bus.tick()
    back = Client(bus, "bob", lost=9).subscribes("topic=x")
    ann.publishes(3)
    assert back.got == []  # not before everything is announced
    back.resumes()
    assert back.got == [1, 2, 3]
    back.acknowledges()
    assert ann.answers == [(True, "")] * 3


def test_a_client_that_stays_away_is_an_error_for_the_publisher(bus, pair, manual_clock):
    ann, bob = pair
    ann.publishes(1)
    bob.vanishes()
    manual_clock.advance(11)
    bus.tick()
    assert ann.answers == [(False, "the hub bob vanished before it had it")]
    late = Client(bus, "bob", lost=12).subscribes("topic=x").resumes()
    assert late.got == [1]
    assert "7:::away for 12 s" in str(late.packets)


def test_a_client_that_says_goodbye_is_waited_for_no_more(bus, pair):
    ann, bob = pair
    ann.publishes(1)
    bus.leave(bob.peer)
    ann.publishes(2)
    assert ann.answers == [(True, ""), (True, "")]


def test_an_event_sent_twice_is_routed_once(bus, pair):
    ann, bob = pair
    ann.publishes(1, event_id="one")
    ann.publishes(1, event_id="one")
    assert bob.got == [1]
    bob.acknowledges()
    assert ann.answers == [(True, "")]  # on the connection that asked last
    ann.publishes(1, event_id="one")
    assert len(ann.answers) == 2


def test_after_losing_its_memory_the_bus_confirms_nothing_until_everybody_may_be_back(bus, manual_clock):
    ann = Client(bus, "ann", lost=1).resumes()
    ann.publishes(1)
    manual_clock.advance(5)
    bob = Client(bus, "bob", lost=6).subscribes("topic=x").resumes()
    assert bob.got == [1]
    bob.acknowledges()
    assert ann.answers == []
    manual_clock.advance(5)
    bus.tick()
    assert ann.answers == [(True, "")]


def test_what_comes_while_a_client_announces_itself_waits_for_what_it_missed(bus):
    ann = Client(bus, "ann", lost=1).resumes()
    ann.publishes(1)
    bob = Client(bus, "bob", lost=1).subscribes("topic=x")
    ann.publishes(2)  # between what the client wants and that it wants it now
    bob.resumes()
    assert bob.got == [1, 2]


def test_how_long_a_client_was_away_is_kept_when_it_breaks_off_announcing_itself(bus, manual_clock):
    ann = Client(bus, "ann", lost=1).resumes()
    ann.publishes(1)
    bob = Client(bus, "bob", lost=1).subscribes("topic=x")
    bob.vanishes()
    manual_clock.advance(9)
    back = Client(bus, "bob", lost=10).subscribes("topic=x").resumes()
    assert back.got == [1]


def test_a_newcomer_gets_nothing_old(bus, pair):
    ann, _ = pair
    ann.publishes(1)
    assert Client(bus, "carol").subscribes("topic=x").resumes().got == []


def test_a_subscription_that_is_not_announced_again_ends(bus, pair):
    ann, bob = pair
    bob.vanishes()
    back = Client(bus, "bob", lost=1).subscribes("topic=y").resumes()
    ann.publishes(1)
    ann.publishes(2, topic="y")
    assert back.got == [2]


def test_a_full_backlog_is_an_error_for_the_publisher(pair):
    ann, bob = pair
    for n in range(6):
        ann.publishes(n)
    assert bob.got == [0, 1, 2, 3, 4]
    assert ann.answers == [(False, "5 events wait for the hub bob already")]


def test_a_recovering_bus_keeps_no_more_than_it_can(bus):
    ann = Client(bus, "ann", lost=1).resumes()
    for n in range(6):
        ann.publishes(n)
    assert [success for success, _ in ann.answers] == [False]


def test_a_connection_that_was_replaced_may_end_late(bus, pair):
    ann, bob = pair
    back = Client(bus, "bob", lost=0).subscribes("topic=x").resumes()
    bob.vanishes()
    ann.publishes(1)
    assert back.got == [1]


def test_everything_is_forgotten_in_time(bus, pair, manual_clock):
    ann, bob = pair
    ann.publishes(1)
    for client in (ann, bob):
        client.vanishes()
    manual_clock.advance(100)
    bus.tick()
    assert bus.idle
    assert not bus._receipts
    assert not bus._index.listens("x")
