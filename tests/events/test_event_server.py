"""The sandbox's event server, spoken to in raw Socket.IO 0.9."""

import json
import time

import pytest
import urllib3
import websocket
from event_servers import EventServer

from sessionkit.errors import ConfigurationError
from sessionkit.events import EventHubPacketError
from sessionkit.events.wire import decode_payload, encode_payload, parse_packet, parse_session
from sessionkit.sandbox import Sandbox
from sessionkit.testing.tools import wait_until


class Client:
    """A client that sends and expects packets as they are on the wire."""

    def __init__(self, url, headers=None, query=""):
        self.url = url
        self.http = urllib3.PoolManager()
        self.handshake = self.http.request("GET", f"{url}/socket.io/1/{query}", headers=headers, timeout=5)
        self.socket = None

    def open(self):
        self.session = parse_session(self.handshake.data.decode())
        address = self.url.replace("http", "ws", 1)
        self.socket = websocket.create_connection(
            f"{address}/socket.io/1/websocket/{self.session.id}", timeout=5
        )
        assert self.socket.recv() == "1::"
        return self

    def send(self, packet):
        self.socket.send(packet)

    def event(self, topic, data=None, number="", path="", **more):
        event = {"id": f"id-{time.monotonic()}", "topic": topic, "data": data or {}, "sent": None, **more}
        self.send(f"5:{number}:{path}:" + json.dumps({"name": "ftrack.event", "args": [event]}))

    def subscribe(self, expression, identifier="s", number="1+", path="", **metadata):
        data = {"subscriber": {"id": identifier, **metadata}, "subscription": expression}
        self.event("ftrack.meta.subscribe", data, number, path)
        return self.packet(6)

    def packet(self, code):
        """The next packet of that kind; heartbeats may come at any time."""
        while True:
            text = self.socket.recv()
            if not text and not self.socket.connected:
                raise ConnectionResetError
            packet = parse_packet(text)
            if packet.code == code:
                return packet

    def next_event(self):
        return json.loads(self.packet(5).data)["args"][0]

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket.shutdown()
        self.http.clear()


@pytest.fixture
def client(event_server):
    clients = []

    def make(*arguments, opened=True, **options):
        made = Client(event_server.url, *arguments, **options)
        clients.append(made)
        return made.open() if opened else made

    yield make
    for made in clients:
        made.close()


def test_the_handshake_names_a_session_its_timeouts_and_its_transports(client):
    session = parse_session(client(opened=False).handshake.data.decode())
    assert (len(session.id), session.heartbeatTimeout) == (32, 15)
    assert session.supportedTransports == ["websocket", "xhr-polling"]


def test_a_stranger_is_refused(event_server, client):
    keys = {"ann": "key"}
    event_server.server.authenticators += [
        lambda headers, query: headers.get("ftrack-user") if keys.get(headers.get("ftrack-user")) else None,
        lambda headers, query: query.get("api_user"),
    ]
    assert client(opened=False).handshake.status == 401
    assert client({"ftrack-user": "bob"}, opened=False).handshake.status == 401
    assert client({"ftrack-user": "ann"}, opened=False).handshake.status == 200
    assert client(query="?api_user=ann&api_key=key", opened=False).handshake.status == 200


def test_a_session_is_needed_and_serves_one_websocket(event_server, client):
    first = client()
    for sid in ("unknown", first.session.id):
        with pytest.raises(websocket.WebSocketBadStatusException):
            websocket.create_connection(f"ws://127.0.0.1:{event_server.port}/socket.io/1/websocket/{sid}")


def test_acknowledgements_are_what_was_asked_for(client):
    asking = client()
    asking.event("x", number="7+")
    assert asking.packet(6).data == '7+[{"success":true}]'
    asking.event("x", number="8")
    assert asking.packet(6).data == "8"
    asking.event("x")
    asking.event("x", number="9+")
    assert asking.packet(6).data.startswith("9+")


def test_events_go_to_those_who_subscribed_once_each_and_sent_is_filled_in(client):
    ann, bob = client(), client()
    ann.subscribe("topic=x", "one")
    ann.subscribe("topic=x and data.n=1", "two")
    bob.event("y", number="1+")
    bob.event("x", {"n": 1}, source={"id": "bob", "user": {"username": "bob"}})
    bob.event("x", {"n": 2}, number="2+")
    first, second = ann.next_event(), ann.next_event()
    assert (first["data"], second["data"]) == ({"n": 1}, {"n": 2})
    assert first["source"]["user"]["username"] == "bob"
    assert first["sent"]
    assert "inReplyToEvent" in first


def test_a_publisher_hears_its_own_events_if_it_subscribed(client):
    ann = client()
    ann.subscribe("topic=x")
    ann.event("x", {"n": 1})
    assert ann.next_event()["data"] == {"n": 1}


def test_targets_choose_among_subscribers(client):
    ann, bob, asking = client(), client(), client()
    ann.subscribe("topic=x", "a", user={"name": "ann"})
    bob.subscribe("topic=x", "b", user={"name": "bob"})
    asking.event("x", {"n": 1}, target="user.name=bob")
    asking.event("x", {"n": 2}, target="((((", number="3+")
    asking.event("x", {"n": 3})
    assert [bob.next_event()["data"]["n"] for _ in range(2)] == [1, 3]
    assert ann.next_event()["data"]["n"] == 3


def test_a_subscription_ends(client):
    ann, bob = client(), client()
    ann.subscribe("topic=x", "one")
    ann.event("ftrack.meta.unsubscribe", {"subscriber": {"id": "one"}}, "2+")
    ann.packet(6)
    ann.subscribe("topic=y", "two")
    bob.event("x")
    bob.event("y", {"n": 1})
    assert ann.next_event()["topic"] == "y"


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"subscriber": {}, "subscription": "a=b"},
        {"subscriber": {"id": "s"}},
        {"subscriber": {"id": "s"}, "subscription": "("},
    ],
)
def test_a_subscription_that_cannot_be_is_refused(client, data):
    ann = client()
    ann.event("ftrack.meta.subscribe", data, "1+")
    (answer,) = json.loads(ann.packet(6).data.partition("+")[2])
    assert answer["success"] is False
    assert answer["message"]


def test_namespaces(client):
    ann, bob = client(), client()
    ann.send("1::/review")
    assert ann.packet(1).path == "/review"
    assert ann.subscribe("topic=x", path="/review").path == "/review"
    bob.event("x")
    assert ann.packet(5).path == "/review"
    ann.send("0::/review")
    ann.event("x", number="4+")
    assert ann.packet(6).data.startswith("4+")


def test_heartbeats_come_often_and_silence_ends_the_connection():
    server = EventServer(heartbeat=0.1).start()
    client = Client(server.url).open()
    try:
        begin = time.monotonic()
        client.packet(2)
        assert time.monotonic() - begin < 2
        with pytest.raises((websocket.WebSocketException, OSError)):
            client.packet(6)
    finally:
        client.close()
        server.stop()


@pytest.mark.parametrize(
    "packet",
    [
        "9::",
        "",
        "nonsense",
        "5:::{",
        "5:::[1]",
        '5:::{"name":"ftrack.event","args":[{}]}',
        '5:::{"name":"x","args":1}',
        "6:::x",
    ],
)
def test_nonsense_is_answered_with_an_error_and_nothing_breaks(client, packet):
    ann = client()
    ann.send(packet)
    assert ann.packet(7).data
    ann.event("x", number="1+")
    assert ann.packet(6)


def test_an_unknown_event_name_is_refused(client):
    ann = client()
    ann.send('5:1+::{"name":"other","args":[]}')
    assert '"success":false' in ann.packet(6).data


def test_the_server_publishes(event_server, client):
    ann = client()
    ann.subscribe("topic=ftrack.update")
    event_server.server.publish({"topic": "ftrack.update", "data": {"entities": []}})
    event = ann.next_event()
    assert event["data"] == {"entities": []}
    assert len(event["id"]) == 32
    with pytest.raises(EventHubPacketError):
        event_server.server.publish({"data": 1})


def test_long_polling(event_server, client):
    http = urllib3.PoolManager()
    session = parse_session(client(opened=False).handshake.data.decode())
    url = f"{event_server.url}/socket.io/1/xhr-polling/{session.id}"

    def poll():
        return http.request("GET", url, timeout=5).data.decode()

    def post(*packets):
        return http.request("POST", url, body=encode_payload(list(packets)).encode(), timeout=5)

    assert poll() == "1::"
    data = {"subscriber": {"id": "s"}, "subscription": "topic=x"}
    subscribe = {"topic": "ftrack.meta.subscribe", "data": data}
    packets = [
        "5:1+::" + json.dumps({"name": "ftrack.event", "args": [event]})
        for event in (subscribe, {"topic": "x", "data": "ü"}, {"topic": "x", "data": 2})
    ]
    assert post(*packets).data == b"1"
    received = decode_payload(poll())
    assert [parse_packet(packet).code for packet in received] == [6, 5, 6, 5, 6]
    assert json.loads(parse_packet(received[1]).data)["args"][0]["data"] == "ü"
    assert post("2::").data == b"1"
    assert http.request("POST", url, body="\ufffd9\ufffd2::\ufffdx".encode()).status == 400
    http.request("GET", f"{url}?disconnect=1")
    assert poll() == "7:::1+0"
    http.clear()


def test_payloads():
    assert decode_payload(encode_payload(["2::", "5:::ü"])) == ["2::", "5:::ü"]
    assert decode_payload("2::") == ["2::"]
    assert decode_payload("") == []
    for wrong in ("\ufffd", "\ufffd3", "\ufffd3\ufffd", "\ufffdx\ufffd2::", "\ufffd3\ufffd2::x"):
        with pytest.raises(EventHubPacketError):
            decode_payload(wrong)


def test_a_client_that_left_is_forgotten(event_server, client):
    client().close()
    ann = client(opened=False)
    wait_until(lambda: len(event_server.server._connections) == 1)
    assert ann.handshake.status == 200
    assert not event_server.server.bus._peers


def test_faults_are_checked(event_server):
    assert not event_server.on_loop(lambda: event_server.server.fault("unknown"))
    with pytest.raises(ConfigurationError, match="no option"):
        event_server.on_loop(lambda: event_server.server.fault("event_drop", {"seconds": 1}))


def test_the_sandbox_serves_events():
    with Sandbox(services=[]) as box:
        client = Client(box.url).open()
        try:
            client.subscribe("topic=x")
            box.publish({"topic": "x", "data": {"n": 1}})
            assert client.next_event()["data"] == {"n": 1}
            box.fault("event_refuse", service="events", message="no")
            client.event("x", number="2+")
            assert '"message":"no"' in client.packet(6).data
            assert [entry.service for entry in box.requests(service="events")] == ["events"]
        finally:
            client.close()
