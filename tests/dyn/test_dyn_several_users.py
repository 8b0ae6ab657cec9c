"""Several users in one session."""

import pytest

from sessionkit_dyn import DynectMultiSession, errors
from sessionkit_dyn.zones import Node


@pytest.fixture
def multi(sandbox, manual_clock):
    with DynectMultiSession("acme", "ann", "sandbox-ann", host=sandbox.url, clock=manual_clock) as session:
        yield session


def test_users_come_and_go(sandbox, multi):
    multi.new_user_session("acme", "ops", "sandbox-ops")
    assert multi.current_open_session.user_name == "ops"
    assert multi.identity.principal == "acme/ops"
    assert str(multi) == "<DynectMultiSession>: acme, ops"
    multi.set_active_session("ann", customer="acme")
    assert [(each.user_name, each.active) for each in multi.get_open_sessions] == [
        ("ann", True),
        ("ops", False),
    ]
    asked = len(sandbox.requests())
    multi.set_active_session("ops")
    assert len(sandbox.requests()) == asked
    multi.log_out_active_session()
    assert multi.current_open_session.user_name == "ann"
    multi.log_out_active_session()
    assert multi.closed


def test_a_refused_user_changes_nothing(multi):
    with pytest.raises(errors.DynectAuthError):
        multi.new_user_session("acme", "ops", "wrong")
    assert multi.current_open_session.user_name == "ann"
    assert len(multi.get_open_sessions) == 1
    with pytest.raises(errors.DynectInvalidArgumentError, match="not signed in"):
        multi.set_active_session("ops")


def test_each_user_has_changes_and_rights_of_their_own(multi):
    Node("shop.example", "x").add_record("A", "192.0.2.1")
    multi.new_user_session("acme", "reader", "sandbox-reader")
    assert multi.pending_changes == {}
    assert multi.permissions == ["RecordGet", "ZoneGet", "ZoneGetNodeList"]
    multi.set_active_session("ann")
    assert list(multi.pending_changes) == ["shop.example"]


def test_closing_gives_every_token_back(sandbox, multi):
    multi.new_user_session("acme", "ops", "sandbox-ops")
    multi.close()
    tokens = {
        e.headers["auth-token"] for e in sandbox.requests(path="/REST/Session*") if e.method == "DELETE"
    }
    assert len(tokens) == 2


def test_a_sibling_may_be_another_user(multi):
    multi.new_user_session("acme", "ops", "sandbox-ops")
    twin = multi.sibling()
    twin.set_active_session("ann")
    assert (twin.current_open_session.user_name, multi.current_open_session.user_name) == ("ann", "ops")
    twin.close()
