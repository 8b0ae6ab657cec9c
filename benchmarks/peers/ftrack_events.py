"""The vendor's hub, doing on command what `benchmarks/events.py` measures, and telling its processor time."""

import json
import sys
import threading
import time

from ftrack_api.event.base import Event
from ftrack_api.event.hub import EventHub
from ftrack_api.event.subscription import Subscription

url = sys.argv[1]
hubs = {}
received = []
done = threading.Event()
expected = []


def nothing(_):
    pass


def hub_with(count, matching):
    if (count, matching) not in hubs:
        hub = hubs[count, matching] = EventHub(url, "vendor", "key")
        for number in range(count):
            hub.subscribe(f"topic=ftrack.topic{number // matching}", nothing)
    return hubs[count, matching]


def dispatch(count, matching, times):
    hub, event = hub_with(count, matching), Event("ftrack.topic3", data={"n": 1})
    for _ in range(times):
        hub.publish(event, synchronous=True)


def parse(text, times):
    for _ in range(times):
        Subscription(text)


def heard(event):
    received.append(event)
    if len(received) == expected[-1]:
        done.set()


def echo(count):
    if "echo" not in hubs:
        hub = hubs["echo"] = EventHub(url, "vendor", "key")
        hub.connect()
        hub.subscribe("topic=echo.vendor", heard)
        threading.Thread(target=hub.wait, daemon=True).start()
        done.wait(0.5)
    expected.append(count)
    received.clear()
    done.clear()
    for number in range(count):
        hubs["echo"].publish(Event("echo.vendor", data={"n": number}))
    assert done.wait(60)


for line in sys.stdin:
    name, *arguments = json.loads(line)
    begin = time.process_time()
    globals()[name](*arguments)
    sys.stdout.write(json.dumps(time.process_time() - begin) + "\n")
    sys.stdout.flush()
