import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import sessionkit
from sessionkit.errors import (
    AuthenticationError,
    CallTimeout,
    ConfigurationError,
    NoCurrentSession,
    UnexpectedResponse,
)
from sessionkit.testing import ManualClock
from sessionkit.tokens import MemoryTokenStore
from sessionkit_helios import Cameras, HeliosSession, Session
from sessionkit_helios.pace import Pace

PAIR = {"client_id": "demo-client", "client_secret": "demo-secret"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder of the test's own, and no variable that names credentials."""
    for name in list(os.environ):
        if name.lower().startswith("helios") or name.startswith(("SESSIONKIT", "XDG")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return home


@pytest.fixture
def open_session(sandbox, home, manual_clock):
    opened = []

    def open_session(**options):
        options = {"api_url": f"{sandbox.url}/v1", "clock": manual_clock, **PAIR, **options}
        opened.append(HeliosSession.detached(**options))
        return opened[-1]

    yield open_session
    for session in opened:
        session.close()


def asked(sandbox, path="*"):
    return [each.path for each in sandbox.requests(service="helios", path=path)]


def test_the_users_page_works_as_it_is_written(sandbox, home, monkeypatch, service):
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    with HeliosSession() as sess:
        shown = str(sess)
        assert HeliosSession.current() is sess
        assert Cameras().index().total == 36
    assert "demo-client" in shown
    assert "signed in until 20" in shown
    assert "demo-secret" not in shown + repr(sess)
    with HeliosSession.detached(max_concurrency=50) as sess:
        sess.start_session()
        assert sess.max_concurrency == 50
    helios_client_id = ("demo-client",)
    helios_client_secret = ("demo-secret",)
    with Session(client_id=helios_client_id, client_secret=helios_client_secret) as sess:
        assert sess.base_url == f"{sandbox.url}/v1"
    with HeliosSession(base_dir=str(home / "custom")):
        assert (home / "custom" / ".helios_token").exists()
    assert service.tokens.requests == {"demo-client": 2}


def test_a_warm_token_file_makes_the_first_call_one_request(sandbox, open_session, home):
    with open_session():
        assert asked(sandbox) == ["/v1/oauth/token"]
    assert (home / ".helios_token").stat().st_mode & 0o777 == 0o600
    sandbox.clear()
    with open_session() as session:
        assert asked(sandbox) == []
        Cameras(session).show("none").failed  # noqa: B018 - asks
        assert asked(sandbox) == ["/v1/cameras/none"]


def test_start_session_asks_about_the_token_and_renews_only_what_is_refused(sandbox, open_session, service):
    session = open_session()
    session.start_session()
    assert asked(sandbox) == ["/v1/oauth/token"]
    session.start_session()
    assert asked(sandbox)[1:] == ["/v1/session"]
    assert session.verify_token()
    sandbox.fault("revoke_tokens")
    assert not session.verify_token()
    session.start_session()
    assert session.verify_token()
    assert service.tokens.requests == {"demo-client": 2}


def test_a_session_endpoint_that_refuses_is_understood_too(sandbox, open_session):
    session = open_session()
    session.start_session()
    sandbox.fault("status", path="/v1/session", status=401)
    assert not session.verify_token()
    sandbox.fault("body", path="/v1/session", body="[]")
    assert not session.verify_token()


@pytest.mark.parametrize("kind", ["revoke_tokens", "expire_tokens"])
def test_a_token_that_ends_while_running_is_renewed_for_every_api_object(
    sandbox, open_session, service, kind
):
    session = open_session()
    first, second = Cameras(session), Cameras(session)
    assert first.index().total == 36
    sandbox.fault(kind)
    assert second.index().total == first.index().total == 36
    assert service.tokens.requests == {"demo-client": 2}


def test_a_token_near_its_end_is_renewed_before_it_is_refused(sandbox, open_session, service, manual_clock):
    session = open_session(token_expiration_threshold=60)
    Cameras(session).index()
    manual_clock.advance(93_600 - 30)
    assert Cameras(session).index().total == 36
    assert service.tokens.requests == {"demo-client": 2}
    assert 401 not in [each.status for each in sandbox.requests()]


def test_a_short_lived_token_is_used_whatever_the_threshold(sandbox, open_session, service):
    sandbox.fault("token_lifetime", seconds=1800)
    for _ in range(10):
        with open_session(token_expiration_threshold=60) as session:
            Cameras(session).index()
    assert service.tokens.requests == {"demo-client": 1}


TROUBLE = {
    "revocation": lambda sandbox, own, service_clock: sandbox.fault("revoke_tokens"),
    "expiry": lambda sandbox, own, service_clock: sandbox.fault("expire_tokens"),
    "our clock goes fast": lambda sandbox, own, service_clock: own.jump(300),
    "our clock goes slow": lambda sandbox, own, service_clock: own.jump(-300),
    "the service's clock goes fast": lambda sandbox, own, service_clock: service_clock.jump(300),
    "the service's clock goes slow": lambda sandbox, own, service_clock: service_clock.jump(-300),
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
def test_a_thousand_calls_from_many_threads_survive_it(
    sandbox, open_session, service, manual_clock, trouble, afton
):
    own = ManualClock()
    sandbox.fault("token_lifetime", seconds=240)
    session = open_session(max_concurrency=32, clock=own)
    session.start_session()
    service.tokens.requests.clear()
    done, lock, errors = [], threading.Lock(), []

    def work():
        for _ in range(32):
            try:
                answer = session.get(f"/cameras/{afton}")
            except Exception as error:
                errors.append(error)
                return
            with lock:
                done.append(answer["id"])
                begin = len(done) == 300
            if begin:
                trouble(sandbox, own, manual_clock)

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert done == [afton] * 1024
    assert service.tokens.requests.get("demo-client", 0) <= 1
    # A process that begins with such a clock finds the token in the file, and asks for one more at most.
    service.tokens.requests.clear()
    for _ in range(2):
        assert open_session(clock=own).get(f"/cameras/{afton}")["id"] == afton
    assert service.tokens.requests.get("demo-client", 0) <= 1


def test_the_token_of_one_host_never_reaches_another(
    sandbox_options, sandbox, open_session, manual_clock, home
):
    from sessionkit.sandbox import Sandbox

    legacy = home / ".helios" / ".tokens"
    legacy.mkdir(parents=True)
    with open_session() as session:
        token = session.token.value
    (legacy / "demo-client.helios_token").write_text(json.dumps({"access_token": token}))
    with Sandbox(**sandbox_options) as other:
        with open_session(api_url=f"{other.url}/v1") as session:
            Cameras(session).index()
        sent = "".join(str(each.headers) for each in other.requests())
        assert token not in sent
        assert other.service("helios").tokens.requests == {"demo-client": 1}
    with open_session():
        pass
    assert len(asked(sandbox, "*/oauth/token")) == 1


LEGACY = {
    "3.0.1": lambda token: {"name": "Authorization", "value": f"Bearer {token}"},
    "4": lambda token: {"access_token": token, "token_type": "Bearer"},
}


@pytest.mark.parametrize(
    "place", [".helios/.tokens/demo-client.helios_token", "demo-client.helios_token", ".helios_token"]
)
@pytest.mark.parametrize("version", LEGACY)
def test_the_files_of_earlier_clients_are_read(open_session, home, service, get_token, place, version):
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(LEGACY[version](get_token())))
    session = open_session()
    assert Cameras(session).index().total == 36
    assert service.tokens.requests == {"demo-client": 1}
    assert session.token.expires_at is not None


def test_an_expired_file_of_an_earlier_client_is_replaced(
    open_session, home, service, get_token, manual_clock
):
    path = home / ".helios_token"
    path.write_text(json.dumps(LEGACY["3.0.1"](get_token())))
    manual_clock.advance(100_000)
    assert Cameras(open_session()).index().total == 36
    assert service.tokens.requests == {"demo-client": 2}


def test_a_client_id_that_is_a_path_reads_no_other_file(sandbox, home, open_session, get_token):
    (home / ".helios").mkdir()
    (home / "evil.helios_token").write_text(json.dumps(LEGACY["4"](get_token())))
    session = open_session(client_id="../evil")
    with pytest.raises(AuthenticationError):
        session.start_session()
    assert sorted(path.name for path in home.iterdir() if "lock" not in path.name) == [
        ".helios",
        "evil.helios_token",
    ]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"value": 3, "name": "Authorization"}', b"\xff" * 99]
)
def test_a_damaged_token_file_is_no_token(open_session, home, service, content):
    (home / ".helios_token").write_bytes(content)
    with open_session():
        pass
    with open_session():
        pass
    assert service.tokens.requests == {"demo-client": 1}


def test_credentials_come_from_the_first_place_that_has_both(sandbox, home, monkeypatch):
    def write(path, client):
        path.parent.mkdir(exist_ok=True)
        content = {"helios_client_id": client, "helios_client_secret": "s", "helios_api_url": None}
        path.write_text(json.dumps(content))

    Path("sessions.yaml").write_text(
        "helios: {backend: helios, client_id: by-profile, client_secret: {env: MY_SECRET}, api_url: 'https://p.test'}"
    )
    monkeypatch.setenv("MY_SECRET", "s")
    session = HeliosSession.detached()
    assert (session.client_id, session.base_url) == ("by-profile", "https://p.test")
    write(home / ".helios" / "credentials.json", "by-file")
    session = HeliosSession.detached()
    assert (session.client_id, session.base_url) == ("by-file", "https://api.helios.earth/v1")
    write(home / "base" / "credentials.json", "by-base-dir")
    assert HeliosSession.detached(base_dir=home / "base").client_id == "by-base-dir"
    monkeypatch.setenv("HELIOS_CLIENT_ID", "by-environment")
    assert HeliosSession.detached().client_id == "by-file"
    monkeypatch.setenv("helios_client_secret", "s")
    assert HeliosSession.detached().client_id == "by-environment"
    assert HeliosSession.detached("mine", "s").client_id == "mine"
    assert HeliosSession.detached(client_id="by-file").client_id == "by-file"


def test_a_secret_that_was_given_is_not_passed_over_for_another(home, monkeypatch):
    monkeypatch.setenv("helios_client_id", "demo-client")
    monkeypatch.setenv("helios_client_secret", "old-secret")
    with pytest.raises(ConfigurationError, match="no credentials"):
        HeliosSession.detached(client_secret="new-secret")
    HeliosSession.detached(client_secret="old-secret").close()


def test_a_token_that_ends_after_the_last_year_can_be_printed(sandbox, tmp_path):
    answer = '{"access_token": "abc", "token_type": "Bearer", "expires_in": 1e13}'
    sandbox.fault("body", method="POST", path="/v1/oauth/token", body=answer)
    with HeliosSession.detached("demo-client", "demo-secret", f"{sandbox.url}/v1", tmp_path) as session:
        assert str(session).endswith("signed in")


def test_a_profile_opens_a_session(sandbox, home):
    Path("sessions.yaml").write_text(
        "weather:\n  backend: helios\n  client_id: demo-client\n  client_secret: demo-secret\n"
        f"  api_url: {sandbox.url}/v1\n"
    )
    with sessionkit.connect("weather") as session:
        assert isinstance(session, HeliosSession)
        assert Cameras().index().total == 36


def test_missing_credentials_are_reported_with_the_places_looked_in(home):
    with pytest.raises(ConfigurationError) as caught:
        HeliosSession.detached()
    message = str(caught.value)
    for place in ("environment", "~/.helios/credentials.json (not there)", "profile helios", "sessions.yaml"):
        assert place in message
    assert "client_id=" in message


@pytest.mark.parametrize("content", ["", "{", "[]", '{"helios_client_id": 3, "helios_client_secret": "s"}'])
def test_a_damaged_credentials_file_is_reported_by_name(home, content):
    (home / ".helios").mkdir()
    (home / ".helios" / "credentials.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"credentials\.json"):
        HeliosSession.detached()


@pytest.mark.parametrize(
    "options",
    [{"client_id": 3}, {"client_secret": ""}, {"token_expiration_threshold": -1}, {"rate_limit": 0}],
    ids=str,
)
def test_arguments_that_cannot_work(home, options):
    with pytest.raises(ConfigurationError):
        HeliosSession.detached(**{**PAIR, **options})


def test_a_refused_client_is_reported_and_leaves_nothing_current(sandbox, home):
    wrong = {"client_id": "demo-client", "client_secret": "wrong", "api_url": f"{sandbox.url}/v1"}
    with (
        pytest.raises(AuthenticationError, match="Unknown client id"),
        HeliosSession(**wrong),
    ):
        pass
    HeliosSession.close_session()
    with pytest.raises(NoCurrentSession):
        Cameras()


def test_a_token_endpoint_that_gives_no_token_is_reported(sandbox, open_session):
    sandbox.fault("body", path="/v1/oauth/token", body="{}")
    with pytest.raises(UnexpectedResponse):
        open_session().start_session()


def test_tokens_are_kept_where_one_says(open_session, home, service):
    store = MemoryTokenStore()
    for _ in range(2):
        with open_session(token_store=store):
            pass
    assert service.tokens.requests == {"demo-client": 1}
    assert list(home.iterdir()) == []


def test_a_rate_limit_holds_for_the_session(open_session, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session = open_session(rate_limit=0.01)
    session.start_session()
    with pytest.raises(CallTimeout, match="rate limit"):
        Cameras(session).index()


def test_everybody_who_shares_a_pace_keeps_it_together(monkeypatch, tmp_path, manual_clock):
    from sessionkit.clock import Deadline

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = Pace(10, "me"), Pace(10, "me")
    stranger = Pace(10, "somebody else")
    for _ in range(10):
        first.wait(Deadline.after(60, manual_clock))
        second.wait(Deadline.after(60, manual_clock))
    stranger.wait(Deadline.after(0.01, manual_clock))
    # Twenty requests at ten a second: the last leaves two seconds after the first, less the burst.
    assert 1.5 < max(manual_clock.slept) <= 2.0
    with pytest.raises(CallTimeout, match="rate limit"):
        first.wait(Deadline.after(0.5, manual_clock))


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\x00\x00\x00\x00\x00\x00\xf0\x7f"]
)
def test_a_damaged_pace_file_means_no_plan(monkeypatch, tmp_path, manual_clock, content):
    from sessionkit.clock import Deadline

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pace = Pace(1000, "me")
    pace._path.parent.mkdir()
    pace._path.write_bytes(content)
    pace.wait(Deadline.after(1, manual_clock))
    assert manual_clock.slept == []


def test_a_pace_without_a_place_for_its_file_is_kept_alone(monkeypatch, tmp_path, manual_clock):
    from sessionkit.clock import Deadline

    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    pace = Pace(1, "me")
    for _ in range(3):
        pace.wait(Deadline.after(60, manual_clock))
    assert max(manual_clock.slept) > 1


def test_a_folder_that_was_planted_is_not_written_to(monkeypatch, tmp_path, manual_clock):
    from sessionkit.clock import Deadline

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pace = Pace(1000, "me")
    (tmp_path / "elsewhere").mkdir()
    pace._path.parent.symlink_to(tmp_path / "elsewhere")
    pace.wait(Deadline.after(1, manual_clock))
    assert list((tmp_path / "elsewhere").iterdir()) == []


TAKE_TURNS = """
from sessionkit.clock import Deadline
from sessionkit.testing import ManualClock
from sessionkit_helios.pace import Pace

pace, clock = Pace(0.01, "me"), ManualClock()
for _ in range(10):
    pace.wait(Deadline.after(9999, clock))
print(*clock.slept)
"""


def test_processes_keep_one_pace(tmp_path):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE_TURNS],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    slept = sorted(float(word) for worker in workers for word in worker.communicate(timeout=60)[0].split())
    # Thirty turns a hundred seconds apart, each of them given out once, the first at once.
    assert len(slept) == 29
    assert 2800 < max(slept) <= 2900
    assert all(later - earlier > 1 for earlier, later in itertools.pairwise(slept))
