import pytest
from test_sandbox_batches import create, delete, update

ASK = [{"action": "query_server_information"}]


@pytest.fixture
def as_user(sandbox, http, call, query):
    """Send operations as another user of the demo studio: `as_user("jun.sato", {...})` -> decoded answer."""
    keys = {}

    def as_user(username, *operations):
        if username not in keys:
            (user,) = query(f'User where username is "{username}"')
            reset = {
                "action": "reset_remote",
                "reset_type": "api_key",
                "entity_type": "User",
                "entity_key": user["id"],
            }
            keys[username] = call(reset)[0]["data"]["api_key"]
        headers = {"ftrack-user": username, "ftrack-api-key": keys[username]}
        return http.post(f"{sandbox.url}/api", json=list(operations), headers=headers).json()

    return as_user


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ftrack-user": "mara.lindqvist"},
        {"ftrack-user": "mara.lindqvist", "ftrack-api-key": "wrong"},
        {"ftrack-user": "mara.lindqvist", "ftrack-api-key": ""},
        {"ftrack-user": "nobody", "ftrack-api-key": "demo-5a0f6c1e-8d2b-4f39-9a57-sandbox"},
        {"ftrack-user": "*", "ftrack-api-key": "*"},
        {"ftrack-user": "' OR 1=1 --", "ftrack-api-key": "x"},
        {"ftrack-user": "mara.lindqvist", "ftrack-api-key": b"\xff\xfe"},
    ],
)
def test_bad_keys_are_refused(sandbox, http, headers):
    answer = http.post(f"{sandbox.url}/api", json=ASK, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["exception"] == "InvalidCredentialsError"
    assert answer.json()["error_code"] == "api_credentials_invalid"
    strict = http.post(f"{sandbox.url}/api", json=ASK, headers={**headers, "ftrack-strict-api": "true"})
    assert strict.status_code == 401


def test_keys_in_the_url_of_the_api_do_not_count(sandbox, http, credentials):
    query = {"username": credentials["ftrack-user"], "apiKey": credentials["ftrack-api-key"]}
    assert "exception" in http.post(f"{sandbox.url}/api", json=ASK, params=query).json()


def test_inactive_users_are_refused(as_user, call, query):
    assert isinstance(as_user("jun.sato", *ASK), list)
    (user,) = query('User where username is "jun.sato"')
    call(update("User", user["id"], is_active=False))
    assert as_user("jun.sato", *ASK)["exception"] == "InvalidCredentialsError"


def test_revoked_keys_are_refused(sandbox, post, service):
    assert sandbox._on_loop(lambda: service.fault("revoked", {"user": "mara.lindqvist"}))
    assert post(ASK).json()["exception"] == "InvalidCredentialsError"
    assert not service.fault("gremlins", {})


@pytest.mark.parametrize(
    ("username", "operation", "allowed"),
    [
        ("guest.client", {"action": "query", "expression": "Task"}, True),
        ("guest.client", create("Note", content="hm"), True),
        ("guest.client", create("Scope", name="x"), False),
        ("guest.client", update("Task", "x", name="y"), False),
        ("guest.client", delete("Task", "x"), False),
        ("jun.sato", create("Scope", name="x"), True),
        ("jun.sato", create("Project", name="x"), False),
        ("jun.sato", create("User", username="x"), False),
        ("tomas.okafor", create("Project", name="x"), True),
        ("tomas.okafor", create("User", username="x"), False),
        ("guest.client", {"action": "get_upload_metadata", "component_id": "x", "file_name": "y"}, False),
        ("jun.sato", {"action": "add_user_security_role", "user_id": "x", "role_id": "y"}, False),
    ],
)
def test_roles(as_user, username, operation, allowed):
    answer = as_user(username, operation)
    assert isinstance(answer, list) == allowed, answer
    if not allowed:
        assert answer["exception"] == "PermissionError"


def test_nobody_resets_anothers_key_without_the_right(as_user, query):
    (user,) = query('User where username is "mara.lindqvist"')
    reset = {"action": "reset_remote", "reset_type": "api_key"}
    assert (
        as_user("jun.sato", {**reset, "entity_type": "User", "entity_key": user["id"]})["exception"]
        == "PermissionError"
    )
    assert "api_key" in as_user("jun.sato", reset)[0]["data"]


def test_a_guest_may_not_remove_files(sandbox, http, as_user, query):
    key = as_user("guest.client", {"action": "reset_remote", "reset_type": "api_key"})[0]["data"]["api_key"]
    params = {"id": "x", "username": "guest.client", "apiKey": key}
    assert http.get(f"{sandbox.url}/component/remove", params=params).status_code == 403


def test_who_connects_to_the_event_server(service, credentials):
    assert service.authenticate(credentials, {}) == "mara.lindqvist"
    query = {"api_user": credentials["ftrack-user"], "api_key": credentials["ftrack-api-key"]}
    assert service.authenticate({}, query) == "mara.lindqvist"
    assert service.authenticate({}, {**query, "api_key": "wrong"}) is None
