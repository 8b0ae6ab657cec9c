import threading

import pytest

from sessionkit.errors import CallTimeout, ConnectionFailed, RequestError, ServerError, UnexpectedResponse
from sessionkit_review import CREATED, DELETED, MODIFIED, NOT_SET, inspection
from sessionkit_review.batch import changes_of
from sessionkit_review.errors import DuplicateEntryError, ValidationError
from sessionkit_review.operations import (
    CreateEntityOperation,
    DeleteEntityOperation,
    UpdateEntityOperation,
)


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


@pytest.fixture(autouse=True)
def clean(sandbox):
    yield
    sandbox.clear()


@pytest.fixture
def scopes(service):
    """The names of the scopes in the database."""

    def scopes():
        rows = service.host.db.execute("SELECT name FROM review_Scope ORDER BY name").fetchall()
        return [name for (name,) in rows if not name.startswith("_")]

    before = scopes()
    return lambda: [name for name in scopes() if name not in before]


def update(name, value, entity="a", kind="Task"):
    return UpdateEntityOperation(kind, [entity], name, None, value)


def payloads(*operations):
    return [(c.action, c.key, c.data) for c in changes_of(operations)]


def test_a_batch_is_as_small_as_can_be():
    assert payloads(
        CreateEntityOperation("Task", ["a"], {"id": "a", "name": "one", "bid": NOT_SET}),
        update("name", "two"),
        update("name", "three"),
        CreateEntityOperation("Task", ["b"], {"id": "b"}),
        update("bid", 1.0),
        update("bid", 2.0),
        DeleteEntityOperation("Task", ["b"]),
        DeleteEntityOperation("Task", ["c"]),
    ) == [
        ("create", "a", {"id": "a", "name": "three", "bid": 2.0}),
        ("delete", "c", {}),
    ]


def test_an_update_joins_only_what_stands_right_before_it():
    found = payloads(update("name", "x"), update("name", "y", "b"), update("bid", 1.0))
    assert found == [
        ("update", "a", {"name": "x"}),
        ("update", "b", {"name": "y"}),
        ("update", "a", {"bid": 1.0}),
    ]


def test_a_commit_is_one_call_and_changes_have_states(session, calls, scopes):
    first, second = (session.create("Scope", {"name": name}) for name in ("one", "two"))
    task = session.query("select description from Task").first()
    task["description"] = "new"
    assert session.created == [first, second]
    assert session.modified == [task]
    assert inspection.states([first, task]) == [CREATED, MODIFIED]
    before = calls()
    session.commit()
    assert calls() - before == 1
    assert scopes() == ["one", "two"]
    assert len(session.recorded_operations) == 0
    assert inspection.state(first) is NOT_SET
    session.delete(second)
    assert session.deleted == [second]
    assert inspection.state(second) is DELETED
    session.commit()
    assert scopes() == ["one"]
    assert session.get("Scope", second["id"]) is None
    before = calls()
    session.commit()
    assert calls() == before
    session.delete(first)
    session.commit()


def test_the_server_fills_in_what_it_decides(session):
    project = session.query("Project").first()
    task = session.create("Task", {"name": "fresh", "parent": project})
    session.commit()
    with session.auto_populating(False):
        assert task["status_id"]
        assert task["context_type"] == "task"
    session.delete(task)
    session.commit()


def test_a_batch_is_checked_at_its_end(session):
    late = session.create("Group", {"name": None, "local": True})
    session.create("Scope", {"name": "_between"})
    late["name"] = "Night shift"
    session.commit()
    assert session.query('Group where name is "Night shift"').one() is late


def test_rollback_takes_everything_back(session, scopes):
    task = session.query("select name, notes from Task").first()
    old, notes = task["name"], list(task["notes"])
    scope = session.create("Scope", {"name": "never"})
    task["name"] = "never"
    note = session.create("Note", {"id": "n", "content": "x"}, reconstructing=True)
    task["notes"].append(note)
    session.delete(task)
    session.rollback()
    assert (task["name"], list(task["notes"])) == (old, notes)
    assert len(session.recorded_operations) == 0
    assert scope not in session.entities
    session.commit()
    assert scopes() == []


def test_a_refused_commit_leaves_everything_as_it_was(session, scopes):
    task = session.query("select description from Task").first()
    task["description"] = "kept"
    wrong = session.create("ReviewSessionInvitee", {"name": "Nobody"})
    pending = list(session.recorded_operations)
    with pytest.raises(ValidationError):
        session.commit()
    assert list(session.recorded_operations) == pending
    assert task["description"] == "kept"
    assert inspection.state(wrong) is CREATED
    session.delete(wrong)
    session.commit()
    assert (
        session.query(f'select description from Task where id is "{task["id"]}"').one()["description"]
        == "kept"
    )


LOST = [
    ("reset", {}, ConnectionFailed),
    ("lost_reply", {}, ConnectionFailed),
    ("truncate", {}, RequestError),
    ("html", {}, ServerError),
    ("body", {"body": "<html><title>Log in</title></html>"}, UnexpectedResponse),
    ("status", {"status": 500}, ServerError),
]


@pytest.mark.parametrize(("kind", "options", "error"), LOST)
def test_a_commit_whose_answer_was_lost_is_not_done_twice(session, sandbox, scopes, kind, options, error):
    scope = session.create("Scope", {"name": f"lost {kind}"})
    sandbox.fault(kind, path="/api", **options)
    with pytest.raises(error):
        session.commit()
    assert inspection.state(scope) is CREATED
    more = session.create("Scope", {"name": f"more {kind}"})
    session.commit()
    assert scopes() == [f"lost {kind}", f"more {kind}"]
    assert len(session.recorded_operations) == 0
    assert scope["name"] == f"lost {kind}"
    for each in (scope, more):
        session.delete(each)
    sandbox.fault(kind, path="/api", **options)
    with pytest.raises(error):
        session.commit()
    session.commit()
    assert scopes() == []


def test_a_batch_that_was_late_rather_than_lost_is_recognised(session, sandbox, scopes, open_session):
    session.create("Scope", {"name": "late"})
    sandbox.fault("reset", path="/api")
    with pytest.raises(ConnectionFailed):
        session.commit()
    # The batch arrives between the question whether it did and its repetition.
    ask, was_carried_out = session.read_operations, session.committer._was_carried_out

    def look(operations):
        session.committer._was_carried_out = was_carried_out
        seen = was_carried_out(operations)
        session.send_operations([change.payload() for change in changes_of(operations)])
        return seen

    session.committer._was_carried_out = look
    session.commit()
    assert scopes() == ["late"]
    assert len(session.recorded_operations) == 0
    assert ask == session.read_operations
    session.delete(session.query('Scope where name is "late"').one())
    session.commit()


def test_a_timeout_leaves_the_changes(open_session, sandbox, scopes):
    session = open_session()
    _ = session.types
    scope = session.create("Scope", {"name": "slow"})
    session.timeout = 0.4
    sandbox.fault("silent", path="/api")
    with pytest.raises(CallTimeout):
        session.commit()
    session.timeout = 30.0
    session.commit()
    assert scopes() == ["slow"]
    session.delete(scope)
    session.commit()


def test_what_others_record_while_a_commit_is_on_the_wire_is_kept(session, scopes):
    task = session.query("select name, description from Task").first()
    task["description"] = "first"
    one = session.create("Scope", {"name": "one"})
    sent, two_recorded = threading.Event(), threading.Event()
    send = session.send
    session.send = lambda request, deadline: (sent.set(), two_recorded.wait(10), send(request, deadline))[2]
    committing = threading.Thread(target=session.commit)
    committing.start()
    assert sent.wait(10)
    two = session.create("Scope", {"name": "two"})
    task["description"] = "second"
    two_recorded.set()
    committing.join()
    session.send = send
    assert scopes() == ["one"]
    assert inspection.states([one, two, task]) == [NOT_SET, CREATED, MODIFIED]
    assert task["description"] == "second"
    session.commit()
    assert scopes() == ["one", "two"]
    assert (
        session.query(f'select description from Task where id is "{task["id"]}"').one()["description"]
        == "second"
    )
    session.delete(one)
    session.delete(two)
    session.commit()


def test_what_was_created_and_deleted_again_comes_to_nothing(session, calls):
    _ = session.types
    scope = session.create("Scope", {"name": "never"})
    session.delete(scope)
    before = calls()
    session.commit()
    assert calls() == before
    assert len(session.recorded_operations) == 0
    assert scope not in session.entities


def test_a_duplicate_is_an_error_when_nothing_was_in_doubt(session):
    scope = session.create("Scope", {"name": "_twice"})
    session.commit()
    session.entities.discard(scope)
    session.create("Scope", {"id": scope["id"], "name": "_twice"})
    with pytest.raises(DuplicateEntryError):
        session.commit()
    session.rollback()


def test_changes_that_are_not_recorded_are_not_sent(session, calls):
    task = session.query("select description from Task").first()
    with session.operation_recording(False):
        task["description"] = "only here"
    before = calls()
    session.commit()
    assert calls() == before
    assert task["description"] == "only here"


def test_switches_belong_to_a_thread(session):
    seen = []
    session.auto_populate = session.record_operations = False
    for _ in range(20):
        thread = threading.Thread(
            target=lambda: seen.append((session.auto_populate, session.record_operations))
        )
        thread.start()
        thread.join()
    assert set(seen) == {(True, True)}
    session.auto_populate = session.record_operations = True


def test_siblings_have_changes_and_entities_of_their_own(session, scopes):
    twin = session.sibling()
    twin.create("Scope", {"name": "of the twin"})
    session.commit()
    assert scopes() == []
    twin.commit()
    assert scopes() == ["of the twin"]
    assert twin.types is session.types
    mine = session.query('Scope where name is "of the twin"').one()
    assert mine is not twin.entities.get("Scope", mine["id"])
    session.delete(mine)
    session.commit()
    twin.close()


def test_operations_of_ones_own_can_be_recorded(session, scopes):
    session.recorded_operations.push(CreateEntityOperation("Scope", ["own"], {"id": "own", "name": "own"}))
    session.commit()
    assert scopes() == ["own"]
    session.recorded_operations.push(DeleteEntityOperation("Scope", {"id": "own"}))
    session.commit()
    assert scopes() == []


def test_reset_forgets(session, calls):
    task = session.query("select name from Task").first()
    task["name"] = "never"
    session.reset()
    assert len(session.entities) == 0
    assert session.get("Task", task["id"]) is not task
