"""A process that holds copies, and says which whenever that changes."""

from __future__ import annotations

import sys
import threading

from sessionkit.cache import Coherence, MemoryCache
from sessionkit.events import Event, EventHub


def show(cache):
    sys.stdout.write(f"has {' '.join(cache.keys())}\n")
    sys.stdout.flush()


def main(url):
    cache, heard = MemoryCache(), threading.Event()
    with (
        EventHub(url, "listener", "key") as hub,
        Coherence(
            hub, cache, lambda event: map(str, event["data"]["ids"]), subscription="topic=studio.update"
        ),
    ):
        hub.subscribe("topic=studio.update", lambda _event: show(cache), priority=200)
        hub.subscribe("topic=listener.ready", lambda _event: heard.set())
        hub.run_in_thread()
        hub.publish(Event("listener.ready"))
        if not heard.wait(30):  # the server knows of all subscriptions once it has sent this
            raise SystemExit("the server did not answer")
        for key in "12":
            cache.set(key, "copy")
        show(cache)
        sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1])
