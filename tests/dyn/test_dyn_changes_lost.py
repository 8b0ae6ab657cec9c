"""Unpublished changes belong to a token: when it ends, the user is told, nothing is published by mistake."""

import pickle
import warnings

import pytest

import sessionkit
from sessionkit.errors import Conflict
from sessionkit.http import Call
from sessionkit.tokens import Token
from sessionkit_dyn import DynectSession, errors
from sessionkit_dyn.changeset import Changeset
from sessionkit_dyn.zones import Zone

LOST = errors.DynectChangesLostWarning


def addresses(zone):
    return sorted(record.address for record in zone.get_all_records_by_type("A"))


def test_pending_changes_are_known_and_settled_by_publishing(dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    assert [str(call) for call in dyn.pending_changes["test.example"]] == [
        "POST /REST/ARecord/test.example/www.test.example/"
    ]
    zone.publish()
    assert dyn.pending_changes == {}


def test_discarding_settles_them_too(dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    assert [change.record_type for change in zone.get_changes()] == ["A"]
    zone.discard_changes()
    assert dyn.pending_changes == {}
    assert addresses(zone) == []


def test_the_user_is_told_and_nothing_is_published(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("expire_token")
    with pytest.warns(LOST, match=r"1 unpublished change\(s\) of test.example"):
        zone.refresh()
    assert list(dyn.lost_changes) == ["test.example"]
    with pytest.raises(errors.DynectChangesLost) as caught:
        zone.publish()
    assert isinstance(caught.value, Conflict)
    assert len(caught.value.lost) == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert [entry.method for entry in sandbox.requests(path="/REST/Zone/*")].count(
        "PUT"
    ) == 1  # the fixture's


def test_a_publish_that_meets_the_expired_token_itself_does_not_publish_either(sandbox, dyn, zone):
    serial = zone.serial
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("expire_token")
    with pytest.warns(LOST), pytest.raises(errors.DynectChangesLost):
        zone.publish()
    assert zone.refresh().serial == serial


def test_a_change_after_the_loss_does_not_hide_it(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("expire_token")
    with pytest.warns(LOST):
        zone.add_record("www", "A", "192.0.2.2")
    assert (len(dyn.lost_changes["test.example"]), len(dyn.pending_changes["test.example"])) == (1, 1)
    with pytest.raises(errors.DynectChangesLost):
        zone.publish()


def test_lost_changes_can_be_made_again(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    zone.add_record("www", "A", "192.0.2.2")
    sandbox.fault("expire_token")
    with pytest.warns(LOST):
        zone.refresh()
    assert dyn.redo_lost_changes() == 2
    zone.publish()
    assert addresses(zone) == ["192.0.2.1", "192.0.2.2"]


def test_what_cannot_be_made_again_stays_listed(sandbox, dyn, zone):
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        zone.add_record("www", "A", address)
    sandbox.fault("expire_token")
    with pytest.warns(LOST):
        zone.refresh()
    sandbox.fault("status", status=400, body="no", method="POST", path="/REST/ARecord/*", after=1)
    with pytest.raises(errors.DynectCreateError):
        dyn.redo_lost_changes("test.example")
    assert len(dyn.lost_changes["test.example"]) == 2


def test_lost_changes_can_be_given_up(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("expire_token")
    with pytest.warns(LOST):
        zone.add_record("www", "A", "192.0.2.2")
    assert len(dyn.forget_lost_changes("test.example.")) == 1
    zone.publish()
    assert addresses(zone) == ["192.0.2.2"]


def test_the_hub_is_told(sandbox, dyn, zone):
    heard = []
    dyn.event_hub.connect()
    dyn.event_hub.subscribe("topic=dyn.changes.lost", lambda event: heard.append(event["data"]["zones"]))
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("expire_token")
    with pytest.warns(LOST):
        zone.refresh()
    dyn.event_hub.wait(0.1)
    assert heard == [["test.example"]]


def test_siblings_share_what_is_pending_and_lost(sandbox, dyn, zone):
    with sessionkit.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: zone.add_record("www", "A", f"192.0.2.{number}"), range(8)))
    assert len(dyn.pending_changes["test.example"]) == 8
    sandbox.fault("expire_token")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with sessionkit.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: zone.get_changes(), range(8)))
    assert [each.category for each in caught if each.category is LOST] == [LOST]
    assert len(dyn.lost_changes["test.example"]) == 8
    logins = [entry for entry in sandbox.requests(path="/REST/Session*") if entry.method == "POST"]
    assert len(logins) == 2


def test_another_sessions_changes_are_not_ours(sandbox, dyn, zone):
    with DynectSession.detached("acme", "ann", "sandbox-ann", host=sandbox.url) as other:
        Zone("test.example", session=other).add_record("www", "A", "192.0.2.7")
        assert dyn.pending_changes == {}
        zone.publish()
        assert addresses(zone) == []
        assert list(other.pending_changes) == ["test.example"]


def test_with_warnings_as_errors_the_loss_is_raised(sandbox, dyn, zone):
    zone.add_record("www", "A", "192.0.2.1")
    sandbox.fault("expire_token")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(LOST):
            zone.refresh()
    assert list(dyn.lost_changes) == ["test.example"]


def test_calls_that_overtake_a_renewal_confuse_nothing():
    old, new = Token("token-one"), Token("token-two")
    first, second, third = (Call("POST", "/REST/ARecord/test.example/www.test.example/") for _ in range(3))
    changeset = Changeset()
    changeset.signed_with(old)
    changeset.succeeded(first, old)
    assert changeset.signed_with(new) == [first]
    changeset.succeeded(second, new)
    assert changeset.signed_with(old) == []  # signed before the renewal, sent after it
    assert changeset.token is new
    assert changeset.pending == {"test.example": [second]}
    assert changeset.succeeded(third, old)  # answered after the renewal: lost as well
    assert changeset.lost == {"test.example": [first, third]}
