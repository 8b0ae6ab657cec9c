"""One token for all: threads and processes that meet a cold, an expired or a revoked token at once."""

import itertools
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from core_kit import Api

import sessionkit
from sessionkit import ClientCredentials, CredentialLogin, FileTokenStore, RetryPolicy, Secret
from sessionkit.errors import AuthenticationError, ConfigurationError, UnexpectedResponse
from sessionkit.testing import ManualClock


class TokenService:
    """Issues tokens slowly, counts them, and refuses calls without a good one."""

    def __init__(self, server, lifetime=3600):
        self.issued = 0
        self.numbers = itertools.count()
        self.unsigned = 0
        self.refused = 0
        self.good = set()
        self.lifetime = lifetime
        self.lock = threading.Lock()
        server.answer = self.answer

    def answer(self, seen):
        if seen.path == "/oauth/token":
            with self.lock:
                self.issued += 1
                value = f"token-{next(self.numbers)}-abcdef"
            time.sleep(0.1)
            with self.lock:
                self.good.add(value)
            return 200, {}, {"access_token": value, "token_type": "Bearer", "expires_in": self.lifetime}
        sent = seen.headers.get("authorization")
        with self.lock:
            if sent is None:
                self.unsigned += 1
            elif sent.removeprefix("Bearer ") in self.good:
                return 200, {}, {"path": seen.path}
            self.refused += 1
        return 401, {}, {"message": "bad token"}

    def revoke(self):
        with self.lock:
            self.good.clear()
            self.issued = 0


@pytest.fixture
def service(server):
    return TokenService(server)


def signed_in(server, store=None, **options):
    auth = ClientCredentials("/oauth/token", "client", Secret("client-secret-1"), store=store)
    return Api.detached(server.url, auth=auth, timeout=30, **options)


def sixteen(api):
    barrier = threading.Barrier(16)

    def work(number):
        barrier.wait(10)
        return api.get(f"/{number}") == {"path": f"/{number}"}

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(work, range(16)))


@pytest.mark.parametrize("meets", ["cold", "expired", "revoked"])
def test_16_threads_cause_one_token_request_and_no_call_fails(server, service, meets):
    clock = ManualClock()
    with signed_in(server, clock=clock) as api:
        if meets != "cold":
            api.get("/warm")
            service.revoke()
        if meets == "expired":
            clock.advance(3601)
        assert sixteen(api) == 16
    assert (service.issued, service.unsigned) == (1, 0)


WORKER = """
import json, sys, threading
from concurrent.futures import ThreadPoolExecutor
from sessionkit import ClientCredentials, FileTokenStore, HttpEngine
class Api(HttpEngine):
    __metakey__ = "test.api"
url, path = sys.argv[1:]
auth = ClientCredentials("/oauth/token", "client", "client-secret-1", store=FileTokenStore(path))
with Api(url, auth=auth, timeout=50) as api:
    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(16) as pool:
        print(sum(pool.map(lambda n: api.get(f"/{n}") == {"path": f"/{n}"}, range(16))), flush=True)
"""


@pytest.mark.parametrize("meets", ["cold", "expired", "revoked", "damaged"])
def test_8_processes_of_16_threads_cause_one_token_request_and_no_call_fails(
    server, service, meets, tmp_path
):
    path = tmp_path / "tokens.json"
    if meets in {"expired", "revoked"}:
        service.lifetime = 3600 if meets == "revoked" else 1
        with signed_in(server, FileTokenStore(path)) as api:
            api.get("/warm")
        service.revoke()
        if meets == "expired":
            time.sleep(1.1)
        service.lifetime = 3600
    elif meets == "damaged":
        path.write_bytes(b'{"half of a')
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, server.url, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        results = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdin.close()
            worker.stdout.close()
    assert results == ["16"] * 8
    assert (service.issued, service.unsigned) == (1, 0)
    assert path.stat().st_mode & 0o777 == 0o600


HOLDER = """
import sys, time
from sessionkit.clock import Deadline
from sessionkit import FileTokenStore
store = FileTokenStore(sys.argv[1])
with store.lock(sys.argv[2], Deadline.after(10)):
    print("held", flush=True)
    time.sleep(600)
"""


def test_killing_the_process_that_holds_the_lock_stops_nobody(server, service, tmp_path):
    path = tmp_path / "tokens.json"
    with signed_in(server, FileTokenStore(path)) as api:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), api.auth.source.key], stdout=subprocess.PIPE, text=True
        )
        try:
            assert holder.stdout.readline() == "held\n"
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(api.get, "/x")
                time.sleep(0.3)
                assert service.issued == 0, "the lock must be held through the renewal"
                os.kill(holder.pid, signal.SIGKILL)
                assert answer.result(20) == {"path": "/x"}
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()
    assert service.issued == 1


def test_the_token_survives_the_session_and_the_next_makes_one_request(server, service, tmp_path):
    for _ in range(3):
        with signed_in(server, FileTokenStore(tmp_path / "tokens.json")) as api:
            api.get("/x")
    assert service.issued == 1
    assert [seen.path for seen in server.seen].count("/x") == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_renews_for_itself_without_its_parents_locks(server, service):
    with signed_in(server) as api:
        api.get("/warm")
        service.revoke()
        context = multiprocessing.get_context("fork")
        child = context.Process(target=lambda: os._exit(0 if api.get("/x") == {"path": "/x"} else 1))
        child.start()
        child.join(20)
        assert child.exitcode == 0
        assert api.get("/y") == {"path": "/y"}


def test_a_wrong_secret_is_one_clear_error_without_the_secret(server):
    server.script((401, {}, {"error": "invalid_client"}))
    with signed_in(server) as api, pytest.raises(AuthenticationError) as caught:
        api.get("/x")
    assert "invalid_client" in str(caught.value)
    assert "/oauth/token" in str(caught.value)
    assert "client-secret-1" not in repr(caught.value) + str(caught.value)
    assert len(server.seen) == 1


@pytest.mark.parametrize("body", [{}, [], {"access_token": None}, {"access_token": 5}, b"<html>", b""])
def test_a_token_answer_that_makes_no_sense_is_one_clear_error(server, body):
    server.script((200, {}, body))
    with signed_in(server, retry=RetryPolicy.never()) as api, pytest.raises(UnexpectedResponse):
        api.get("/x")


@pytest.mark.parametrize("lifetime", [None, "soon", -5, 0, 1e99, [], "3600"])
def test_odd_lifetimes_do_not_stop_a_token_from_being_used(server, lifetime):
    service = TokenService(server, lifetime)
    with signed_in(server) as api:
        assert api.get("/x") == {"path": "/x"}
    assert service.issued == 1


def test_a_secret_is_never_sent_in_clear_text_when_the_service_is_https():
    with pytest.raises(ConfigurationError, match="https"):
        Api.detached(
            "https://service.test",
            auth=ClientCredentials("http://service.test/token", "client", Secret("s-12345")),
        )


@pytest.mark.parametrize("where", ["header", "form", "json"])
def test_the_three_ways_to_send_client_credentials(server, service, where):
    auth = ClientCredentials("/oauth/token", "client", Secret("s-12345"), credentials_in=where)
    with Api.detached(server.url, auth=auth) as api:
        api.get("/x")
    request = server.seen[0]
    if where == "header":
        assert request.headers["authorization"].startswith("Basic ")
        assert request.body == b"grant_type=client_credentials"
    elif where == "form":
        assert b"client_secret=s-12345" in request.body
    else:
        assert json.loads(request.body)["client_secret"] == "s-12345"


# --- credential login ---


class LoginService(TokenService):
    def answer(self, seen):
        if seen.path != "/session":
            return super().answer(seen)
        if seen.method == "DELETE":
            self.good.discard(seen.headers["authorization"].removeprefix("Bearer "))
            return 204, {}, b""
        if json.loads(seen.body) != {"user": "ann", "password": "pw-12345"}:
            return 401, {}, {"message": "wrong password"}
        self.issued += 1
        value = f"session-{next(self.numbers)}"
        self.good.add(value)
        return 200, {}, {"data": {"token": value}}


def logged_in(server, password="pw-12345", **options):
    credential = {"user": "ann", "password": Secret(password)}
    auth = CredentialLogin("/session", credential, token="data.token", logout=("DELETE", "/session"))
    return Api.detached(server.url, auth=auth, **options)


def test_a_credential_login_signs_in_once_renews_and_signs_out(server):
    service = LoginService(server)
    with logged_in(server) as api:
        api.get("/a")
        api.get("/b")
        assert service.issued == 1
        service.revoke()
        assert api.get("/c") == {"path": "/c"}
        assert len(service.good) == 1
    assert not service.good


def test_a_wrong_password_is_one_clear_error_and_leaves_no_session(server):
    service = LoginService(server)
    with logged_in(server, "other-pw-1") as api, pytest.raises(AuthenticationError, match="wrong password"):
        api.get("/a")
    assert not service.good
    assert len(server.seen) == 1


def test_siblings_share_the_login_and_only_the_session_signs_out(server):
    service = LoginService(server)
    with logged_in(server) as api:
        sibling = api.sibling()
        sibling.get("/a")
        api.get("/b")
        sibling.close()
        assert service.issued == 1
        assert service.good
    assert not service.good


def test_a_session_dropped_without_closing_is_signed_out_too(server):
    service = LoginService(server)
    api = logged_in(server)
    api.get("/a")
    del api
    for _ in range(500):
        if not service.good:
            return
        time.sleep(0.01)
    raise AssertionError("the token was left behind")


def test_sessions_still_open_at_exit_are_signed_out(server):
    service = LoginService(server)
    script = """
        import sys
        from sessionkit import CredentialLogin, HttpEngine
        class Api(HttpEngine):
            __metakey__ = "test.api"
        auth = CredentialLogin("/session", {"user": "ann", "password": "pw-12345"}, token="data.token",
                               logout=("DELETE", "/session"))
        Api(sys.argv[1], auth=auth).get("/a")
    """
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(script), server.url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, re.sub(r"\s", "", done.stderr)) == (0, "")
    assert service.issued == 1
    assert not service.good


def test_a_thousand_threads_that_sign_in_and_end_leave_no_token_behind(server):
    service = LoginService(server)

    def work():
        credential = {"user": "ann", "password": Secret("pw-12345")}
        auth = CredentialLogin("/session", credential, token="data.token", logout=("DELETE", "/session"))
        assert Api(server.url, auth=auth).get("/a") == {"path": "/a"}

    for _ in range(20):
        threads = [threading.Thread(target=work) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    for _ in range(3000):
        if not service.good and not sessionkit.sessions():
            break
        time.sleep(0.01)
    assert service.issued == 1000
    assert not service.good
    assert not sessionkit.sessions()
