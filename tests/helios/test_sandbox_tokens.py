import base64
import json

import pytest

GRANT = {"grant_type": "client_credentials"}
PAIR = {"client_id": "demo-client", "client_secret": "demo-secret"}


@pytest.mark.parametrize(
    "form",
    [
        {"auth": ("demo-client", "demo-secret"), "data": GRANT},
        {"data": {**GRANT, **PAIR}},
        {"json": {**GRANT, **PAIR}},
        {"auth": ("demo-client", "demo-secret"), "json": GRANT},
    ],
    ids=["basic and form", "form", "json", "basic and json"],
)
def test_every_form_of_token_request_is_answered(sandbox, http, form):
    answer = http.post(f"{sandbox.url}/v1/oauth/token", **form)
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 93_600
    claims = body["access_token"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"] == "demo-client"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"auth": ("demo-client", "wrong"), "data": GRANT}, 401),
        ({"auth": ("nobody", "demo-secret"), "data": GRANT}, 401),
        ({"data": GRANT}, 401),
        ({"data": PAIR}, 400),
        ({"json": {**PAIR, "grant_type": "password"}}, 400),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": "[1]", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": GRANT, "headers": {"Authorization": "Basic %%%"}}, 400),
    ],
)
def test_a_bad_token_request_is_refused_with_a_reason(sandbox, http, form, status):
    answer = http.post(f"{sandbox.url}/v1/oauth/token", **form)
    assert answer.status_code == status
    assert answer.json()["statusCode"] == status
    assert answer.json()["message"]


def test_token_requests_are_counted_by_client(sandbox, http, service, get_token):
    get_token()
    get_token()
    http.post(f"{sandbox.url}/v1/oauth/token", auth=("stranger", "?"), data=GRANT)
    assert service.tokens.requests == {"demo-client": 2, "stranger": 1}
    counted = http.get(f"{sandbox.url}/v1/_sandbox").json()
    assert counted == {"token_requests": {"demo-client": 2, "stranger": 1}, "leaked_authorizations": 0}


def test_the_session_endpoint_tells_what_is_left_and_answers_nulls_for_a_bad_token(
    sandbox, http, get_token, manual_clock
):
    header = {"Authorization": f"Bearer {get_token()}"}
    manual_clock.advance(600)
    answer = http.get(f"{sandbox.url}/v1/session", headers=header)
    assert answer.json() == {"name": "demo-client", "roles": [], "context": {}, "expires_in": 93_000}
    for bad in ({"Authorization": "Bearer no.such.token"}, {}):
        answer = http.get(f"{sandbox.url}/v1/session", headers=bad)
        assert answer.status_code == 200
        assert answer.json()["name"] is answer.json()["expires_in"] is None


def test_a_token_ends_with_its_life(api, manual_clock):
    assert api("GET", "/cameras").status_code == 200
    manual_clock.advance(93_600)
    refused = api("GET", "/cameras")
    assert refused.status_code == 401
    assert "invalid_token" in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize("kind", ["expire_tokens", "revoke_tokens"])
def test_tokens_can_be_ended_early_and_new_ones_are_good(sandbox, http, api, get_token, kind):
    sandbox.fault(kind)
    assert api("GET", "/cameras").status_code == 401
    fresh = {"Authorization": f"Bearer {get_token()}"}
    assert http.get(f"{sandbox.url}/v1/cameras", headers=fresh).status_code == 200


def test_tokens_can_be_left_some_seconds_or_given_a_short_life(sandbox, http, api, get_token, manual_clock):
    sandbox.fault("expire_tokens", leaving=30)
    manual_clock.advance(29)
    assert api("GET", "/cameras").status_code == 200
    manual_clock.advance(1)
    assert api("GET", "/cameras").status_code == 401
    sandbox.fault("token_lifetime", seconds=60)
    header = {"Authorization": f"Bearer {get_token()}"}
    assert http.get(f"{sandbox.url}/v1/session", headers=header).json()["expires_in"] == 60


def test_a_forged_token_is_refused(sandbox, http, get_token):
    head, claims, signature = get_token().split(".")
    padded = base64.urlsafe_b64decode(claims + "==")
    longer = base64.urlsafe_b64encode(padded.replace(b'"exp":', b'"exp":9')).rstrip(b"=").decode()
    for token in (f"{head}.{longer}.{signature}", f"{head}.{claims}.{signature[:-2]}", "x", "ü.ü.ü"):
        header = {"Authorization": f"Bearer {token}".encode()}
        assert http.get(f"{sandbox.url}/v1/cameras", headers=header).status_code == 401


def test_a_write_may_carry_its_token_in_the_body_but_a_read_may_not(sandbox, http, get_token):
    token = get_token()
    url = f"{sandbox.url}/v1/collections"
    created = http.post(url, data={"name": "By form", "access_token": token})
    assert created.status_code == 200
    assert http.get(url, params={"access_token": token}).status_code == 401


def test_a_rate_limit_says_how_long_to_wait(sandbox, api, manual_clock):
    sandbox.fault("rate_limit", limit=3, per=10)
    assert [api("GET", "/cameras").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    manual_clock.advance(4)
    assert api("GET", "/cameras").headers["Retry-After"] == "6"
    manual_clock.advance(6)
    assert api("GET", "/cameras").status_code == 200


def test_tokens_outlive_a_restart_with_a_database_file(sandbox_options, tmp_path, http):
    from sessionkit.sandbox import Sandbox

    database = tmp_path / "box.sqlite"
    with Sandbox(**sandbox_options, db=database) as box:
        answer = http.post(
            f"{box.url}/v1/oauth/token", auth=("demo-client", "demo-secret"), data=GRANT
        ).json()
    with Sandbox(**sandbox_options, db=database) as box:
        header = {"Authorization": f"Bearer {answer['access_token']}"}
        assert http.get(f"{box.url}/v1/session", headers=header).json()["name"] == "demo-client"
