"""A token shows nothing, survives JSON, and comes out of hostile answers whole or not at all."""

import copy
import math
import pickle

import pytest

from sessionkit.errors import UnexpectedResponse
from sessionkit.secrets import redact
from sessionkit.tokens import Token, token_key


def test_a_token_shows_nothing_of_its_value():
    token = Token(
        "very-secret-token", 12.0, extra={"refresh_token": "very-secret-refresh", "scope": "read-all"}
    )
    assert "very-secret" not in f"{token} {token!r}"
    assert (
        redact("got very-secret-token and very-secret-refresh for read-all") == "got *** and *** for read-all"
    )


def test_a_token_is_not_pickled():
    with pytest.raises(TypeError, match="TokenStore"):
        pickle.dumps(Token("very-secret-token"))


def test_copies_are_the_token_itself():
    token = Token("very-secret-token")
    assert copy.copy(token) is copy.deepcopy(token) is token


def test_json_keeps_everything():
    token = Token("value", 12.5, "MAC", {"scope": ["a"], "refresh_token": "text"}, 2.5)
    again = Token.from_json(token.to_json())
    assert again == token
    assert again.extra == token.extra


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {},
        {"value": None},
        {"value": ""},
        {"value": 5},
        {"value": "a\r\nX-Injected: 1"},
        {"value": "a", "expires_at": "soon"},
        {"value": "a", "expires_at": math.nan},
        {"value": "a", "expires_at": math.inf},
        {"value": "a", "expires_at": True},
        {"value": "a", "issued_at": []},
        {"value": "a", "scheme": None},
        {"value": "a", "scheme": ""},
        {"value": "a", "extra": []},
    ],
)
def test_what_is_no_token_in_json_is_none(data):
    assert Token.from_json(data) is None


def test_an_oauth_answer():
    token = Token.from_response(
        {"access_token": "abc", "token_type": "bearer", "expires_in": 3600, "scope": "read"}, now=100.0
    )
    assert token == Token("abc", 3700.0, "Bearer", {}, 100.0)
    assert token.extra == {"scope": "read"}
    assert token.lifetime == 3600


@pytest.mark.parametrize(
    ("expires_in", "expires_at"),
    [
        ("60", 160.0),
        (60.5, 160.5),
        (-5, 100.0),
        (None, None),
        ("soon", None),
        (math.nan, None),
        (True, None),
        ("9" * 99, None),
        ([], None),
        (10**400, None),
    ],
)
def test_lifetimes_as_servers_send_them(expires_in, expires_at):
    assert (
        Token.from_response({"access_token": "abc", "expires_in": expires_in}, now=100.0).expires_at
        == expires_at
    )


@pytest.mark.parametrize(
    "payload", [None, [], "abc", {}, {"access_token": None}, {"access_token": "a\nb"}, {"error": "x"}]
)
def test_answers_without_a_token_are_an_error(payload):
    with pytest.raises(UnexpectedResponse, match="without an access token"):
        Token.from_response(payload, now=0.0)


def test_expiry():
    assert not Token("a").expired(1e12)
    assert not Token("a", 10.0).expired(9.9)
    assert Token("a", 10.0).expired(10.0)


def test_keys_keep_their_parts_apart():
    assert token_key("ab", "c") != token_key("a", "bc")
    assert token_key("a", "b") == token_key("a", "b")
