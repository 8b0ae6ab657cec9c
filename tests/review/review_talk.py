# ruff: noqa: T201 - it talks to its caller through its output
"""The vendor's client talks with another one through the event server; prints what it heard as JSON."""

import json
import sys
import time

import ftrack_api
import ftrack_api.event.base


def until(hub, condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "nobody spoke"
        hub.wait(0.05)


def main(task_id, shot_id):
    session = ftrack_api.Session(schema_cache_path=False, plugin_paths=[], auto_connect_event_hub=False)
    hub, changes, orders, replies = session.event_hub, [], [], []
    hub.connect()
    hub.subscribe("topic=ftrack.update and source.user.username!=nobody", changes.append)
    hub.subscribe("topic=studio.question", lambda event: {"answer": event["data"]["number"] * 2})
    hub.subscribe("topic=studio.order", orders.append, subscriber={"id": "renderer", "desk": "paint"})
    hub.wait(0.2)
    print("ready", flush=True)
    until(hub, lambda: changes and orders)
    session.get("Shot", shot_id)["description"] = "Changed by the vendor's client."
    session.commit()
    hub.publish(
        ftrack_api.event.base.Event(topic="studio.greeting", data={"text": "grüß dich", "n": [1, None, 2.5]}),
        on_reply=replies.append,
    )
    until(hub, lambda: len(replies) == 2)
    (change,) = changes[0]["data"]["entities"]
    print(
        json.dumps(
            {
                "change": [change["entityId"] == task_id, change["action"], change["keys"]],
                "order": [orders[0]["data"], orders[0]["source"]["user"]["username"]],
                "orders": len(orders),
                "replies": sorted(reply["data"]["from"] for reply in replies),
                "in_reply": all(reply["in_reply_to_event"] for reply in replies),
            }
        )
    )
    session.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
