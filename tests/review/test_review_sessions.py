import getpass
import hashlib
import json
import subprocess
import sys

import pytest
import requests

import sessionkit
from sessionkit.cache import FileCache
from sessionkit.errors import ConfigurationError, SessionClosed, UnexpectedResponse
from sessionkit.errors import ServerError as ServerFailed
from sessionkit_review import ReviewSession, Session, SessionAuthentication
from sessionkit_review.errors import CredentialsRefused, ServerCompatibilityError, ServerError
from sessionkit_review.schemas import SchemaCache
from sessionkit_review.session import check_version


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


@pytest.fixture
def environment(sandbox, monkeypatch, tmp_path):
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path / "schemas"))


def test_a_session_finds_everything_in_the_environment(environment, sandbox, monkeypatch, tmp_path):
    with Session() as session:
        assert session.server_url == sandbox.url
        assert session.api_user == sandbox.env["FTRACK_API_USER"]
        assert ReviewSession.current() is session
        assert session.server_information["version"]
        assert "Task" in session.types
    assert list((tmp_path / "schemas").iterdir())
    monkeypatch.delenv("FTRACK_API_USER")
    monkeypatch.setattr(getpass, "getuser", lambda: "nobody.here")
    with pytest.raises(CredentialsRefused):
        Session()
    monkeypatch.delenv("FTRACK_API_KEY")
    monkeypatch.setenv("FTRACK_APIKEY", sandbox.env["FTRACK_API_KEY"])
    monkeypatch.setenv("FTRACK_API_USER", sandbox.env["FTRACK_API_USER"])
    Session().close()
    monkeypatch.delenv("FTRACK_SERVER")
    with pytest.raises(ConfigurationError, match=r"give server_url=, set \$FTRACK_SERVER"):
        Session()


@pytest.mark.parametrize(
    "wrong", [{"cookies": 5}, {"headers": "x"}, {"strict_api": "yes"}, {"server_url": "studio"}]
)
def test_arguments_that_cannot_work_are_refused(open_session, wrong):
    with pytest.raises(ConfigurationError):
        open_session(**wrong)


def test_headers_and_cookies_are_sent_and_keys_stay_out_of_urls(open_session, sandbox):
    session = open_session(headers={"X-Studio": "tern"}, cookies={"a": "1", "b": "2"}, strict_api=True)
    last = sandbox.requests(path="/api")[-1]
    assert last.headers["x-studio"] == "tern"
    assert last.headers["cookie"] == "a=1; b=2"
    assert last.headers["ftrack-strict-api"] == "true"
    assert last.headers["ftrack-user"] == session.api_user
    assert last.headers["ftrack-api-key"] == session.api_key
    assert session.api_key not in repr(session) + repr(session.auth)


def test_a_cold_start_is_two_calls_and_a_warm_one_is_one(open_session, calls):
    before = calls()
    _ = open_session().types["Task"]
    assert calls() - before == 2
    before = calls()
    _ = open_session().types["Task"]
    assert calls() - before == 1
    before = calls()
    open_session()
    assert calls() - before == 1
    session = open_session(schema_cache_path=False)
    _ = session.types, session.types
    assert calls() - before == 3


def test_a_damaged_schema_cache_is_no_schema_cache(open_session, tmp_path, calls):
    first = open_session()
    _ = first.types
    (file,) = (tmp_path / "schemas").iterdir()
    content = file.read_bytes()
    for damaged in (b"", content[:-10], b"{}", content.replace(b"Task", b"Tusk")):
        file.write_bytes(damaged)
        assert "Task" in open_session().types
        assert file.read_bytes() == content
    version = first.server_information["schema_hash"]
    assert hashlib.md5(json.dumps(first.schemas, sort_keys=True).encode()).hexdigest() == version


def test_schemas_that_make_no_sense_are_not_kept(open_session, sandbox, tmp_path):
    session = open_session()
    sandbox.fault("body", path="/api", body=[[{"id": "Task"}]], times=1)
    with pytest.raises(UnexpectedResponse):
        _ = session.types
    assert not (tmp_path / "schemas").exists()
    assert "Task" in session.types
    assert "Task" in open_session().types


def test_every_server_has_schemas_of_its_own(tmp_path):
    one, other = (SchemaCache(tmp_path, f"https://{name}.example") for name in ("one", "other"))
    one.save("v1", [{"id": "A"}])
    assert other.load("v1") is None
    assert one.load("v2") is None
    assert one.load("v1") == [{"id": "A"}]
    for number in range(9):
        one.save(f"n{number}", [])
    assert len(list(tmp_path.iterdir())) == 3
    (tmp_path / "file").write_text("")
    SchemaCache(tmp_path / "file", "https://one.example").save("v", [])


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("html", {}, ServerFailed),
        (
            "body",
            {"body": "<html><title>Log in</title></html>", "content_type": "text/html"},
            UnexpectedResponse,
        ),
        ("body", {"body": '"text"'}, UnexpectedResponse),
        ("body", {"body": "[]"}, ServerError),
        ("body", {"body": '{"exception": "ValidationError", "content": "{\\"a\\": 1} {0}"}'}, ServerError),
        ("body", {"body": '{"exception": ["odd"]}'}, ServerError),
        ("body", {"body": '[{"action": "query", "data": 5}]'}, UnexpectedResponse),
        ("body", {"body": '[{"action": "query", "data": [], "metadata": 7}]'}, UnexpectedResponse),
        ("body", {"body": "[null]"}, UnexpectedResponse),
    ],
)
def test_nonsense_of_the_server_is_a_typed_error(session, sandbox, kind, options, error):
    _ = session.types
    sandbox.fault(kind, path="/api", times=4, **options)
    with pytest.raises(error) as caught:
        session.query("Task").all()
    assert str(caught.value)
    sandbox.clear()


def test_reading_survives_what_goes_wrong_on_the_way(session, sandbox):
    _ = session.types
    for kind in ("reset", "lost_reply", "html", "truncate"):
        sandbox.fault(kind, path="/api")
        assert session.query("Task").all()


def test_old_servers_are_refused():
    check_version({"version": "dev"})
    check_version({"version": "4.13.8.1234"})
    for information in ({}, {"version": ""}, {"version": "3.3.10"}):
        with pytest.raises(ServerCompatibilityError):
            check_version(information)


def test_a_closed_session_says_so(session):
    task = session.query("select name from Task").first()
    session.close()
    assert task["name"]
    for read in (lambda: task["description"], lambda: dict(task.items()), lambda: task["parent"]["name"]):
        with pytest.raises(SessionClosed):
            read()
    with pytest.raises(SessionClosed):
        session.query("Task").all()
    with pytest.raises(SessionClosed):
        session.commit() if session.recorded_operations else session.call([])


def test_entities_outlive_the_session_in_a_cache(open_session, tmp_path, calls):
    with FileCache(tmp_path / "cache.db") as file:
        first = open_session(cache=file)
        task = first.query("select name, status.name, end_date from Task").first()
        task["name"] = "never committed"
        other = open_session(cache=lambda session: file)
        before = calls()
        again = other.get("Task", task["id"])
        assert again["name"] != "never committed"
        assert again["end_date"] == task["end_date"]
        assert again["status"]["name"] == task["status"]["name"]
        assert calls() - before <= 1
        assert open_session(cache=lambda session: None).entity_store is None
        first.rollback()


def test_one_user_never_reads_what_another_one_kept(open_session, tmp_path, session):
    key = session.query('User where username is "ines.moreau"').one().reset_api_key()
    with FileCache(tmp_path / "cache.db") as file:
        first = open_session(cache=file)
        task = first.query("select name from Task").first()
        stranger = open_session(cache=file, api_user="ines.moreau", api_key=key)
        assert not stranger.entity_store.load("Task", [task["id"]])
        assert first.entity_store.load("Task", [task["id"]])


def test_requests_can_be_signed_like_a_session(session, sandbox):
    auth = SessionAuthentication(session.api_key, session.api_user)
    assert isinstance(auth, requests.auth.AuthBase)
    operations = [{"action": "query", "expression": "select id from Task limit 1"}]
    with requests.Session() as http:
        http.trust_env = False
        assert http.post(f"{sandbox.url}/api", json=operations, auth=auth).json()[0]["data"]
    assert session.http.post(f"{sandbox.url}/api", json=operations).json()[0]["data"]


def test_a_profile_opens_a_session(environment, tmp_path, monkeypatch, sandbox):
    (tmp_path / "sessions.yaml").write_text(
        f"studio: {{backend: review, server_url: '{sandbox.url}', api_key: {{env: FTRACK_API_KEY}}}}"
    )
    monkeypatch.setenv("SESSIONKIT_CONFIG", str(tmp_path / "sessions.yaml"))
    with sessionkit.connect("studio") as session:
        assert isinstance(session, ReviewSession)
        assert session.query("Task").first()


def test_importing_the_backend_is_cheap():
    heavy = "('requests', 'PIL', 'websocket', 'yaml')"
    code = f"import sys, sessionkit_review; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
