"""What runs in processes of its own: an event server, a hub that exchanges events, a hub that waits."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time

import uvicorn
from starlette.applications import Starlette

from sessionkit.events import Backoff, Event, EventHub, EventHubError
from sessionkit.sandbox.server import listen
from sessionkit.sandbox.socketio import SocketIoServer

QUICK = Backoff(initial=0.05, maximum=0.3, attempts=500)


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def serve(port, grace):
    """An event server that remembers nothing from an earlier life; ends with its standard input."""
    server = SocketIoServer(grace=float(grace))
    listener = listen("127.0.0.1", int(port))
    app = Starlette(routes=server.routes())
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))

    def leave():
        sys.stdin.read()
        running.should_exit = True

    threading.Thread(target=leave, daemon=True).start()
    say(port=listener.getsockname()[1])
    running.run(sockets=[listener])


def exchange(url, me, other, count, seconds):
    """Publish `count` events in about `seconds`, receive the other's, and tell what became of them."""
    logging.disable()  # restarts are noisy on purpose
    hub = EventHub(url, me, backoff=QUICK)
    received, refused, accepted = [], [], []
    hub.subscribe(f"topic=from.{other}", lambda event: received.append(event["data"]["n"]))
    hub.connect()
    hub.run_in_thread()
    hub.flush(10)
    say(ready=me)
    sys.stdin.readline()
    count, pause = int(count), float(seconds) / (int(count) / 20)
    for n in range(count):
        try:
            hub.publish(Event(f"from.{me}", data={"n": n}), on_error=lambda error, n=n: refused.append(n))
        except EventHubError:
            refused.append(n)
        else:
            accepted.append(n)
        if n % 20 == 19:
            time.sleep(pause)
    hub.flush(60)
    say(published=me)
    expected = json.loads(sys.stdin.readline())["accepted"]
    deadline = time.monotonic() + 30
    while len(received) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    hub.disconnect()
    say(received=received, accepted=[n for n in accepted if n not in set(refused)], refused=refused)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
