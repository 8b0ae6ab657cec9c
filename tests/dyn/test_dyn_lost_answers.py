"""What was carried out although no answer came is not done twice, and no error denies it."""

import json
import threading

import pytest

from sessionkit.clock import Deadline
from sessionkit.errors import CallTimeout, Conflict, ConnectionFailed, NotFound
from sessionkit.http import Call
from sessionkit.tokens import Token
from sessionkit_dyn import errors
from sessionkit_dyn.changeset import Changeset
from sessionkit_dyn.zones import Zone, get_all_zones

BLOCKED = {
    "status": "failure",
    "data": {},
    "job_id": 1,
    "msgs": [{"INFO": "zone: Operation blocked by current task", "ERR_CD": "ILLEGAL_OPERATION"}],
}


def listed(session):
    return [str(call) for calls in session.pending_changes.values() for call in calls]


# --- publishing ---


def test_a_publication_whose_answer_is_lost_is_not_repeated(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("lost_reply", method="PUT", path="/REST/Zone/*")
    zone.publish(notes="once")
    assert [note["note"] for note in zone.get_notes()].count("once") == 1
    assert zone.serial == zone.refresh().serial == 2
    assert dyn.pending_changes == {}


@pytest.mark.parametrize("kind", ["reset", "html"])
def test_one_that_did_not_arrive_is_repeated(sandbox, dyn, zone, kind):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault(kind, method="PUT", path="/REST/Zone/*")
    zone.publish()
    assert zone.refresh().serial == 2
    assert zone.get_changes() == []


def test_a_new_zone_with_nothing_in_it_is_published_all_the_same(sandbox, dyn):
    zone = Zone("new.example", contact="ann@new.example")
    sandbox.fault("reset", method="PUT", path="/REST/Zone/*")
    zone.publish()
    assert zone.refresh().serial == 1


def test_it_is_not_repeated_for_what_was_added_meanwhile(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("lost_reply", method="PUT", path="/REST/Zone/*")
    sandbox.fault("throttle", method="GET", path="/REST/ZoneChanges/*", retry_after="1")

    def add_another(_):
        dyn.progress = None
        zone.add_record("www", "A", "192.0.2.2")

    dyn.progress = add_another
    with pytest.raises(errors.DynectUpdateError, match="may have been published"):
        zone.publish()
    assert len(zone.get_changes()) == 1


def test_when_the_token_ended_meanwhile_the_error_says_that_it_may_have_been_published(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("lost_reply", method="PUT", path="/REST/Zone/*")
    sandbox.fault("status", status=401, method="GET", path="/REST/ZoneChanges/*", body=json.dumps(BLOCKED))
    unknown = pytest.raises(errors.DynectUpdateError, match="may have been published")
    with pytest.warns(errors.DynectChangesLostWarning), unknown as caught:
        zone.publish()
    assert not isinstance(caught.value, errors.DynectChangesLost)
    assert caught.value.sent
    assert zone.refresh().serial == 2


def test_when_it_cannot_be_looked_the_error_says_so(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("lost_reply", method="PUT", path="/REST/Zone/*")
    sandbox.fault("throttle", method="GET", path="/REST/ZoneChanges/*", retry_after="3600")
    with pytest.raises(errors.DynectUpdateError, match="may have been published; asking failed"):
        zone.publish()


# --- what waits ---


def test_what_is_changed_while_a_publication_is_under_way_still_waits(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("job", polls=0)

    def add_another(_):
        dyn.progress = None
        zone.add_record("late", "A", "192.0.2.2")

    dyn.progress = add_another
    zone.publish()
    assert listed(dyn) == ["POST /REST/ARecord/test.example/late.test.example/"]
    sandbox.fault("expire_token")
    with pytest.warns(errors.DynectChangesLostWarning), pytest.raises(errors.DynectChangesLost):
        zone.publish()


def test_changes_stay_listed_as_lost_until_they_are_made_again(sandbox, dyn, zone):
    for number in (1, 2):
        zone.add_record("www", "A", f"192.0.2.{number}")
    sandbox.fault("expire_token")
    with pytest.warns(errors.DynectChangesLostWarning):
        zone.refresh()

    def publish_too_early(_):
        dyn.progress = None
        with pytest.raises(errors.DynectChangesLost) as caught:
            zone.publish()
        seen.append(len(caught.value.lost))

    seen = []
    sandbox.fault("rate_limit")
    dyn.progress = publish_too_early
    assert dyn.redo_lost_changes() == 2
    assert seen == [2]
    zone.publish()
    assert len(zone.get_all_records_by_type("A")) == 2


def test_changes_keep_their_order_when_they_are_lost_again_half_way():
    one, two, three = (Token(f"token-{name}") for name in ("one", "two", "three"))
    calls = [Call("POST", f"/REST/ARecord/test.example/{name}.test.example/") for name in "abc"]
    changeset = Changeset()
    changeset.signed_with(one)
    for call in calls:
        changeset.succeeded(call, one)
    changeset.signed_with(two)
    changeset.succeeded(calls[0], two)
    assert (changeset.pending, changeset.lost_in("test.example")) == ({"test.example": calls[:1]}, calls[1:])
    changeset.signed_with(three)
    assert changeset.lost_in() == calls


# --- adding and deleting ---


def test_a_record_that_was_there_before_is_not_taken_for_the_one_whose_answer_was_lost(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1", ttl=300)
    zone.publish()
    sandbox.fault("reset", method="POST", path="/REST/ARecord/*")
    with pytest.raises(ConnectionFailed) as caught:
        zone.add_record("www", "A", "192.0.2.1", ttl=60)
    assert caught.value.sent
    assert dyn.pending_changes == {}


@pytest.mark.parametrize("ttl", [60, 300])
def test_neither_is_an_unpublished_one(sandbox, dyn, zone, ttl):
    zone.add_record("www", "A", "192.0.2.1", ttl=300)
    sandbox.fault("reset", method="POST", path="/REST/ARecord/*")
    with pytest.raises(ConnectionFailed):
        zone.add_record("www", "A", "192.0.2.1", ttl=ttl)
    assert len(listed(dyn)) == 1


def test_when_it_cannot_be_looked_the_loss_is_raised(sandbox, dyn, zone):
    sandbox.fault("lost_reply", method="POST", path="/REST/ARecord/*")
    sandbox.fault("throttle", method="GET", path="/REST/ARecord/*", retry_after="3600")
    with pytest.raises(ConnectionFailed):
        zone.add_record("www", "A", "192.0.2.1")


def test_a_deletion_whose_answer_is_lost_has_succeeded_when_nothing_is_there_any_more(sandbox, dyn, zone):
    record = zone.add_record("www", "A", "192.0.2.1")
    zone.publish()
    record = zone.get_all_records_by_type("A")[0]
    sandbox.fault("lost_reply", method="DELETE", path="/REST/ARecord/*")
    record.delete()
    assert listed(dyn) == [f"DELETE /REST/ARecord/test.example/www.test.example/{record.record_id}/"]
    sandbox.fault("lost_reply", method="DELETE", path="/REST/Zone/*")
    zone.delete()
    assert dyn.pending_changes == {}
    with pytest.raises(NotFound):
        zone.delete()


# --- jobs ---


def renew(sandbox, dyn):
    """Let the token end and another call renew it, while the first one waits for its job."""

    def meanwhile(_):
        dyn.progress = None
        sandbox.fault("revoke_token")
        get_all_zones(session=dyn)

    dyn.progress = meanwhile


def test_a_job_that_went_with_its_token_is_not_called_not_found(sandbox, dyn, zone):
    sandbox.fault("job", method="POST", polls=0)
    renew(sandbox, dyn)
    with pytest.raises(errors.DynectCreateError, match="may have been done") as caught:
        zone.add_record("www", "A", "192.0.2.1")
    assert not isinstance(caught.value, NotFound)


def test_a_reading_whose_job_went_with_its_token_reads_again(sandbox, dyn, zone):
    sandbox.fault("job", method="GET", polls=0)
    renew(sandbox, dyn)
    assert zone.refresh().serial == 1


def test_a_call_whose_job_met_a_task_is_asked_again(sandbox, dyn, zone):
    sandbox.fault("job", method="POST", polls=0)
    sandbox.fault("body", method="GET", path="/REST/Job/*", body=json.dumps(BLOCKED))
    with pytest.raises(Conflict, match="duplicate"):  # here it was carried out, and so is there already
        zone.add_record("www", "A", "192.0.2.1")


# --- waiting and saying ---


def test_waiting_for_another_thread_at_the_node_ends_with_the_session_s_timeout(sandbox, dyn, zone):
    dyn.timeout = 0.05
    held, over = threading.Event(), threading.Event()

    def hold():
        with dyn.login.changeset.exclusive(Deadline.after(5), "test.example", "www.test.example", "A"):
            held.set()
            over.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    try:
        with pytest.raises(CallTimeout, match="another thread") as caught:
            zone.add_record("www", "A", "192.0.2.1")
    finally:
        over.set()
        thread.join()
    assert not caught.value.sent
