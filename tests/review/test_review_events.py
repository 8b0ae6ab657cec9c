import threading

import pytest

from sessionkit.cache import MemoryCache
from sessionkit.events import Event, EventHub
from sessionkit.testing.tools import wait_until
from sessionkit_review import Entity, ReviewSession
from sessionkit_review.factory import CONSTRUCT, StandardFactory


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


def test_entities_follow_what_others_change(open_session, calls):
    kept = MemoryCache()
    stored = kept.keys
    watching = open_session(auto_connect_event_hub=True, cache=kept)
    assert watching.wait_for_event_hub()
    changing = open_session()
    task = watching.query("select description, name, status.name from Task").first()
    task["name"] = "mine"
    shot = watching.query("select children from Shot").first()
    children = len(shot["children"])
    other = changing.get("Task", task["id"])
    other["description"] = "changed by another"
    fresh = changing.create("Task", {"name": "new", "parent": changing.get("Shot", shot["id"])})
    changing.commit()
    wait_until(lambda: "description" not in task._data)
    assert task["description"] == "changed by another"
    assert task["name"] == "mine"
    wait_until(lambda: len(shot["children"]) == children + 1)
    mine = watching.get("Task", fresh["id"])
    assert any(fresh["id"] in key for key in stored())
    changing.delete(fresh)
    changing.commit()
    wait_until(lambda: mine not in watching.entities)
    assert not any(fresh["id"] in key for key in stored())
    assert watching.get("Task", fresh["id"]) is None


def test_what_a_session_did_itself_is_not_read_again(open_session, sandbox, calls):
    session = open_session(auto_connect_event_hub=True)
    assert session.wait_for_event_hub()
    seen = threading.Event()
    session.event_hub.subscribe("topic=ftrack.update", lambda event: seen.set())
    session.event_hub.flush()
    task = session.query("select description from Task").first()
    task["description"] = "by myself"
    session.commit()
    assert seen.wait(10)
    before = calls()
    assert task["description"] == "by myself"
    assert calls() == before


def test_a_connection_that_cannot_be_made_is_visible_and_heals(open_session, sandbox):
    sandbox.fault("status", path="/socket.io/1/*", status=503, times=2)
    session = open_session(auto_connect_event_hub=True)
    wait_until(lambda: session.event_hub_error is not None)
    session.event_hub.publish(Event("studio.queued"))
    assert session.wait_for_event_hub(20)
    assert session.event_hub_error is None


def test_a_hub_of_ones_own_is_one_argument(open_session):
    made = []

    def factory(session):
        made.append(session)
        return EventHub()

    session = open_session(event_hub_factory=factory)
    assert session.event_hub is session.event_hub
    assert made == [session]


def test_plugins_extend_types_and_get_arguments(open_session, tmp_path, caplog):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shouting.py").write_text(
        "from sessionkit_review.entity import Entity\n"
        "from sessionkit_review.factory import CONSTRUCT, StandardFactory\n"
        "class Shouting(Entity):\n"
        "    __slots__ = ()\n"
        "    def shout(self): return self['name'].upper()\n"
        "def construct(event):\n"
        "    return StandardFactory().create(event['data']['schema'], bases=[Shouting])\n"
        "def register(session, loud=False):\n"
        "    assert loud\n"
        f"    session.event_hub.subscribe('topic={CONSTRUCT} and data.schema.id=Task', construct)\n"
    )
    (tmp_path / "plugins" / "broken.py").write_text("this is no Python")
    (tmp_path / "plugins" / "nothing.py").write_text("x = 1")
    session = open_session(plugin_paths=[tmp_path / "plugins"], plugin_arguments={"loud": True, "other": 1})
    task = session.query("select name from Task").first()
    assert task.shout() == task["name"].upper()
    assert task.create_note
    assert not hasattr(session.query("Shot").first(), "shout")
    assert "cannot be imported" in caplog.text
    assert "has no function `register`" in caplog.text
    assert "does not take other" in caplog.text


def test_local_topics_tell_of_a_session(open_session):
    seen = []
    session = open_session(event_hub_factory=lambda session: EventHub())
    session.event_hub.subscribe("topic=ftrack.api.session.*", lambda event: seen.append(event["topic"]))
    session.reset()
    assert seen == ["ftrack.api.session.configure-location", "ftrack.api.session.reset"]
    assert issubclass(StandardFactory().create(session.types["Task"].schema), Entity)
    assert isinstance(session, ReviewSession)


def test_one_folder_of_plugins_may_be_given_as_text(open_session, tmp_path, monkeypatch):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "one.py").write_text("def register(session):\n    session.seen_by = 'one'\n")
    monkeypatch.chdir(tmp_path)
    for folder in (str(tmp_path / "plugins"), tmp_path / "plugins", "plugins"):
        assert open_session(plugin_paths=folder).seen_by == "one"
