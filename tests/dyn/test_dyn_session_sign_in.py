"""Signing in and out, and what a session is made of."""

import logging

import pytest

import sessionkit
from sessionkit import NoCurrentSession, RetryPolicy
from sessionkit.errors import AuthenticationError, ConfigurationError, ConnectionFailed, SessionClosed
from sessionkit.tokens import MemoryTokenStore
from sessionkit_dyn import DynectSession, MMSession, errors, zones


def logins(sandbox):
    return [entry for entry in sandbox.requests(path="/REST/Session*") if entry.method == "POST"]


def test_the_vendors_arguments_give_the_vendors_address():
    with DynectSession.detached("acme", "ann", "secret-1", auto_auth=False) as session:
        assert session.base_url == "https://api.dynect.net:443"
        assert session.identity.principal == "acme/ann"
        assert str(session) == "<DynectSession>: acme, ann"
        assert "secret-1" not in repr(session)


def test_a_session_signs_in_once_and_is_current(sandbox, dyn):
    zones.get_all_zones()
    zones.get_all_zones()
    assert DynectSession.current() is dyn
    assert len(logins(sandbox)) == 1


def test_closing_logs_out(sandbox):
    with DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url):
        pass
    assert sandbox.requests(path="/REST/Session*")[-1].method == "DELETE"
    assert DynectSession.get_session() is None
    with pytest.raises(NoCurrentSession):
        zones.get_all_zones()


def test_log_out_may_be_called_twice_and_ends_the_session(sandbox):
    session = DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url)
    session.log_out()
    session.log_out()
    with pytest.raises(SessionClosed):
        session.execute("/Zone/")


def test_auto_auth_false_sends_nothing_until_it_must(sandbox):
    with DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url, auto_auth=False) as session:
        assert sandbox.requests() == []
        session.authenticate()
        session.authenticate()
        assert len(logins(sandbox)) == 1


def test_the_environment_says_what_the_arguments_leave_open(sandbox, monkeypatch):
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    with DynectSession() as session:
        assert session.base_url == sandbox.url
        assert session.execute("/Zone/")["status"] == "success"


def test_missing_credentials_are_named(monkeypatch):
    monkeypatch.delenv("DYN_PASSWORD", raising=False)
    with pytest.raises(ConfigurationError, match="password"):
        DynectSession("acme", "ann")


def test_a_wrong_password_is_one_clear_error_and_leaves_no_session(sandbox):
    with pytest.raises(errors.DynectAuthError, match="did not match") as caught:
        DynectSession("acme", "ann", "wrong-password", host=sandbox.url)
    assert isinstance(caught.value, AuthenticationError)
    assert caught.value.code == "INVALID_DATA"
    assert "wrong-password" not in f"{caught.value} {caught.value!r} {caught.value.body}"
    assert DynectSession.get_session() is None
    assert [session for session in sessionkit.sessions() if isinstance(session, DynectSession)] == []


def test_a_wrong_port_is_one_clear_error_and_leaves_no_session():
    with pytest.raises(ConnectionFailed):
        DynectSession(
            "acme", "ann", "secret-1", host="127.0.0.1", port=9, ssl=False, retry=RetryPolicy.never()
        )
    assert DynectSession.get_session() is None


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"proxy_host": "proxy.test"}, "no port"),
        ({"proxy_port": 3128}, "needs a host"),
        ({"port": "many"}, "port"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments, what):
    with pytest.raises(ConfigurationError, match=what):
        DynectSession("acme", "ann", "secret-1", auto_auth=False, **arguments)


def test_the_proxys_credentials_are_encoded_and_hidden():
    arguments = {
        "proxy_host": "proxy.test",
        "proxy_port": 3128,
        "proxy_user": "u:1",
        "proxy_pass": "p@ss/word",
    }
    with DynectSession.detached("acme", "ann", "secret-1", auto_auth=False, **arguments) as session:
        assert session.proxies == "http://u%3A1:p%40ss%2Fword@proxy.test:3128"
        assert "p@ss" not in repr(session)


def test_keep_alive_is_a_put(sandbox, dyn):
    dyn.keep_alive()
    assert [sandbox.requests()[-1].method, sandbox.requests()[-1].path] == ["PUT", "/REST/Session/"]


def test_a_changed_password_is_used_from_then_on(sandbox, dyn):
    dyn.update_password("another-password")
    sandbox.fault("expire_token")
    assert dyn.execute("/Zone/")["status"] == "success"
    with pytest.raises(errors.DynectAuthError):
        DynectSession.detached("acme", "ann", "sandbox-ann", host=sandbox.url)


def test_permissions_are_asked_for_once(sandbox, dyn):
    assert "RecordAdd" in dyn.permissions
    assert dyn.permissions == dyn.permissions
    assert len(sandbox.requests(path="/REST/UserPermissionReport*")) == 1
    assert dyn.user_permissions_report("reader") == ["RecordGet", "ZoneGet", "ZoneGetNodeList"]


@pytest.mark.parametrize("fault", ["expire_token", "revoke_token"])
def test_a_refused_token_is_renewed_on_the_live_connection(sandbox, dyn, fault):
    zones.get_all_zones()
    sandbox.fault(fault)
    assert len(zones.get_all_zones()) == 2
    assert len(logins(sandbox)) == 2


def test_an_idle_logout_is_renewed(sandbox, dyn, manual_clock):
    manual_clock.advance(4_000)
    assert len(zones.get_all_zones()) == 2


def test_a_refused_token_needs_no_new_one_to_log_out(sandbox, dyn):
    sandbox.fault("expire_token")
    dyn.close()
    assert len(logins(sandbox)) == 1


def test_a_token_kept_in_a_store_is_used_by_the_next_session(sandbox):
    store = MemoryTokenStore()
    for _ in range(2):
        with DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url, token_store=store) as session:
            session.execute("/Zone/")
    assert [entry.method for entry in sandbox.requests(path="/REST/Session*")] == ["POST"]
    session = DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url, token_store=store)
    session.log_out()
    assert sandbox.requests()[-1].method == "DELETE"


def test_no_secret_is_shown_anywhere(sandbox, caplog, dyn):
    caplog.set_level(1)
    sessionkit.secrets.install()
    with DynectSession.detached(
        "acme", "ann", "sandbox-ann", host=sandbox.url, history=True, key="hidden-key"
    ) as twin:
        twin.update_password("sandbox-ann")
        token = twin.login.source.get().value
        shown = f"{twin!r} {twin} {twin.history} {twin.login!r} {vars(twin.login)} {caplog.text}"
    for secret in ("sandbox-ann", token, "hidden-key"):
        assert secret not in shown
    with pytest.raises(TypeError):
        __import__("pickle").dumps(dyn)


def test_unpublished_changes_at_the_end_are_logged(sandbox, caplog):
    with DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url):
        zones.Zone("shop.example").add_record("new", "A", "192.0.2.1")
    assert "unpublished changes of shop.example" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING


def test_dynect_and_mail_sessions_stand_beside_each_other(sandbox, dyn):
    with MMSession("sandbox-mail-key", host=sandbox.url) as mail:
        assert DynectSession.current() is dyn
        assert MMSession.current() is mail
