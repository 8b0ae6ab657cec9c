"""A wrong host, port, password, zone, type, value or method: one clear error each, and nothing left."""

import gc

import pytest

import sessionkit
from sessionkit.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailed,
    NotFound,
    SessionKitError,
)
from sessionkit.testing.tools import wait_until
from sessionkit_dyn import DynectSession, errors
from sessionkit_dyn.zones import Node, Zone


def opened(sandbox, **changes):
    given = {"customer": "acme", "username": "ann", "password": "sandbox-ann", "host": sandbox.url}
    return DynectSession(**{**given, "timeout": 20, **changes})


def raised(work):
    with pytest.raises(SessionKitError) as caught:
        work()
    return caught.value


WRONG_SIGN_INS = {
    "a host that is not there": ({"host": "no-such-host.invalid"}, ConnectionFailed, "host name"),
    "a host that is none": ({"host": "a b"}, SessionKitError, ""),
    "an empty host": ({"host": "http://"}, ConfigurationError, "base_url"),
    "a port nobody listens on": (
        {"host": "127.0.0.1", "port": 1, "ssl": False},
        ConnectionFailed,
        "connection",
    ),
    "a port that is no number": ({"host": "127.0.0.1", "port": "x"}, ConfigurationError, "port"),
    "a port that is too large": ({"host": "127.0.0.1", "port": 70_000}, ConfigurationError, ""),
    "TLS where there is none": ({"ssl": True}, SessionKitError, ""),
    "a password": ({"password": "wrong"}, errors.DynectAuthError, "Credentials"),
    "a user": ({"username": "nobody"}, errors.DynectAuthError, "Credentials"),
    "a customer": ({"customer": "nobody"}, errors.DynectAuthError, "Credentials"),
}


@pytest.mark.parametrize("what", WRONG_SIGN_INS)
def test_a_wrong_sign_in_is_one_error_and_leaves_no_session(sandbox, what):
    changes, kind, words = WRONG_SIGN_INS[what]
    if what == "TLS where there is none":
        changes = {"host": sandbox.url.replace("http:", "https:")}
    error = raised(lambda: opened(sandbox, **changes))
    assert isinstance(error, kind)
    assert words in str(error)
    assert "sandbox-ann" not in str(error)
    del error
    gc.collect()
    assert [each for each in sessionkit.sessions() if isinstance(each, DynectSession)] == []
    assert DynectSession.get_session() is None
    wait_until(lambda: sandbox.connections == 0)  # until the server has heard of it


WRONG_CALLS = {
    "a zone that is not there": (lambda: Zone("nowhere.example"), NotFound),
    "a zone's name that is none": (lambda: Zone("..", contact="a@b.example"), SessionKitError),
    "a node of another zone": (lambda: Node("shop.example", "x.other.example").get_any_records(), NotFound),
    "a record type that is none": (lambda: Node("shop.example").add_record("BOGUS", "x"), errors.DynectError),
    "a listing of no type": (
        lambda: Node("shop.example").get_all_records_by_type("BOGUS"),
        errors.DynectError,
    ),
    "a value that is no address": (
        lambda: Node("shop.example").add_record("A", "not-an-address"),
        ValueError,
    ),
    "a value that is no number": (
        lambda: Node("shop.example").add_record("MX", "mx.shop.example", "many"),
        errors.DynectError,
    ),
    "a field that is none": (
        lambda: Node("shop.example").add_record("A", "192.0.2.1", colour=1),
        errors.DynectError,
    ),
    "a time to live that is none": (
        lambda: Node("shop.example").add_record("A", "192.0.2.1", ttl="x"),
        SessionKitError,
    ),
    "a method that is none": (lambda: DynectSession.current().execute("/Zone/", "BREW"), errors.DynectError),
    "a method not offered there": (
        lambda: DynectSession.current().execute("/Session/", "GET ", {}),
        SessionKitError,
    ),
    "an address that is none": (lambda: DynectSession.current().execute("/No/Such/Thing/", "GET"), NotFound),
    "arguments of another kind": (
        lambda: DynectSession.current().execute("/Zone/", "POST", object()),
        SessionKitError,
    ),
}


@pytest.mark.parametrize("what", WRONG_CALLS)
def test_a_wrong_call_is_one_error_and_the_session_goes_on(sandbox, dyn, what):
    work, kind = WRONG_CALLS[what]
    error = raised(work)
    assert isinstance(error, kind), repr(error)
    assert error.message
    assert dyn.pending_changes == {}
    assert len(dyn.execute("/Zone/")["data"]) == 2
    assert not isinstance(error, AuthenticationError)
    assert sandbox.connections <= 1
