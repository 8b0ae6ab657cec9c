"""Publishing, subscribing, answering and waiting, in one process."""

import gc
import inspect
import logging
import pickle
import threading
import weakref

import pytest
from event_servers import drain

import sessionkit.events
from sessionkit.errors import ConfigurationError
from sessionkit.events import (
    Event,
    EventHub,
    EventHubConnectionError,
    EventHubPacketError,
    EventQueueFull,
    ExpressionError,
    NotUniqueError,
    ServerDetails,
    SocketIoSession,
    Subscriber,
    SubscriberNotFound,
)
from sessionkit.testing.tools import wait_until


def test_everything_public_is_exported_and_nothing_else():
    assert list(sessionkit.events.__all__) == sorted(
        name
        for name, value in vars(sessionkit.events).items()
        if not name.startswith("_") and inspect.isclass(value)
    )


def test_a_subscriber_gets_the_events_it_asked_for(connected):
    hub = connected()
    got = []
    hub.subscribe("topic=shot.* and data.project=hero", got.append)
    hub.publish(Event("shot.new", data={"project": "other"}))
    hub.publish(Event("asset.new", data={"project": "hero"}))
    hub.publish(Event("shot.new", data={"project": "hero"}))
    wait_until(lambda: got)
    assert [event["topic"] for event in got] == ["shot.new"]


def test_an_event_is_completed_with_its_source(make_hub):
    hub = make_hub(user="ann")
    event = Event("x", source={"host": "elsewhere"})
    hub.publish(event, synchronous=True)
    assert event["source"] == {"id": hub.id, "user": {"username": "ann"}, "host": "elsewhere"}


def test_hubs_of_one_process_hear_each_other(make_hub):
    one, other, silent = make_hub(), make_hub(), make_hub()
    got = []
    other.subscribe("topic=x", got.append)
    silent.subscribe("topic=x", got.append)
    one.connect()
    other.connect()
    one.publish(Event("x"))
    drain(other)
    assert len(got) == 1


def test_handlers_run_by_priority_then_in_order_and_may_stop_the_event(make_hub):
    hub = make_hub()
    called = []
    hub.subscribe("topic=x", lambda event: called.append("second"), priority=10)
    hub.subscribe("topic=x", lambda event: called.append("third"), priority=10)
    hub.subscribe("topic=x", lambda event: (called.append("fourth"), event.stop()), priority=20)
    hub.subscribe("topic=x", lambda event: called.append("never"))
    hub.subscribe("not topic=y", lambda event: called.append("first"), priority=0)
    hub.publish(Event("x"), synchronous=True)
    assert called == ["first", "second", "third", "fourth"]


def test_synchronous_publishing_returns_results_without_a_connection(make_hub):
    hub = make_hub()
    hub.subscribe("topic=x", lambda event: 1)
    hub.subscribe("topic=x", lambda event: None)
    assert hub.publish(Event("x"), synchronous=True) == [1, None]


def test_a_handler_that_raises_is_logged_and_stops_nobody(make_hub, caplog):
    hub = make_hub()
    hub.subscribe("topic=x", lambda event: 1 / 0, priority=1)
    hub.subscribe("topic=x", lambda event: "still called")
    assert hub.publish(Event("x"), synchronous=True) == ["still called"]
    assert "ZeroDivisionError" in caplog.text


def test_odd_events_reach_those_who_can_read_them(make_hub):
    hub = make_hub()
    hub.subscribe("data.n > 5 and topic=x", lambda event: "number")
    hub.subscribe("data.n=a*", lambda event: "prefix")
    hub.subscribe("topic=x", lambda event: "topic")
    assert hub.publish(Event("x", data=["a list"]), synchronous=True) == ["topic"]
    assert hub.publish(Event("x", data={"n": {}}), synchronous=True) == ["topic"]
    odd = Event("x")
    odd["topic"] = ["not even text"]
    assert hub.publish(odd, synchronous=True) == []


def test_a_target_chooses_among_subscribers(make_hub, caplog):
    hub = make_hub()
    hub.subscribe("topic=x", lambda event: "ann", subscriber={"id": "1", "user": {"name": "ann"}})
    hub.subscribe("topic=x", lambda event: "bob", subscriber={"id": "2", "user": {"name": "bob"}})
    assert hub.publish(Event("x", target="user.name=bob"), synchronous=True) == ["bob"]
    assert hub.publish(Event("x", target="id=1 or id=2"), synchronous=True) == ["ann", "bob"]
    assert hub.publish(Event("x", target="((("), synchronous=True) == []
    assert "target cannot be read" in caplog.text


def test_replies_reach_the_publisher(connected):
    asking, answering = connected(), connected()
    metadata = {"id": "the-answerer"}
    answering.subscribe("topic=question", lambda event: {"answer": 42}, subscriber=metadata)
    answering.subscribe("topic=question", lambda event: None)
    replies = []
    event = Event("question")
    arrived = threading.Event()
    asking.publish(event, on_reply=lambda reply: (replies.append(reply), arrived.set()))
    assert arrived.wait(5)
    (reply,) = replies
    assert reply["data"] == {"answer": 42}
    assert reply["in_reply_to_event"] == event["id"]
    assert reply["source"]["id"] == "the-answerer"
    assert metadata == {"id": "the-answerer"}


def test_a_reply_can_be_published_later(connected):
    hub = connected()
    questions, arrived = [], threading.Event()
    hub.subscribe("topic=question", questions.append)
    hub.publish(Event("question"), on_reply=lambda reply: arrived.set())
    while not questions:
        hub.wait(0.01)
    hub.publish_reply(questions[0], "later", source={"id": "me"})
    assert arrived.wait(5)
    hub.publish_reply({"id": "1", "source": {}}, "nobody to tell")


def test_an_answer_to_an_answer_is_not_sent(connected):
    hub = connected()
    answers = []
    hub.subscribe("topic=question", lambda event: "answer")
    hub.subscribe("topic=ftrack.meta.reply", lambda event: "me too", subscriber={"id": hub.id})
    hub.publish(Event("question"), on_reply=lambda reply: answers.append(reply) or "thanks")
    wait_until(lambda: answers)
    drain(hub)
    assert len(answers) == 1


def test_reply_callbacks_expire(make_hub, manual_clock):
    hub = make_hub(clock=manual_clock, reply_lifetime=60)
    hub.connect()
    hub.subscribe("topic=question", lambda event: "answer")
    replies = []
    hub.publish(Event("question"), on_reply=replies.append)
    manual_clock.advance(61)
    hub.publish(Event("question"), on_reply=replies.append)
    drain(hub)
    assert len(replies) == 1
    assert len(hub._reception.replies) == 1
    manual_clock.advance(61)
    hub.publish(Event("other"), on_reply=replies.append)
    assert len(hub._reception.replies) == 1


def test_an_event_published_again_is_another_event(make_hub):
    hub = make_hub()
    hub.connect()
    got = []
    hub.subscribe("topic=x", lambda event: got.append(event["id"]))
    event = Event("x")
    first = event["id"]
    hub.publish(event)
    hub.publish(event)
    drain(hub)
    assert got == [first, event["id"]]
    assert first != event["id"]


def test_publishing_without_a_connection_is_an_error_unless_it_is_prepared(make_hub):
    hub = make_hub()
    hub.subscribe("topic=x", lambda event: None)
    for call in (lambda: hub.publish(Event("x")), lambda: hub.wait(0), hub.disconnect, hub.run_in_thread):
        with pytest.raises(EventHubConnectionError):
            call()
    assert hub.publish(Event("x"), on_error="ignore") is None
    errors = []
    hub.publish(Event("x"), on_error=errors.append)
    assert isinstance(errors[0], EventHubConnectionError)
    with pytest.raises(ConfigurationError):
        hub.publish(Event("x"), on_error="whatever")


def test_events_may_wait_for_the_connection(make_hub):
    hub = make_hub(queue_limit=2)
    got = []
    hub.subscribe("topic=x", got.append)
    hub.init_connection()
    hub.publish(Event("x"))
    hub.publish(Event("x"))
    with pytest.raises(EventQueueFull):
        hub.publish(Event("x"))
    assert not hub.connected
    hub.connect()
    drain(hub)
    assert len(got) == 2


def test_a_hub_that_does_not_read_is_an_error_its_publisher_sees(make_hub, caplog):
    slow, quick, publisher = make_hub(queue_limit=3), make_hub(), make_hub()
    got = []
    for hub in (slow, quick, publisher):
        hub.subscribe("topic=x", got.append)
        hub.connect()
    publisher.publish(Event("x"))
    publisher.publish(Event("x"))
    with pytest.raises(EventQueueFull, match="1 of 3 hubs"):
        publisher.publish(Event("x"))
    drain(quick)
    assert len(got) == 3
    assert "was dropped" in caplog.text


def test_connecting_twice_is_an_error(make_hub):
    hub = make_hub()
    hub.connect()
    with pytest.raises(EventHubConnectionError):
        hub.connect()
    hub.reconnect(attempts=1)
    assert hub.connected


def test_disconnecting_ends_every_wait_and_says_so(make_hub):
    hub = make_hub()
    hub.connect()
    told = []
    hub.subscribe("topic=ftrack.meta.*", lambda event: told.append(event["topic"]))
    threads = [threading.Thread(target=hub.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    waiting = hub.run_in_thread()
    assert hub.run_in_thread() is waiting
    hub.disconnect(unsubscribe=False)
    for thread in (*threads, waiting):
        thread.join(5)
        assert not thread.is_alive()
    assert told == ["ftrack.meta.connected", "ftrack.meta.disconnected"]
    with pytest.raises(EventHubConnectionError):
        hub.publish(Event("x"))
    hub.close()


def test_disconnecting_unsubscribes_unless_told_otherwise(make_hub):
    hub = make_hub()
    hub.subscribe("topic=x", print)
    hub.connect()
    hub.disconnect(unsubscribe=False, reconnect=True)
    assert hub.enabled
    hub.publish(Event("x"))
    hub.connect()
    hub.disconnect()
    assert not hub.enabled


def test_a_hub_is_a_context_manager():
    with EventHub() as hub:
        assert hub.connected
    assert not hub.connected


def test_subscribers_are_known_by_their_identifier(make_hub):
    hub = make_hub()
    identifier = hub.subscribe("topic=x", print, subscriber={"id": "mine", "tool": "paint"}, priority=3)
    found = hub.get_subscriber_by_identifier("mine")
    assert (identifier, found.metadata["tool"], found.priority) == ("mine", "paint", 3)
    assert found.interested_in(Event("x"))
    with pytest.raises(NotUniqueError):
        hub.subscribe("topic=y", print, subscriber={"id": "mine"})
    hub.unsubscribe("mine")
    assert hub.get_subscriber_by_identifier("mine") is None
    with pytest.raises(SubscriberNotFound):
        hub.unsubscribe("mine")
    with pytest.raises(ExpressionError):
        hub.subscribe("topic", print)


def test_a_subscription_may_last_for_a_block(make_hub):
    hub = make_hub()
    with hub.subscription("topic=x", lambda event: "in") as identifier:
        assert hub.get_subscriber_by_identifier(identifier)
        assert hub.publish(Event("x"), synchronous=True) == ["in"]
    assert hub.publish(Event("x"), synchronous=True) == []
    with hub.subscription("topic=x", print) as identifier:
        hub.unsubscribe(identifier)


def test_handlers_may_subscribe_and_unsubscribe_while_an_event_is_handled(make_hub):
    hub = make_hub()
    called = []
    late = hub.subscribe("topic=x", lambda event: called.append("late"), priority=200)

    def change(event):
        hub.unsubscribe(late)
        hub.subscribe("topic=x", lambda event: called.append("new"))

    hub.subscribe("topic=x", change)
    hub.publish(Event("x"), synchronous=True)
    assert called == []
    hub.publish(Event("x"), synchronous=True, on_error="ignore")
    assert called == ["new"]


def test_enabled_is_the_guard_of_framework_events(make_hub):
    hub = make_hub()
    got = []
    assert hub.enabled is False
    hub.emit("sessionkit.request.sent", {"n": 1})
    identifier = hub.subscribe("topic=sessionkit.request.*", got.append)
    assert hub.enabled is True
    hub.emit("sessionkit.request.sent", {"n": 2})
    hub.emit("sessionkit.token.renewed", {"n": 3})
    assert [event["data"]["n"] for event in got] == [2]
    hub.unsubscribe(identifier)
    assert hub.enabled is False


def test_events_are_mappings():
    event = Event("x", data={"a": 1}, in_reply_to_event="7")
    assert list(event) == ["id", "data", "topic", "sent", "source", "target", "in_reply_to_event"]
    assert (len(event["id"]), event["id"][12], len(event)) == (32, "4", 7)
    event["more"] = 1
    del event["more"]
    assert str(event).startswith("<Event {'id': ")
    assert not event.is_stopped()
    wire = event.to_wire()
    assert wire["inReplyToEvent"] == "7"
    assert "in_reply_to_event" not in wire
    assert Event.from_wire(wire) == event
    assert Event.from_wire({"topic": "x", "data": {"inReplyToEvent": 1}})["data"] == {"inReplyToEvent": 1}


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [],
        {},
        {"topic": 1},
        {"topic": "x", "id": 7},
        {"topic": "x", "source": "me"},
        {"topic": "x", "target": 1},
    ],
)
def test_what_is_no_event_is_refused(wire):
    with pytest.raises(EventHubPacketError):
        Event.from_wire(wire)


def test_a_hub_shows_no_key_and_cannot_be_pickled(make_hub):
    hub = make_hub(key="the-api-key")
    assert "the-api-key" not in repr(hub) + repr(hub._transport) + repr(vars(hub))
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(hub)


def test_addresses():
    hub = EventHub("https://studio.example:8443/prefix", "ann", "key")
    assert hub.secure
    assert hub.server == ServerDetails("https", "studio.example", 8443)
    assert not EventHub("http://studio.example").secure
    assert SocketIoSession("a", 25, ["websocket"]).heartbeatTimeout == 25
    for url in ("ftp://studio.example", "studio.example", "http://studio.example:port"):
        with pytest.raises(ConfigurationError):
            EventHub(url)


def test_subscribers_say_who_they_are():
    subscriber = Subscriber("topic=x", print, {"id": "1"}, 5)
    assert repr(subscriber) == "<Subscriber 1 'topic=x' priority=5>"


def test_a_hub_that_nobody_holds_is_collected():
    hub = EventHub()
    hub.connect()
    hub.subscribe("topic=x", print)
    reference = weakref.ref(hub)
    del hub
    gc.collect()
    assert reference() is None


def test_logging_settings_are_left_alone(connected):
    logging.disable(logging.DEBUG)
    try:
        hub = connected()
        hub.reconnect()
        hub.disconnect()
        assert logging.root.manager.disable == logging.DEBUG
    finally:
        logging.disable(logging.NOTSET)
