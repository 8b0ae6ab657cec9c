"""A Secret shows nothing anywhere."""

import copy
import json
import pickle

import pytest

from sessionkit.secrets import Secret, redact_headers, redact_url, register, sounds_secret

VALUE = "the-hidden-value"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        format,
        "{}".format,
        "{!r:>30}".format,
        "%s".__mod__,
        ascii,
        lambda s: str([s, {s: s}, (s,)]),
    ],
)
def test_no_text_of_a_secret_shows_it(show):
    assert VALUE not in show(Secret(VALUE))
    assert "***" in show(Secret(VALUE))


def test_format_specs_apply_to_the_mask():
    assert f"{Secret(VALUE):>6}" == "   ***"


def test_reveal_is_the_only_way():
    secret = Secret(VALUE)
    assert secret.reveal() == VALUE
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def test_equality_and_hash_are_by_value():
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret("another-value")
    assert Secret(VALUE) != VALUE
    assert len({Secret(VALUE), Secret(VALUE)}) == 1
    assert hash(Secret(VALUE)) != hash(VALUE)
    assert not Secret("")
    assert Secret("\ud800 lone surrogate") == Secret("\ud800 lone surrogate")


def test_copies_are_the_secret_itself():
    secret = Secret(VALUE)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"a": [secret]})["a"][0] is secret


@pytest.mark.parametrize("wrong", [None, b"bytes", 5, Secret(VALUE)])
def test_a_secret_is_made_of_text(wrong):
    with pytest.raises(TypeError, match="made of a str"):
        Secret(wrong)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "x_api_key",
        "Auth-Token",
        "apikey",
        "access_token",
        "client_secret",
        "password",
        "passwd",
        "pwd",
        "sig",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "AWSAccessKeyId",
        "private_key",
        "key",
        "JSESSIONID",
        "session_id",
        "jwt",
        "ftrack-api-key",
        "X-Goog-Credential",
    ],
)
def test_names_of_credentials(name):
    assert sounds_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "WWW-Authenticate",
        "author",
        "author_id",
        "limit",
        "Content-Type",
        "Host",
        "keyword",
        "monkey",
        "username",
        "token_url",
        "token_type",
        "zone",
        "session_timeout",
        "pinned",
        "compass",
        "expires_in",
        "max_sessions",
        ":authority",
    ],
)
def test_names_of_other_things(name):
    assert not sounds_secret(name)


def test_headers_keep_the_scheme_and_lose_the_rest():
    register("known-by-value")
    headers = {
        "Authorization": "Bearer abc.def",
        "X-Api-Key": "123",
        "Cookie": "a=b",
        "Accept": "text/html",
        "X-Note": "has known-by-value in it",
    }
    assert redact_headers(headers) == {
        "Authorization": "Bearer ***",
        "X-Api-Key": "***",
        "Cookie": "***",
        "Accept": "text/html",
        "X-Note": "has *** in it",
    }
    assert headers["X-Api-Key"] == "123"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/path?limit=5", "https://host/path?limit=5"),
        ("https://ann:pw@host:8443/x", "https://***@host:8443/x"),
        ("https://token@host/", "https://***@host/"),
        ("https://ann:p@w@host/", "https://***@host/"),
        ("redis://:pw@host/0", "redis://***@host/0"),
        ("//ann:pw@host/x", "//***@host/x"),
        ("https://host/?a=1&api_key=abc&b=2", "https://host/?a=1&api_key=***&b=2"),
        ("https://host/?a=1;password=abc", "https://host/?a=1;password=***"),
        ("https://host/#access_token=abc&x=1", "https://host/#access_token=***&x=1"),
        (
            "https://s3/x.jpg?X-Amz-Signature=ab&X-Amz-Date=1",
            "https://s3/x.jpg?X-Amz-Signature=***&X-Amz-Date=1",
        ),
        ("https://host/?api%5Fkey=abc", "https://host/?api%5Fkey=***"),
        ("https://host/?token=", "https://host/?token="),
        ("https://host/user@example.test?next=//a@b", "https://host/user@example.test?next=//***@b"),
        ("/only/a/path?secret=x", "/only/a/path?secret=***"),
        ("", ""),
        ("not a url at all", "not a url at all"),
    ],
)
def test_urls_to_show(url, shown):
    assert redact_url(url) == shown


def test_registered_values_are_hidden_anywhere_in_a_url():
    register("sl/ashed-value")
    assert redact_url("https://host/sl%2Fashed-value/x?q=sl/ashed-value") == "https://host/***/x?q=***"
