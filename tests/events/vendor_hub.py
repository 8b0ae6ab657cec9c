"""The vendor's own hub, in its own environment, steered by JSON lines: what it hears, it prints."""

import json
import sys
import threading

import ftrack_api.event.base
import ftrack_api.event.hub


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(url):
    hub = ftrack_api.event.hub.EventHub(url, "vendor", "the-api-key")
    hub.connect()

    def heard(event):
        say(heard=event["topic"], data=event["data"], source=event["source"], sent=event["sent"])
        if event["topic"] == "to.vendor.question":
            return {"answer": event["data"]["n"] + 1}
        return None

    hub.subscribe("topic=to.vendor.* and not data.ignore=yes", heard)
    threading.Thread(target=hub.wait, daemon=True).start()
    say(ready=hub.id)
    for line in sys.stdin:
        order = json.loads(line)
        event = ftrack_api.event.base.Event(topic=order["topic"], data=order.get("data", {}))
        hub.publish(event, on_reply=lambda reply: say(reply=reply["data"], to=reply["in_reply_to_event"]))
        say(published=event["id"])
    hub.disconnect()


if __name__ == "__main__":
    main(sys.argv[1])
