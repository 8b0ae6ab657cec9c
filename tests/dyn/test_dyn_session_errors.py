"""Every odd answer is one typed error that says what was asked and what to do."""

import contextlib
import json
import pickle

import pytest

from sessionkit.errors import (
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RequestError,
    ServerError,
    UnexpectedResponse,
)
from sessionkit_dyn import DynectSession, errors, zones

ODD = [
    "",
    "[]",
    "[1]",
    "[{}, {}]",
    "{}",
    "null",
    "17",
    '"text"',
    '{"status": 3}',
    '{"status": "suc',
    "<html>",
    "[" * 9_000,
]
ODD_FAILURES = [
    {"status": "failure"},
    {"status": "failure", "msgs": []},
    {"status": "failure", "msgs": None, "data": None, "job_id": None},
    {"status": "failure", "msgs": [None, 3, {}, {"INFO": None}, {"INFO": 3, "ERR_CD": {}}]},
    {"status": "failure", "msgs": {"INFO": "x"}, "job_id": "abc"},
    {"status": "whatever", "msgs": [{"INFO": "odd", "ERR_CD": "NOT_FOUND"}]},
    {"status": "incomplete", "data": None, "job_id": None},
    [{"status": "failure", "msgs": [{"INFO": "in a list", "ERR_CD": "TARGET_EXISTS", "LVL": "ERROR"}]}],
]
ODD_DATA = [None, 3, "text", [], [1], {}, {"a_records": 3}, {"a_records": [3]}, {"a_records": {"x": 1}}]


@pytest.mark.parametrize("body", ODD)
def test_a_body_that_is_no_envelope_is_unexpected(sandbox, dyn, body):
    sandbox.fault("body", body=body, path="/REST/Zone*")
    with pytest.raises(errors.DynectGetError) as caught:
        dyn.execute("/Zone/")
    assert isinstance(caught.value, UnexpectedResponse)
    assert caught.value.status == 200
    assert caught.value.hint


@pytest.mark.parametrize("answer", ODD_FAILURES)
@pytest.mark.parametrize("status", [200, 400])
def test_an_odd_failure_is_still_a_dyn_error(sandbox, dyn, answer, status):
    sandbox.fault("body", body=json.dumps(answer), status=status, path="/REST/Zone*")
    with pytest.raises(errors.DynectGetError) as caught:
        dyn.execute("/Zone/")
    assert str(caught.value)


@pytest.mark.parametrize("data", ODD_DATA)
@pytest.mark.parametrize(
    "ask",
    [
        zones.get_all_zones,
        lambda: [zone.name for zone in zones.get_all_zones()],
        lambda: zones.Zone("shop.example").serial,
        lambda: zones.Node("shop.example").get_all_records(),
        lambda: [r.address for r in zones.Node("shop.example").get_all_records_by_type("A")],
        lambda: [task.task_id for task in zones.get_tasks()],
        lambda: zones.get_apex("shop.example"),
    ],
)
def test_data_of_another_shape_is_no_error_or_a_typed_one(sandbox, dyn, ask, data):
    sandbox.fault("body", body=json.dumps({"status": "success", "data": data}), path="/REST/*")
    with contextlib.suppress(RequestError):
        ask()


def test_a_record_without_its_fields_says_so_when_they_are_read(sandbox, dyn):
    for row in ({}, {"rdata": None}, {"rdata": {"address": None}, "ttl": "x", "record_id": []}):
        body = json.dumps({"status": "success", "data": {"a_records": [row]}})
        sandbox.fault("body", body=body, path="/REST/AllRecord*")
        (record,) = zones.Node("shop.example").get_all_records()["a_records"]
        repr(record)
        with pytest.raises(UnexpectedResponse):
            _ = (record.address.strip(), record.ttl) if row.get("rdata") is None else record.ttl


@pytest.mark.parametrize(
    ("status", "kind"), [(500, ServerError), (502, ServerError), (404, NotFound), (403, PermissionDenied)]
)
def test_a_gateways_page_is_typed_by_its_status(sandbox, dyn, status, kind):
    sandbox.fault("html", status=status, path="/REST/Zone*", times=10)
    with pytest.raises(errors.DynectGetError) as caught:
        dyn.execute("/Zone/")
    assert isinstance(caught.value, kind)
    assert len(caught.value.attempts) == (4 if status >= 500 else 1)


@pytest.mark.parametrize(
    ("uri", "method", "args", "doing", "reason"),
    [
        ("/Zone/nowhere.example/", "GET", None, errors.DynectGetError, NotFound),
        ("/Zone/nowhere.example/", "PUT", {"publish": True}, errors.DynectUpdateError, NotFound),
        ("/Zone/nowhere.example/", "DELETE", None, errors.DynectDeleteError, NotFound),
        ("/Zone/shop.example/", "POST", {"rname": "a@b.c"}, errors.DynectCreateError, Conflict),
        ("/Zone/bad/", "POST", {"rname": "a@b.c"}, errors.DynectCreateError, InvalidRequest),
        ("/ARecord/shop.example/x.shop.example/", "POST", {}, errors.DynectCreateError, InvalidRequest),
        ("/NoSuchThing/", "GET", None, errors.DynectGetError, NotFound),
        ("/Zone/a b?c/ü/", "GET", None, errors.DynectGetError, NotFound),
    ],
)
def test_each_refusal_is_both_dyns_and_sessionkits(dyn, uri, method, args, doing, reason):
    with pytest.raises(doing) as caught:
        dyn.execute(uri, method, args)
    error = caught.value
    assert isinstance(error, reason)
    assert error.code
    assert error.messages
    assert error.job_id
    assert (error.method, error.status) == (method, error.status)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.job_id, again.code) == (str(error), error.job_id, error.code)


def test_wrong_arguments_are_refused_before_anything_is_sent(sandbox, dyn):
    sandbox.clear()
    with pytest.raises(errors.DynectInvalidArgumentError, match="FETCH"):
        dyn.execute("/Zone/", "FETCH")
    with pytest.raises(errors.DynectInvalidArgumentError, match="args"):
        dyn.execute("/Zone/", "POST", [1])
    with pytest.raises(ValueError, match="record_type"):
        zones.Node("shop.example").add_record("NOSUCH", "x")
    with pytest.raises(errors.DynectInvalidArgumentError, match="address"):
        zones.Node("shop.example").add_record("A", "300.1.1.1")
    assert sandbox.requests() == []


def test_no_permission(sandbox):
    with (
        DynectSession("acme", "reader", "sandbox-reader", host=sandbox.url),
        pytest.raises(PermissionDenied) as caught,
    ):
        zones.Node("shop.example").add_record("A", "192.0.2.1")
    assert isinstance(caught.value, errors.DynectCreateError)


def test_a_user_name_with_login_in_it_is_no_login_failure(sandbox, dyn):
    answer = {"status": "failure", "msgs": [{"INFO": "login name taken", "ERR_CD": "TARGET_EXISTS"}]}
    sandbox.fault("body", body=json.dumps(answer), path="/REST/User/*")
    with pytest.raises(errors.DynectCreateError) as caught:
        dyn.execute("/User/bob/", "POST", {"password": "secret-2"})
    assert not isinstance(caught.value, errors.DynectAuthError)
    assert isinstance(caught.value, Conflict)


def test_an_error_in_a_one_element_list_is_understood(sandbox, dyn):
    sandbox.fault("array_error")
    with pytest.raises(errors.DynectCreateError) as caught:
        zones.Zone("shop.example", contact="ann@shop.example")
    assert isinstance(caught.value, Conflict)


def test_a_cut_connection_is_repeated_for_a_reading_only(sandbox, dyn):
    sandbox.fault("reset", path="/REST/Zone*")
    assert len(zones.get_all_zones()) == 2
    sandbox.fault("lost_reply", path="/REST/Zone*", method="POST")
    with pytest.raises(ConnectionFailed):
        zones.Zone("new.example", contact="ann@new.example")
    sandbox.fault("reset", path="/REST/ZoneNoteReport*")
    zones.Zone("shop.example").get_notes()
