import json
from datetime import date, datetime, timedelta, timezone

import pytest

from sessionkit.errors import ConfigurationError


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


def test_each_strategy_chooses_other_attributes(session):
    task = session.query("select name, bid, status from Task").first()
    task["name"] = "mine"
    key = {"__entity_type__": "Task", "id": task["id"]}
    status = {"__entity_type__": "Status", "id": task["status"]["id"]}
    assert json.loads(session.encode(task, "modified_only")) == {**key, "name": "mine"}
    set_only = json.loads(session.encode(task))
    assert set_only["name"] == "mine"
    assert set_only["status"] == status
    persisted = json.loads(session.encode(task, "persisted_only"))
    assert persisted["name"] != "mine"
    everything = json.loads(session.encode(task, "all"))
    assert set(everything) > set(set_only)
    with pytest.raises(ConfigurationError, match="all, set_only, modified_only, persisted_only"):
        session.encode(task, "some")


def test_the_text_is_stable(session):
    moment = datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=timezone(timedelta(hours=2)))
    assert session.encode({"b": moment, "a": date(2024, 1, 2)}) == (
        '{"a": {"__type__": "datetime", "value": "2024-01-02"}, '
        '"b": {"__type__": "datetime", "value": "2024-01-02T03:04:05.678000+02:00"}}'
    )


def test_what_is_encoded_is_decoded_equal(session):
    tasks = session.query("select name, end_date, status, link from Task").all()
    before = {task["id"]: (task["name"], task["end_date"], task["status"]["id"]) for task in tasks}
    text = session.encode(tasks)
    session.reset()
    after = {
        task["id"]: (task["name"], task["end_date"], task["status"]["id"]) for task in session.decode(text)
    }
    assert after == before


def test_objects_that_look_like_arrow_are_dates(session):
    class Arrow:
        datetime = datetime(2024, 1, 2, tzinfo=timezone.utc)

        def isoformat(self):
            return self.datetime.isoformat()

    Arrow.__module__ = "arrow.arrow"
    task = session.query("Task").first()
    task["end_date"] = Arrow()
    assert task["end_date"] == Arrow.datetime
    session.commit()
    assert task["end_date"] == Arrow.datetime


def test_what_the_server_cannot_take_is_refused_before_anything_is_sent(session, calls):
    task = session.query("Task").first()
    task["description"] = object()
    before = calls()
    with pytest.raises(ConfigurationError, match=r"Task\.description cannot be set"):
        session.commit()
    assert calls() == before
