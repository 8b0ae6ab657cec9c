"""Events and replies between the vendor's own client and ours, in two processes, through one event server."""

import json
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest

from sessionkit.events import Event
from sessionkit.testing.tools import wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def vendor(sandbox, tmp_path):
    """Start the vendor's client: `vendor(task, shot)`; it is listening when this returns."""
    made = subprocess.run([ROOT / ".ci" / "env", "ftrack"], stdout=subprocess.PIPE, text=True, check=True)
    started = []

    def start(*arguments):
        command = [made.stdout.strip(), Path(__file__).with_name("review_talk.py"), *arguments]
        env = {"HOME": str(tmp_path), "PATH": os.defpath, "NO_PROXY": "*", **sandbox.env}
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


until = partial(wait_until, seconds=30.0)


def test_events_and_replies_cross_between_both_clients(open_session, vendor):
    session = open_session(auto_connect_event_hub=True)
    assert session.wait_for_event_hub()
    hub, greetings, replies = session.event_hub, [], []
    task = session.query("select description from Task").first()
    shot = session.query("select description from Shot").first()
    hub.subscribe("topic=studio.greeting", lambda event: greetings.append(event) or {"from": "first"})
    hub.subscribe("topic=studio.greeting", lambda event: {"from": event["data"]["text"]}, priority=200)
    hub.flush()
    process = vendor(task["id"], shot["id"])

    hub.publish(Event("studio.question", data={"number": 21}), on_reply=replies.append)
    hub.publish(Event("studio.order", data={"for": "another desk"}, target="desk=roto"))
    hub.publish(Event("studio.order", data={"for": "ünser desk"}, target="desk=paint"))
    task["description"] = "Changed by ours."
    session.commit()

    printed, _ = process.communicate(timeout=60)
    assert json.loads(printed) == {
        "change": [True, "update", ["description"]],
        "order": [{"for": "ünser desk"}, session.api_user],
        "orders": 1,
        "replies": ["first", "grüß dich"],
        "in_reply": True,
    }
    until(lambda: replies and greetings and shot["description"] == "Changed by the vendor's client.")
    assert [reply["data"] for reply in replies] == [{"answer": 42}]
    assert greetings[0]["data"] == {"text": "grüß dich", "n": [1, None, 2.5]}
    assert greetings[0]["source"]["user"]["username"] == session.api_user
