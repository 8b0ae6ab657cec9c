"""Everything a session leaves behind, searched for everything it must not say."""

import base64
import copy
import io
import json
import logging
import pickle
import traceback
import urllib.parse
from contextlib import suppress

import pytest
from core_kit import Api
from requests.auth import AuthBase, HTTPBasicAuth

import sessionkit
from sessionkit import ClientCredentials, CredentialLogin, FileTokenStore, HeaderAuth, RetryPolicy, Secret
from sessionkit.cache import FileCache
from sessionkit.events import EventHub
from sessionkit.http import CachePolicy

KEY = "key/with+odd=chars&7c1f"
CLIENT_SECRET = "client secret \u00fc 5f2a"
PASSWORD = 'pass"word\\9d3e'
TOKEN = "eyJ0b2tlbiI6ICJhYmMifQ.c2lnbmF0dXJl"
SESSION_TOKEN = "session-token-4b8d"
PROXY_PASSWORD = "proxy-pass-1e6a"
QUERY_KEY = "query-key-8a0c"
SECRETS = (KEY, CLIENT_SECRET, PASSWORD, TOKEN, SESSION_TOKEN, PROXY_PASSWORD, QUERY_KEY)


def disguises(secret):
    raw = secret.encode()
    return {
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        base64.b64encode(raw).decode().rstrip("="),
        base64.b64encode(b"client:" + raw).decode().rstrip("="),
    }


def said(text):
    return [shape for secret in SECRETS for shape in disguises(secret) if shape in text]


class QueryAuth(AuthBase):
    def __call__(self, request):
        request.prepare_url(request.url, {"key": QUERY_KEY})
        return request


@pytest.fixture
def records():
    """Everything logged by anybody, from level 1, as a careless application would write it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(1)
    for name in ("sessionkit", "urllib3", "requests", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(1)
    yield out
    root.removeHandler(handler)
    root.setLevel(before)
    for name in ("sessionkit", "urllib3", "requests", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def service(server):
    """Answers that say secrets back, as careless services do."""

    def answer(seen):
        path = seen.path.partition("?")[0]
        echo = {
            "message": f"you sent {dict(seen.headers)} {seen.body.decode('utf-8', 'replace')} {seen.path}"
        }
        if path == "/oauth/token":
            return 200, {}, {"access_token": TOKEN, "expires_in": 3600}
        if path == "/login":
            return 200, {}, {"token": SESSION_TOKEN}
        if path == "/fails":
            return 500, {}, echo
        if path == "/refuses":
            return 401, {}, echo
        if path == "/html":
            return 200, {}, b"<title>" + json.dumps(echo).encode() + b"</title>"
        if path == "/moves":
            return 302, {"Location": f"/ok?key={urllib.parse.quote(QUERY_KEY)}"}, b""
        return 200, {"Cache-Control": "max-age=60", "Set-Cookie": f"sid={SESSION_TOKEN}"}, {"ok": True}

    server.answer = answer


def sessions(server, folder):
    proxy = f"http://ann:{PROXY_PASSWORD}@127.0.0.1:1"
    store = FileTokenStore(folder / "tokens.json")
    auths = {
        "headers": HeaderAuth({"X-Api-Key": KEY, "X-User": "ann"}),
        "oauth header": ClientCredentials("/oauth/token", "client", CLIENT_SECRET, store=store),
        "oauth form": ClientCredentials("/oauth/token", "client", CLIENT_SECRET, credentials_in="form"),
        "login": CredentialLogin("/login", {"user": "ann", "password": Secret(PASSWORD)}),
        "basic": HTTPBasicAuth("client", PASSWORD),
        "query": QueryAuth(),
    }
    for name, auth in auths.items():
        options = {"auth": auth, "history": 50, "retry": RetryPolicy(attempts=2, base=0.001)}
        cache = FileCache(folder / f"{name.replace(' ', '-')}.sqlite")
        yield cache, Api.detached(server.url, cache=cache, cache_policy=CachePolicy(ttl=60), **options)
    yield (
        None,
        Api.detached("http://service.test", auth=HeaderAuth({"X-Api-Key": KEY}), proxies=proxy, timeout=2),
    )


def leftovers(session, heard):
    """Texts of all that can be looked at: the session, its parts, its errors, its history."""
    texts = []
    errors = []
    for uri in (
        "/ok",
        "/ok",
        f"/x?api_key={urllib.parse.quote(QUERY_KEY)}",
        "/fails",
        "/refuses",
        "/html",
        "/moves",
    ):
        try:
            session.get(uri)
        except Exception as error:
            errors.append(error)
    for call in (lambda: session.http.get("/fails"), lambda: session.post("/fails", {"password": PASSWORD})):
        try:
            call()
        except Exception as error:
            errors.append(error)
    with suppress(Exception), session.stream("/ok") as answer:
        texts += [repr(answer), *map(str, answer)]
    for error in errors:
        texts += [str(error), repr(error), repr(vars(error))]
        texts.append("".join(traceback.format_exception(error)))
        texts += map(repr, getattr(error, "attempts", ()))
        with suppress(TypeError, pickle.PicklingError):
            texts.append(pickle.dumps(error, 0).decode("latin-1"))
    for thing in (session, session.auth, session.identity, session.arguments, session.history):
        texts += [repr(thing), str(thing)]
    source = getattr(session.auth, "source", None)
    if source is not None:
        texts += [repr(source), repr(source.current), str(source.current)]
    for thing in (session, session.auth, source):
        with suppress(TypeError, pickle.PicklingError, AttributeError):
            texts.append(pickle.dumps(thing, 0).decode("latin-1"))
    texts += map(repr, sessionkit.sessions())
    texts += [repr(dict(event)) for event in heard]
    return texts


def test_nothing_says_a_secret(server, tmp_path, records):
    service(server)
    # The services' own answers are not ours to change: what callers get as results is as it came.
    for cache, session in sessions(server, tmp_path):
        heard = []
        session.event_hub.subscribe(
            "topic=sessionkit.*", lambda event, heard=heard: heard.append(copy.copy(event))
        )
        with session:
            for text in leftovers(session, heard):
                assert not said(text), text
        assert heard, "the hub must have been told"
        if cache is not None:
            cache.close()
    assert server.seen, "calls must have been made"
    assert said(json.dumps([seen.headers for seen in server.seen])), "and must have carried credentials"
    assert records.getvalue().count("\n") > 20, "and must have been logged"
    assert not said(records.getvalue())
    for file in tmp_path.rglob("*"):
        if file.is_file() and said(file.read_bytes().decode("latin-1")):
            assert file.name == "tokens.json"
            assert file.stat().st_mode & 0o777 == 0o600
    assert said((tmp_path / "tokens.json").read_text())


def test_a_hub_of_ones_own_hears_no_secret_either(server):
    service(server)
    hub, heard = EventHub(), []
    hub.subscribe("topic=sessionkit.*", lambda event: heard.append(repr(dict(event))))
    auth = HeaderAuth({"X-Api-Key": KEY})
    with Api.detached(server.url, auth=auth, event_hub_factory=lambda _: hub) as session:
        session.get(f"/ok?key={urllib.parse.quote(KEY)}")
    assert heard
    assert not said("".join(heard))
