import base64
import json
import re

import pytest
from dyn_wire import Wire

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import Sandbox
from sessionkit_dyn.sandbox import DynService

BAD_TOKEN = [
    ("INVALID_DATA", "login: Bad or expired credentials"),
    (None, "login: There was a problem with your credentials"),
]


def test_signing_in_gives_a_token(wire):
    answer = wire.sign_in()
    assert answer["msgs"] == [
        {"INFO": "login: Login successful", "SOURCE": "BLL", "ERR_CD": None, "LVL": "INFO"}
    ]
    token = answer["data"]["token"]
    assert len(token) == 168
    assert base64.b64decode(token, validate=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer["data"]["version"])
    assert len(str(answer["job_id"])) == 10


def test_job_ids_grow(wire):
    first = wire("GET", "/Session/")[1]["job_id"]
    assert wire("GET", "/Session/")[1]["job_id"] > first


@pytest.mark.parametrize(
    ("args", "info"),
    [
        ({"customer_name": "acme", "user_name": "ann", "password": "no"}, "login: Credentials you entered"),
        ({"customer_name": "nobody", "user_name": "ann", "password": "no"}, "login: Credentials you entered"),
        ({"customer_name": "acme", "user_name": "ann"}, "password: required field missing"),
        ({}, "customer_name: required field missing"),
    ],
)
def test_signing_in_can_fail(sandbox, args, info):
    with Wire(sandbox, customer=None) as wire:
        status, msgs = wire.refused("POST", "/Session/", args)
    assert status == 400
    assert msgs[0][1].startswith(info)


def test_a_session_is_checked_kept_alive_and_ended(wire):
    assert wire.said("GET", "/Session/") == ["isalive: User session is still active"]
    assert wire.said("PUT", "/Session/") == ["isalive: User session is still active"]
    assert wire.said("DELETE", "/Session") == ["logout: Logout successful"]
    assert wire.refused("GET", "/Session/") == (400, BAD_TOKEN)


def test_without_a_token_nothing_is_answered(sandbox):
    with Wire(sandbox, customer=None) as wire:
        status, msgs = wire.refused("GET", "/Zone/")
    assert status == 400
    assert "The Auth-Token HTTP header must be set to make this call" in msgs[0][1]


def test_an_idle_session_ends(wire, manual_clock):
    manual_clock.advance(3_500)
    wire.said("PUT", "/Session/")
    manual_clock.advance(3_500)
    wire.said("PUT", "/Session/")
    manual_clock.advance(3_700)
    assert wire.refused("GET", "/Zone/")[1][0] == ("INVALID_DATA", "login: inactivity logout")
    assert wire.refused("GET", "/Zone/") == (400, BAD_TOKEN)


def test_expired_and_revoked_tokens(wire, other, sandbox):
    sandbox.fault("expire_token", user="ann")
    assert wire.refused("GET", "/Zone/") == (400, BAD_TOKEN)
    assert other.said("GET", "/Session/")
    sandbox.fault("revoke_token")
    assert other.refused("GET", "/Zone/") == (401, BAD_TOKEN)
    wire.sign_in()
    assert wire.said("GET", "/Session/")


def test_a_password_is_changed(wire, sandbox):
    wire.data("PUT", "/Password/", {"password": "another one"})
    wire.sign_in(password="another one")
    with Wire(sandbox, customer=None) as fresh:
        assert fresh.refused(
            "POST", "/Session/", {"customer_name": "acme", "user_name": "ann", "password": "sandbox-ann"}
        )


def test_a_blocked_user_cannot_sign_in(wire, sandbox):
    wire.data("PUT", "/User/ops/", {"block": "True"})
    with Wire(sandbox, customer=None) as fresh:
        args = {"customer_name": "acme", "user_name": "ops", "password": "sandbox-ops"}
        assert fresh.refused("POST", "/Session/", args)[0] == 400


def test_a_user_may_do_what_is_permitted(sandbox):
    with Wire(sandbox, user="reader", password="sandbox-reader") as reader:
        assert reader.data("GET", "/Zone/")
        status, msgs = reader.refused("DELETE", "/Zone/shop.example/")
        assert (status, msgs[0][0]) == (400, "PERMISSION_DENIED")
        wanted = {"permission": ["ZoneGet", "ZoneDelete"], "zone_name": "shop.example"}
        report = reader.data("POST", "/CheckPermissionReport/", wanted)
        assert report == {"allowed": ["ZoneGet"], "forbidden": ["ZoneDelete"], "admin_override": "0"}


def test_one_customer_knows_nothing_of_another(manual_clock):
    rival = {"dyn": {"customers": {"rival": {"users": {"bob": {"password": "sandbox-bob"}}}}}}
    box = Sandbox(services=[DynService], clock=manual_clock, data=[rival])
    with box, Wire(box, "rival", "bob", "sandbox-bob") as bob:
        assert bob.data("GET", "/Zone/") == []
        assert bob.refused("GET", "/Zone/shop.example/")[0] == 404
        args = {"rname": "bob@rival.example", "zone": "shop.example"}
        assert bob.refused("POST", "/Zone/shop.example/", args)[1][0][0] == "TARGET_EXISTS"


def test_three_hundred_requests_a_minute_for_a_whole_account(manual_clock):
    box = Sandbox(services=[DynService], clock=manual_clock)
    with box, Wire(box) as ann, Wire(box, user="ops", password="sandbox-ops") as ops:
        for _ in range(149):
            ann.said("GET", "/Session/")
            ops.said("GET", "/Session/")
        status, msgs = ann.refused("GET", "/Session/")
        assert (status, msgs[0][0]) == (429, "RATE_LIMIT_EXCEEDED")
        manual_clock.advance(30)
        assert ops.refused("GET", "/Session/")[0] == 429
        manual_clock.advance(31)
        assert ops.said("GET", "/Session/")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/REST/Zone/", b"{", "INVALID_REQUEST"),
        ("/REST/Zone/", b"[]", "INVALID_REQUEST"),
        ("/REST/Zone/", b"[" * 100_000, "INVALID_REQUEST"),
        ("/REST/Zone/", b"\xff\xfe", "INVALID_REQUEST"),
        ("/REST/Nonsense/", b"", "NOT_FOUND"),
        ("/REST/", b"", "NOT_FOUND"),
        ("/REST/Zone/not%20a%20zone/", b"", "NOT_FOUND"),
    ],
)
def test_nonsense_is_refused(wire, path, body, code):
    status, answer = wire.raw("GET", path, body)
    assert status in {400, 404}
    assert json.loads(answer)["msgs"][0]["ERR_CD"] == code


def test_a_wrong_method_is_refused(wire):
    assert wire.refused("DELETE", "/Task/")[0] == 404
    assert wire.refused("POST", "/SOARecord/shop.example/shop.example/")[0] == 405


def test_an_unknown_api_version_is_refused(wire):
    wire.headers["API-Version"] = "latest"
    assert wire.refused("GET", "/Session/")[1][0][0] == "INVALID_VERSION"
    wire.headers["API-Version"] = "3.7.13"
    assert wire.said("GET", "/Session/")


def test_paths_may_be_absolute_end_in_slashes_and_dots_and_args_be_in_the_query(wire, sandbox):
    for path in (
        "/REST/Zone/shop.example",
        "/REST/Zone/shop.example./",
        f"{sandbox.url}/REST/Zone/SHOP.example",
    ):
        status, body = wire.raw("GET", path)
        assert (status, json.loads(body)["data"]["zone"]) == (200, "shop.example")
    status, body = wire.raw("GET", "/REST/Zone/?detail=Y")
    assert json.loads(body)["data"][0]["zone"] == "lan.example"


def test_an_error_can_come_in_an_array(wire, sandbox):
    sandbox.fault("array_error")
    _, answer = wire("GET", "/Zone/nowhere.example/")
    assert isinstance(answer, list)
    assert answer[0]["msgs"][0]["INFO"] == "zone: No such zone"
    assert isinstance(wire("GET", "/Zone/nowhere.example/")[1], dict)


def test_faults_refuse_options_they_do_not_have(sandbox):
    for kind, options in (("block_zone", {}), ("block_zone", {"zone": "none.example"}), ("job", {"poll": 1})):
        with pytest.raises(ConfigurationError):
            sandbox.fault(kind, **options)


def test_the_environment_says_where_and_who(sandbox):
    env = sandbox.env
    assert f"{env['DYN_HOST']}:{env['DYN_PORT']}" == sandbox.url.removeprefix("http://")
    assert (env["DYN_SSL"], env["DYN_CUSTOMER"], env["DYN_USERNAME"]) == ("false", "acme", "ann")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"customer": {}}, "dyn has no 'customer'"),
        ({"customers": 3}, "is a mapping"),
        ({"customers": {"x": {"users": {"y": {}}}}}, "no password"),
        ({"customers": {"x": {"zones": {"not a zone": {}}}}}, "no zone name"),
        ({"customers": {"x": {"zones": {"a.example": {"ttl": "long"}}}}}, "ttl"),
        ({"customers": {"x": {"zones": {"a.example": {"serial_style": "odd"}}}}}, "serial_style"),
        ({"customers": {"x": {"zones": {"a.example": {"records": [{"type": "B"}]}}}}}, "no record"),
        ({"customers": {"x": {"zones": {"a.example": {"records": [{"type": "A"}]}}}}}, "address"),
        ({"limits": {"requests_per_minute": "many"}}, "whole numbers"),
        ({"email": {"key": {"senders": 3}}}, "senders"),
    ],
)
def test_wrong_data_is_a_clear_error(section, message):
    with pytest.raises(ConfigurationError, match=message):
        Sandbox(services=[DynService], data=[{"dyn": section}]).start()
