"""Our hub against the event server: connecting, staying connected, and never pretending."""

import gc
import logging
import os
import socket
import sys
import threading
import time
import weakref

import pytest
import trustme
from event_servers import QUICK, EventServer

from sessionkit.errors import ConfigurationError
from sessionkit.events import (
    Backoff,
    Event,
    EventHub,
    EventHubConnectionError,
    EventHubPacketError,
    EventNotDelivered,
    EventQueueFull,
)
from sessionkit.events.transports import link
from sessionkit.events.transports.socketio import SocketIoTransport
from sessionkit.testing.tools import wait_until


def collect(hub, subscription):
    got = []
    hub.subscribe(subscription, lambda event: got.append(event["data"]))
    return got


def test_events_and_replies_travel_between_hubs(event_server, connected):
    ann, bob = connected(event_server.url, user="ann"), connected(event_server.url, user="bob")
    asked, replies = [], []
    bob.subscribe("topic=question and data.n > 1", lambda event: asked.append(event) or {"answer": 42})
    bob.flush()
    for n in range(3):
        ann.publish(Event("question", data={"n": n}), on_reply=replies.append)
    wait_until(lambda: replies)
    (event,) = asked
    assert event["source"]["user"] == {"username": "ann"}
    assert event["sent"].endswith("+00:00")
    assert replies[0]["data"] == {"answer": 42}


def test_the_key_travels_in_one_header_of_the_handshake_only(event_server, make_hub, caplog):
    caplog.set_level("DEBUG")
    hub = make_hub(event_server.url, key="the-api-key", headers={"x-more": "1"}, cookies={"c": "2"})
    hub.connect()
    (path, _, handshake), (websocket_path, _, upgrade) = event_server.seen
    assert path == "/socket.io/1/"
    assert (handshake[b"ftrack-user"], handshake[b"ftrack-api-key"]) == (b"ann", b"the-api-key")
    assert websocket_path.startswith("/socket.io/1/websocket/")
    assert b"ftrack-api-key" not in upgrade
    assert (upgrade[b"x-more"], upgrade[b"cookie"], handshake[b"cookie"]) == (b"1", b"c=2", b"c=2")
    assert "the-api-key" not in str([seen[:2] for seen in event_server.seen]) + caplog.text


def test_a_refused_key_is_an_error_without_the_key(event_server, make_hub):
    event_server.server.authenticators.append(lambda headers, query: None)
    with pytest.raises(EventHubConnectionError, match="401") as caught:
        make_hub(event_server.url, key="the-api-key").connect()
    assert "the-api-key" not in str(caught.value)


def test_no_server_is_an_error(make_hub, unused_port):
    hub = make_hub(f"http://127.0.0.1:{unused_port}")
    with pytest.raises(EventHubConnectionError):
        hub.connect()
    with pytest.raises(EventHubConnectionError, match="2 attempts"):
        hub.reconnect(attempts=2, delay=0.01)
    assert not hub.connected


def test_a_hub_that_waits_between_attempts_holds_nobody_up(make_hub, unused_port, monkeypatch):
    hub = make_hub(f"http://127.0.0.1:{unused_port}")
    waits = []

    def subscribe_meanwhile(seconds):
        other = threading.Thread(target=hub.subscribe, args=("topic=x", print))
        other.start()
        other.join(10)
        waits.append((seconds, other.is_alive()))

    monkeypatch.setattr("time.sleep", subscribe_meanwhile)
    with pytest.raises(EventHubConnectionError, match="3 attempts"):
        hub.reconnect(attempts=3, delay=7)
    assert waits == [(7, False), (7, False)]


@pytest.mark.parametrize("options", [{"attempts": 0}, {"delay": -1}], ids=str)
def test_attempts_that_cannot_be_made(make_hub, unused_port, options):
    with pytest.raises(ConfigurationError):
        make_hub(f"http://127.0.0.1:{unused_port}").reconnect(**options)


@pytest.fixture
def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.fixture
def scripted():
    """A server that answers each connection with the next of the given bytes."""
    listeners = []

    def serve(*answers):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def answer():
            for data in answers:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(65536)
                    client.sendall(data)

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for listener in listeners:
        listener.close()


def http(body, status="200 OK", headers=""):
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n{body}".encode()


@pytest.mark.parametrize(
    "answers",
    [
        [b""],
        [b"not http at all"],
        [http("<html>", "502 Bad Gateway")],
        [http("<html>hello</html>")],
        [http("abc:25:60")],
        [http("abc:x:60:websocket")],
        [http(":25:60:websocket")],
        [http("abc:25:60:xhr-polling")],
        [http("", "302 Found", "location: http://elsewhere.example/\r\n")],
        [http("abc:25:60:websocket"), b"HTTP/1.1 403 Forbidden\r\n\r\n"],
        [http("abc:25:60:websocket"), http("", "301 Moved", "location: http://elsewhere.example/\r\n")],
        [http("abc:25:60:websocket"), b"garbage\r\n\r\n"],
        [http("abc:25:60:websocket"), b""],
    ],
)
def test_a_server_that_answers_nonsense_is_a_typed_error(scripted, make_hub, answers):
    with pytest.raises(EventHubConnectionError):
        make_hub(scripted(*answers)).connect()


def test_a_name_server_that_hangs_holds_no_websocket_up(event_server, make_hub, monkeypatch):
    system, asked, go = socket.getaddrinfo, [], threading.Event()

    def getaddrinfo(host, *rest):
        if host == "events.test":
            asked.append(host)
            if len(asked) > 1:  # the handshake's was answered
                go.wait(30)
        return system("127.0.0.1", *rest)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(link, "_CONNECT_SECONDS", 1.0)
    hub = make_hub(event_server.url.replace("127.0.0.1", "events.test"), proxies=False)
    try:
        with pytest.raises(EventHubConnectionError, match="websocket cannot be opened"):
            hub.connect()
    finally:
        go.set()
    assert len(asked) == 2


def test_a_dropped_connection_is_made_again_and_nothing_is_lost(event_server, connected):
    ann, bob = connected(event_server.url), connected(event_server.url)
    got = collect(bob, "topic=x")
    bob.flush()
    for n in range(300):
        if n % 100 == 50:
            event_server.fault("event_drop")
        ann.publish(Event("x", data=n))
    ann.flush()
    wait_until(lambda: len(got) == 300)
    assert got == list(range(300))


def test_connected_is_true_only_while_it_is(event_server, connected):
    hub = connected(event_server.url, backoff=Backoff(initial=0.3, maximum=0.3))
    told = []
    hub.subscribe("topic=ftrack.meta.*", lambda event: told.append(event["topic"]))
    assert hub.connected
    event_server.fault("event_drop")
    wait_until(lambda: not hub.connected)
    wait_until(lambda: hub.connected)
    wait_until(lambda: told[-1:] == ["ftrack.meta.connected"])
    assert "ftrack.meta.disconnected" not in told


def test_a_silent_server_is_noticed_and_left(connected):
    server = EventServer(heartbeat=0.4).start()
    try:
        hub, other = connected(server.url), connected(server.url)
        got = collect(hub, "topic=x")
        hub.flush()
        server.fault("event_silent")
        wait_until(lambda: not hub.connected)
        wait_until(lambda: hub.connected)
        other.reconnect()
        other.publish(Event("x", data=1))
        wait_until(lambda: got == [1])
    finally:
        server.stop()


def test_heartbeats_keep_an_idle_hub_connected(connected):
    server = EventServer(heartbeat=0.1).start()
    try:
        hub = connected(server.url)
        time.sleep(1.0)
        assert hub.connected
        assert len([path for path, *_ in server.seen if path.endswith("/1/")]) == 1
    finally:
        server.stop()


def test_nonsense_is_ignored_and_the_hub_goes_on(event_server, connected, caplog):
    hub = connected(event_server.url)
    got = collect(hub, "topic=x")
    hub.flush()
    event_server.fault("event_garbage")
    event_server.fault("event_garbage", packet="7:::something+bad")
    event_server.fault("event_garbage", packet="5:::" + "[" * 5_000)
    event_server.fault("event_garbage", packet='5:9+::{"name":"other","args":[]}')
    hub.publish(Event("x", data=1))
    wait_until(lambda: got == [1])
    assert hub.connected
    assert "was ignored" in caplog.text
    assert "something+bad" in caplog.text


def test_a_server_that_says_goodbye_is_connected_to_again(event_server, connected):
    hub = connected(event_server.url)
    event_server.fault("event_garbage", packet="0::")
    wait_until(lambda: len([path for path, *_ in event_server.seen if path.endswith("/1/")]) == 2)
    wait_until(lambda: hub.connected)


def test_a_late_acknowledgement_is_waited_for(event_server, connected):
    hub = connected(event_server.url)
    hub.flush()
    event_server.fault("event_late_ack", seconds=0.3)
    hub.publish(Event("x"))
    with pytest.raises(EventNotDelivered):
        hub.flush(0.05)
    hub.flush(5)


def test_a_refused_event_is_an_error_its_publisher_sees(event_server, connected, caplog):
    hub = connected(event_server.url)
    hub.flush()
    errors = []
    event_server.fault("event_refuse", message="too large")
    event = Event("x")
    hub.publish(event, on_error=errors.append)
    wait_until(lambda: errors)
    assert isinstance(errors[0], EventNotDelivered)
    assert errors[0].event_ids == (event["id"],)
    assert "too large" in caplog.text


def test_an_event_that_is_never_confirmed_is_an_error(connected, manual_clock):
    server = EventServer(heartbeat=0.1).start()
    try:
        hub = connected(server.url, clock=manual_clock)
        errors = []
        hub.flush()
        server.fault("event_late_ack", seconds=60)
        hub.publish(Event("x"), on_error=errors.append)
        manual_clock.advance(61)
        wait_until(lambda: errors)
        assert "not confirmed within" in str(errors[0])
    finally:
        server.stop()


def test_a_refused_subscription_is_logged(event_server, connected, caplog):
    hub = connected(event_server.url)
    event_server.fault("event_refuse", message="no such thing")
    hub.subscribe("topic=x", print)
    wait_until(lambda: "no such thing" in caplog.text)


def test_overflow_is_an_error_and_what_was_accepted_arrives(event_server, connected, make_hub):
    ann, bob = make_hub(event_server.url, queue_limit=5), connected(event_server.url)
    got = collect(bob, "topic=x")
    bob.flush()
    ann.init_connection()
    for n in range(5):
        ann.publish(Event("x", data=n))
    with pytest.raises(EventQueueFull):
        ann.publish(Event("x", data=5))
    ann.connect()
    ann.flush()
    wait_until(lambda: got == [0, 1, 2, 3, 4])


def test_what_json_cannot_carry_is_refused_at_once(event_server, connected):
    hub = connected(event_server.url)
    with pytest.raises(EventHubPacketError):
        hub.publish(Event("x", data=object()))
    with pytest.raises(EventHubPacketError):
        hub.subscribe("topic=x", print, subscriber={"tool": object()})
    assert not hub.enabled
    hub.publish(Event("x", data={"nested": Event("y")}))
    hub.flush()


def test_a_hub_that_gives_up_says_so_and_reports_what_was_accepted(event_server, make_hub):
    hub = make_hub(event_server.url, backoff=Backoff(initial=0.01, maximum=0.01, attempts=3))
    errors, told = [], []
    hub.subscribe("topic=ftrack.meta.disconnected", told.append)
    hub.connect()
    thread = hub.run_in_thread()
    hub.flush()
    event_server.stop()
    wait_until(lambda: not hub.connected)
    try:
        hub.publish(Event("x"), on_error=errors.append)
    except EventHubConnectionError:
        errors.append("refused")
    thread.join(10)
    assert not thread.is_alive()
    assert len(told) == len(errors) == 1
    with pytest.raises(EventHubConnectionError):
        hub.publish(Event("x"))
    event_server.start()
    hub.connect()
    assert hub.connected


@pytest.mark.parametrize("end", ["gives up", "disconnects"])
def test_a_hub_that_ends_accepts_nothing_more(event_server, make_hub, end):
    hub = make_hub(event_server.url, backoff=Backoff(0.01, 0.01, attempts=2))
    hub.connect()
    late = []

    class Publisher(logging.Handler):
        """Publishes while the hub reports what it gives up."""

        def emit(self, _):
            if not late:
                late.append(None)
                with pytest.raises(EventHubConnectionError):
                    hub.publish(Event("x"))
                late[0] = "refused"

    event_server.fault("event_silent")
    hub.publish(Event("x"))
    publisher = Publisher(logging.ERROR)
    logging.getLogger("sessionkit.events").addHandler(publisher)
    try:
        event_server.stop() if end == "gives up" else hub.disconnect(timeout=0.0)
        wait_until(lambda: late == ["refused"])
    finally:
        logging.getLogger("sessionkit.events").removeHandler(publisher)


def test_what_is_published_while_a_hub_ends_is_refused_and_not_kept(event_server, make_hub, monkeypatch):
    hub = make_hub(event_server.url)
    hub.connect()
    outbox = hub._transport.outbox
    add = outbox.add

    def late(*entry):
        hub.disconnect()  # another thread's, between the look whether it may and the queue
        return add(*entry)

    monkeypatch.setattr(outbox, "add", late)
    with pytest.raises(EventHubConnectionError, match="disconnected"):
        hub.publish(Event("x"))
    assert len(outbox) == 0


def test_a_hub_that_was_interrupted_while_connecting_can_connect(event_server, make_hub, monkeypatch):
    hub = make_hub(event_server.url)
    hub.init_connection()
    hub.publish(Event("x"))

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SocketIoTransport, "transmit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hub.connect()
    assert not hub.connected
    hub.connect()
    hub.flush(10)


def test_disconnecting_while_reconnecting_ends_the_attempts(event_server, make_hub):
    hub = make_hub(event_server.url, backoff=Backoff(initial=30, maximum=30))
    hub.connect()
    event_server.stop()
    wait_until(lambda: not hub.connected)
    hub.disconnect()
    with pytest.raises(EventHubConnectionError):
        hub.disconnect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sessionkit-events")]


def test_subscriptions_made_while_disconnected_are_announced_later(event_server, connected):
    hub, other = connected(event_server.url), connected(event_server.url)
    gone = hub.subscribe("topic=gone", lambda event: got.append("gone"))
    hub.disconnect(unsubscribe=False, reconnect=True)
    hub.unsubscribe(gone)
    got = collect(hub, "topic=x")
    hub.connect()
    hub.flush()
    other.publish(Event("gone"))
    other.publish(Event("x", data=1))
    wait_until(lambda: got == [1])


def test_a_full_inbox_is_an_error_in_the_log_and_the_event_comes_again(
    event_server, make_hub, connected, caplog
):
    slow, ann = make_hub(event_server.url, queue_limit=4), connected(event_server.url)
    got = collect(slow, "topic=x")
    slow.connect()
    slow.flush()
    for n in range(6):
        ann.publish(Event("x", data=n))
    wait_until(lambda: "was dropped" in caplog.text)
    slow.wait(0.1)
    event_server.fault("event_drop")
    slow.wait(0.5)
    wait_until(lambda: slow.wait(0.05) or sorted(got) == list(range(6)))


def test_tls_and_a_certificate_nobody_trusts(connected, make_hub, tmp_path):
    from sessionkit.sandbox import Sandbox
    from sessionkit.sandbox.service import Service

    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))

    class Events(Service):
        name = "weather"

        def routes(self):
            return []

    with Sandbox(services=[Events], tls=(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))) as box:
        with pytest.raises(EventHubConnectionError):
            make_hub(box.url).connect()
        hub = connected(box.url, verify=str(tmp_path / "ca.pem"))
        assert hub.secure
        got = collect(hub, "topic=x")
        hub.publish(Event("x", data=1))
        wait_until(lambda: got == [1])
        box.publish({"topic": "x", "data": 2})
        wait_until(lambda: got == [1, 2])
        box.fault("event_drop")
        box.publish({"topic": "x", "data": 3})
        wait_until(lambda: got == [1, 2, 3])


def test_a_connected_hub_that_nobody_holds_is_collected():
    server = EventServer(heartbeat=0.1).start()
    try:
        hub = EventHub(server.url, backoff=QUICK)
        hub.subscribe("topic=x", print)
        hub.connect()
        reference, thread = weakref.ref(hub), hub._transport._thread
        del hub
        gc.collect()
        assert reference() is None
        thread.join(10)
        assert not thread.is_alive()
    finally:
        server.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_hub_of_its_own(event_server, connected):
    hub = connected(event_server.url)
    got = collect(hub, "topic=from.child")
    hub.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            parent_id = hub.id if hub.connected else None
            try:
                hub.publish(Event("from.child", data="by the parent's socket"))
            except EventHubConnectionError:
                hub.connect()
                hub.publish(Event("from.child", data=hub.get_subscriber_by_identifier("none") or "child"))
                hub.flush(5)
                status = 0 if parent_id is None else 2
        finally:
            sys.stdout.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    wait_until(lambda: got == ["child"])
    hub.publish(Event("from.child", data="parent still connected"))
    wait_until(lambda: got == ["child", "parent still connected"])
