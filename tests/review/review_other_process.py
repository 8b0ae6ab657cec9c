# ruff: noqa: T201 - it talks to its caller through its output
"""A process with a session of its own, that does what it is told line by line.

python review_other_process.py CACHE FOLDER, with $FTRACK_... set
"""

import json
import sys
import threading

from sessionkit.cache import FileCache
from sessionkit.events import Event
from sessionkit_review import ReviewSession


def listens(session):
    """Wait until a session has handled what its hub had to tell, that it is connected above all."""
    assert session.wait_for_event_hub()
    hub, heard = session.event_hub, threading.Event()
    with hub.subscription("topic=test.listens", lambda event: heard.set()):
        hub.flush()
        hub.publish(Event("test.listens"))
        assert heard.wait(20)


def main(cache_path, folder):
    with (
        FileCache(cache_path) as cache,
        ReviewSession.detached(
            auto_connect_event_hub=True, cache=cache, schema_cache_path=folder, plugin_paths=[]
        ) as session,
    ):
        listens(session)
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            action, kind, key, *rest = json.loads(line)
            entity = session.get(kind, key)
            if action == "set":
                entity.update(dict([rest]))
                session.commit()
            elif action == "delete":
                session.delete(entity)
                session.commit()
            print(json.dumps(None if entity is None else entity[rest[0]] if rest else "done"), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
