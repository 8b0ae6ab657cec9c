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
from sessionkit.testing import ManualClock

QUICK = Backoff(initial=0.05, maximum=0.3, attempts=500)


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def told():
    """What the test says, until it closes the pipe."""
    return map(json.loads, sys.stdin)


def serve(port, grace):
    """An event server that remembers nothing from an earlier life; ends with its standard input.

    Its time stands still until it is told otherwise, so that nobody returns too late on a busy machine.
    """
    clock = ManualClock()
    server = SocketIoServer(clock, grace=float(grace))
    listener = listen("127.0.0.1", int(port))
    app = Starlette(routes=server.routes())
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))

    def obey():
        for command in told():
            clock.advance(command["seconds"])
        running.should_exit = True

    threading.Thread(target=obey, daemon=True).start()
    say(port=listener.getsockname()[1])
    running.run(sockets=[listener])


def exchange(url, me, other):
    """A hub that publishes and receives as it is told, and tells what became of everything in the end."""
    logging.disable()  # restarts are noisy on purpose
    hub = EventHub(url, me, backoff=QUICK, clock=ManualClock())  # nothing expires on a busy machine
    received, refused, accepted = [], [], []

    def publish(count, seconds):
        """Publish so many more events in about so many seconds, and say when half of that is done."""
        for done in range(1, count + 1):
            number = len(accepted)
            accepted.append(number)
            hub.publish(Event(f"from.{me}", data=number), on_error=lambda _, n=number: refused.append(n))
            if done == count // 2:
                say(half=done)
            if done % 20 == 0:
                time.sleep(seconds / (count / 20))

    def receive(count):
        """Wait until so many events have arrived."""
        deadline = time.monotonic() + 40
        while len(received) < count and time.monotonic() < deadline:
            time.sleep(0.02)

    def tell():
        """Wait for the last confirmations, and for what should not come."""
        try:
            hub.flush(20)
            waiting = 0
        except EventHubError:
            waiting = len(hub._transport.outbox)
        time.sleep(0.2)
        say(accepted=accepted, refused=refused, received=received, waiting=waiting)

    hub.subscribe(f"topic=from.{other}", lambda event: received.append(event["data"]))
    hub.connect()
    hub.run_in_thread()
    hub.flush(20)
    say(ready=me)
    tasks = {"publish": publish, "receive": receive, "tell": tell}
    for command in told():
        task = command.pop("do")
        tasks[task](**command)
        say(done=task)
    hub.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
