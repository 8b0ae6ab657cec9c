"""A server that sends too much, too slowly or nothing at all: a raw socket that follows a script."""

import base64
import hashlib
import socket
import struct
import threading
import time

import pytest
from event_servers import QUICK

from sessionkit.events import Event, EventHubConnectionError
from sessionkit.events.transports import bounded, link
from sessionkit.testing.tools import wait_until

LIMIT = 10_000


def frame(payload, opcode=1, fin=True, length=None):
    first = bytes([(0x80 if fin else 0) | opcode])
    length = len(payload) if length is None else length
    if length < 126:
        return first + bytes([length]) + payload
    if length < 65536:
        return first + bytes([126]) + struct.pack("!H", length) + payload
    return first + bytes([127]) + struct.pack("!Q", length) + payload


def event(data):
    return f'5:::{{"name":"ftrack.event","args":[{{"topic":"x","data":"{data}"}}]}}'.encode()


class HostileServer:
    """Shakes hands, opens the WebSocket, and then sends what the next script of `scripts` says."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.scripts = []
        self.handshakes = 0
        self.stopped = threading.Event()
        self.upgrade = self.polite
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self.serve, args=(client,), daemon=True))
            self.threads[-1].start()

    def serve(self, client):
        with client:
            try:
                asked = client.recv(65536)
                if b"Upgrade" not in asked and b"upgrade" not in asked:
                    self.shake_hands(client)
                else:
                    self.upgrade(client, asked)
            except OSError:
                return

    def shake_hands(self, client):
        self.handshakes += 1
        body = b"sid:30:30:websocket"
        client.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
        )

    def polite(self, client, asked):
        key = next(line for line in asked.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        accept = hashlib.sha1(key.partition(b":")[2].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(accept.digest()) + b"\r\n\r\n"
        )
        script = self.scripts.pop(0) if self.scripts else lambda _: None
        script(client)
        while (heard := client.recv(65536)) and heard[0] != 0x88:  # until the client says goodbye
            pass

    def stop(self):
        self.stopped.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads[:1]:
            thread.join(10)


@pytest.fixture
def hostile():
    server = HostileServer()
    yield server
    server.stop()


def sends(*frames):
    return lambda client: client.sendall(b"".join(frames))


TOO_MUCH = {
    "a frame that claims to be endless": [frame(b"x" * 100, length=2**62)],
    "a frame over the limit": [frame(event("x" * LIMIT))],
    "a message in parts over the limit": [
        frame(b"x" * 6000, fin=False),
        frame(b"x" * 6000, opcode=0, fin=False),
    ],
    "a message in endless parts": [
        frame(b"", fin=False),
        *[frame(b"", opcode=0, fin=False)] * (bounded.MOST_PARTS + 1),
    ],
    "a part of nothing": [frame(b"x", opcode=0)],
    "an unknown opcode": [frame(b"x", opcode=5)],
    "no UTF-8": [frame(b"\xff\xfe")],
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_too_much_ends_the_connection_and_the_hub_returns(what, hostile, connected):
    hostile.scripts = [sends(*TOO_MUCH[what]), sends(frame(event("after")))]
    hub = connected(hostile.url, max_message_size=LIMIT)
    got = []
    hub.subscribe("topic=x", lambda event: got.append(event["data"]))
    wait_until(lambda: got == ["after"])
    assert hub.connected
    assert hostile.handshakes == 2


def test_the_largest_message_allowed_arrives_also_in_parts(hostile, make_hub):
    text = event("y" * 7000)
    hostile.scripts = [sends(frame(text), frame(text[:4000], fin=False), frame(text[4000:], opcode=0))]
    hub = make_hub(hostile.url, max_message_size=len(text))
    got = []
    hub.subscribe("topic=x", lambda event: got.append(len(event["data"])))
    hub.connect()
    hub.run_in_thread()
    wait_until(lambda: got == [7000, 7000])
    assert hostile.handshakes == 1


def test_a_frame_that_does_not_end_leaves_no_deaf_hub(hostile, connected, monkeypatch):
    monkeypatch.setattr(bounded, "FRAME_SECONDS", 0.2)

    def drip(client):
        client.sendall(frame(b"", length=5000))
        while not hostile.stopped.wait(0.05):
            client.sendall(b"x")

    hostile.scripts = [drip, sends(frame(event("after")))]
    hub = connected(hostile.url)
    got = []
    hub.subscribe("topic=x", lambda event: got.append(event["data"]))
    wait_until(lambda: got == ["after"])


def test_an_upgrade_that_does_not_end_is_given_up(hostile, make_hub, monkeypatch):
    monkeypatch.setattr(link, "_CONNECT_SECONDS", 0.3)

    def endless(client, asked):
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\n")
        while not hostile.stopped.wait(0.05):
            client.sendall(b"X-More: yes\r\n")

    hostile.upgrade = endless
    began = time.monotonic()
    with pytest.raises(EventHubConnectionError):
        make_hub(hostile.url).connect()
    assert time.monotonic() - began < 5


def test_a_hub_that_is_connecting_holds_nobody_up(hostile, make_hub):
    """Every method that needs no network answers while another thread waits for a silent server."""
    inside = threading.Event()

    def silence(client, asked):
        inside.set()
        hostile.stopped.wait(20)

    hostile.upgrade = silence
    hub = make_hub(hostile.url, backoff=QUICK)
    errors = []

    def connect():
        try:
            hub.connect()
        except EventHubConnectionError as error:
            errors.append(error)

    connecting = threading.Thread(target=connect)
    connecting.start()
    assert inside.wait(10)

    def everything_else():
        assert not hub.connected
        assert "not connected" in repr(hub)
        with pytest.raises(EventHubConnectionError):
            hub.publish(Event("x"))
        hub.init_connection()
        hub.publish(Event("x"))
        identifier = hub.subscribe("topic=x", print)
        assert hub.publish(Event("x"), synchronous=True) == [None]
        hub.unsubscribe(identifier)
        hub.wait(0.01)
        answered.append(True)

    answered = []
    other = threading.Thread(target=everything_else)
    other.start()
    other.join(5)
    assert answered, "another thread was held up"
    assert connecting.is_alive()
    hostile.stopped.set()
    connecting.join(20)
    assert errors
