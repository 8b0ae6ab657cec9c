"""What `test_review_unit_model` and its dictionaries found, each in as few steps as it takes."""

import uuid

import pytest

from sessionkit.errors import ConnectionFailed
from sessionkit.events import Event
from sessionkit_review import CREATED, NOT_SET, inspection
from sessionkit_review.errors import UnknownAttribute


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


@pytest.fixture
def other(open_session):
    """Another process that changes the same entities."""
    return open_session()


@pytest.fixture
def create(session):
    project = session.query("Project").first()

    def create(kind="Shot", **data):
        data = {"name": uuid.uuid4().hex, **({} if kind == "Scope" else {"parent": project}), **data}
        return session.create(kind, data)

    yield create
    session.rollback()


@pytest.fixture
def shot(session, create):
    """One that the server has."""
    shot = create(description="old", metadata={"k": "old"})
    session.commit()
    return shot


def metadata_of(other, shot):
    other.reset()
    return dict(other.get("Shot", shot["id"])["metadata"])


def test_what_was_created_and_deleted_is_not_here_after_a_rollback(session, create):
    shot = create()
    session.delete(shot)
    session.rollback()
    assert shot not in session.entities
    assert session.get("Shot", shot["id"]) is None


def test_what_was_created_without_being_recorded_is_not_here_after_a_rollback(session, create):
    with session.operation_recording(False):
        shot = create()
    session.rollback()
    assert shot not in session.entities


def test_taking_back_a_value_of_what_was_created_and_deleted_changes_nothing(session, create):
    shot = create()
    session.delete(shot)
    del shot["name"]
    assert shot["name"]


def test_a_creation_that_fails_leaves_nothing_behind(session, create):
    with pytest.raises(UnknownAttribute):
        create(metadata={"k": "new"}, custom_attributes={"no such": 1})
    assert session.created == []
    assert len(session.recorded_operations) == 0
    assert not [each for each in session.entities if each.entity_type in {"Shot", "Metadata"}]


def test_new_metadata_can_be_deleted_and_set_again(session, create, other):
    shot = create()
    shot["metadata"]["k"] = "first"
    del shot["metadata"]["k"]
    shot["metadata"]["k"] = "second"
    assert dict(shot["metadata"]) == {"k": "second"}
    session.commit()
    assert metadata_of(other, shot) == {"k": "second"}


def test_metadata_that_somebody_else_has_deleted_can_be_set_again(session, shot, other):
    del other.get("Shot", shot["id"])["metadata"]["k"]
    other.commit()
    session.refresh(shot)
    assert dict(shot["metadata"]) == {}
    shot["metadata"]["k"] = "new"
    session.commit()
    assert metadata_of(other, shot) == {"k": "new"}


def test_metadata_are_refreshed_also_while_some_wait(session, shot, other):
    shot["metadata"]["mine"] = "1"
    theirs = other.get("Shot", shot["id"])
    theirs["metadata"].update({"k": "new", "more": "2"})
    other.commit()
    session.refresh(shot)
    assert dict(shot["metadata"]) == {"mine": "1", "k": "new", "more": "2"}


def test_metadata_after_a_commit_in_doubt_that_was_rolled_back(session, shot, sandbox, other):
    shot["metadata"]["new"] = "1"
    del shot["metadata"]["k"]
    sandbox.fault("lost_reply", path="/api")
    with pytest.raises(ConnectionFailed):
        session.commit()
    session.rollback()
    assert dict(shot["metadata"]) == {"new": "1"}
    shot["metadata"].update({"new": "2", "k": "2"})
    session.commit()
    assert metadata_of(other, shot) == {"new": "2", "k": "2"}


def test_what_was_read_of_a_new_entity_is_read_again_once_it_exists(session, create):
    shot = create()
    assert shot["status"] is NOT_SET
    assert list(shot["children"]) == []
    task = create("Task", parent=shot)
    session.commit()
    assert shot["status"]["name"]
    assert list(shot["children"]) == [task]


def test_a_reference_and_its_identifier_agree_after_a_commit(session, shot):
    first, second = [each for each in session.query("Status").all() if each is not shot["status"]][:2]
    shot["status_id"] = first["id"]
    session.commit()
    assert shot["status"] is first
    shot["status"] = second
    session.commit()
    assert shot["status_id"] == second["id"]


@pytest.mark.parametrize("then", [lambda s, e: s.delete(e), lambda s, e: e.update(description="new")])
def test_what_is_to_be_deleted_is_deleted_once_and_not_changed(session, shot, then):
    session.delete(shot)
    then(session, shot)
    session.commit()
    assert len(session.recorded_operations) == 0
    assert session.get("Shot", shot["id"]) is None


def test_what_was_changed_and_deleted_is_not_here_after_the_commit(session, shot):
    shot["description"] = "new"
    session.delete(shot)
    session.commit()
    assert shot not in session.entities
    assert session.get("Shot", shot["id"]) is None


def test_a_rollback_after_a_refresh_does_not_bring_back_old_values(session, shot, other):
    shot["description"] = "mine"
    other.get("Shot", shot["id"])["description"] = "theirs"
    other.commit()
    session.refresh(shot)
    assert shot["description"] == "mine"
    session.rollback()
    assert shot["description"] == "theirs"


def test_a_collection_that_was_reconstructed_belongs_to_the_entity_that_is_here(session, create):
    scopes = [create("Scope") for _ in range(3)]
    shot = create(scopes=scopes[:1])
    session.commit()
    session.create("Shot", {"id": shot["id"], "scopes": scopes[:2]}, reconstructing=True)
    shot["scopes"].append(scopes[2])
    session.commit()
    session.rollback()
    assert list(shot["scopes"]) == scopes


def test_a_late_event_of_a_deletion_does_not_take_what_was_made_anew(session, shot):
    hub = session.event_hub
    session.delete(shot)
    session.commit()
    again = session.create("Shot", {"id": shot["id"], "name": "again", "parent": shot["parent"]})
    change = {"entityType": "task", "entityId": shot["id"], "action": "remove"}
    hub.publish(Event("ftrack.update", data={"entities": [change]}), synchronous=True)
    assert session.created == [again]
    assert inspection.state(again) is CREATED
    session.rollback()


def test_metadata_of_what_is_deleted_are_not_changed(session, shot):
    session.delete(shot)
    shot["metadata"]["k"] = "new"
    session.commit()
    assert session.get("Shot", shot["id"]) is None


def test_metadata_of_what_was_created_and_deleted_never_exist(session, create, other):
    shot = create(metadata={"k": "new"})
    session.delete(shot)
    session.commit()
    assert other.query(f'Metadata where parent_id is "{shot["id"]}"').all() == []
