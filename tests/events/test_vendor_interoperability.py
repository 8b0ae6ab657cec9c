"""The vendor's hub and ours exchange events and replies through the sandbox's event server."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from sessionkit.events import Event
from sessionkit.testing.tools import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def vendor_python():
    """The Python of the environment that holds the vendor's client."""
    made = subprocess.run(
        [ROOT / ".ci/env", "ftrack"], check=True, capture_output=True, text=True, timeout=110
    )
    return made.stdout.strip()


@pytest.fixture
def vendor(event_server, vendor_python):
    """A process with the vendor's hub, connected; `hear` is its next line, `say` an event it publishes."""
    process = subprocess.Popen(
        [vendor_python, "-W", "ignore", Path(__file__).with_name("vendor_hub.py"), event_server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    class Vendor:
        @staticmethod
        def hear():
            return json.loads(process.stdout.readline())

        @staticmethod
        def say(**order):
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()

    assert "ready" in Vendor.hear()
    yield Vendor
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


def test_our_events_reach_the_vendor_and_its_reply_comes_back(event_server, vendor, connected):
    hub = connected(event_server.url, user="ours")
    replies = []
    time.sleep(0.3)  # the vendor announces its subscriptions without waiting for the acknowledgement
    hub.publish(Event("to.vendor.news", data={"text": "ü", "ignore": "yes"}))
    hub.publish(Event("to.vendor.question", data={"n": 41}), on_reply=replies.append)
    heard = vendor.hear()
    assert heard["heard"] == "to.vendor.question"
    assert heard["source"]["user"] == {"username": "ours"}
    assert heard["source"]["id"] == hub.id
    assert heard["sent"]
    wait_until(lambda: replies)
    assert replies[0]["data"] == {"answer": 42}
    assert replies[0]["source"]["user"] == {"username": "vendor"}


def test_the_vendors_events_reach_us_and_our_reply_goes_back(event_server, vendor, connected):
    hub = connected(event_server.url)
    got = []
    hub.subscribe(
        "topic=to.us and data.n>5", lambda event: got.append(event) or {"thanks": event["data"]["n"]}
    )
    hub.flush()
    vendor.say(topic="to.us", data={"n": 1})
    assert "published" in vendor.hear()
    vendor.say(topic="to.us", data={"n": 7})
    lines = [vendor.hear(), vendor.hear()]
    (published,) = [line["published"] for line in lines if "published" in line]
    (reply,) = [line for line in lines if "reply" in line]
    assert reply == {"reply": {"thanks": 7}, "to": published}
    (event,) = got
    assert event["id"] == published
    assert event["source"]["user"] == {"username": "vendor"}


def test_the_vendor_survives_what_our_server_adds_for_our_hubs(event_server, vendor, connected):
    hub = connected(event_server.url)
    for n in range(200):
        hub.publish(Event("to.vendor.count", data={"n": n}))
    hub.flush()
    assert [vendor.hear()["data"]["n"] for _ in range(200)] == list(range(200))
