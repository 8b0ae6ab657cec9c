"""Numbers that cannot be meant: one clear error, where they are given and before anything is sent."""

import math

import pytest
from core_kit import Api

import sessionkit
from sessionkit import HttpEngine, RetryPolicy
from sessionkit.errors import CallTimeout, ConfigurationError

WRONG = [
    *({"timeout": value} for value in ("5", -1, 0, math.nan, None, True, [5])),
    *({"connect_timeout": value} for value in ("5", -1, 0, math.nan, None)),
    *({"max_concurrency": value} for value in (0, -1, "3", 1.5, True)),
    *({"history": value} for value in (-1, "many", 1.5)),
    *({"max_response_size": value} for value in (0, -1, "1 MB", None)),
    *({"retry": value} for value in (3, "never")),
    *(
        {"base_url": value}
        for value in (3, "", "ftp://x", "//x", "http://", "http://h:port", "http://h:70000")
    ),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_session_is_not_made(server, wrong):
    with pytest.raises(ConfigurationError) as caught:
        Api.detached(**{"base_url": server.url, **wrong})
    assert isinstance(caught.value, ValueError)
    assert next(iter(wrong)) in str(caught.value)
    assert caught.value.hint
    assert not [each for each in sessionkit.sessions() if isinstance(each, HttpEngine)]
    assert not server.seen


@pytest.mark.parametrize("wrong", ["5", math.nan, [1], True], ids=str)
def test_a_call_is_not_made(server, api, wrong):
    with pytest.raises(ConfigurationError, match="timeout is"):
        api.get("/x", timeout=wrong)
    assert not server.seen


@pytest.mark.parametrize("over", [0, -1])
def test_a_call_without_any_time_ends_at_once(server, api, over):
    with pytest.raises(CallTimeout):
        api.get("/x", timeout=over)
    assert not server.seen


def test_a_session_without_limits_and_one_with_the_smallest(server):
    with Api.detached(server.url, timeout=math.inf, connect_timeout=math.inf, history=True) as api:
        assert api.get("/x") == {"path": "/x"}
    with Api.detached(server.url, max_concurrency=1, history=0, max_response_size=100) as api:
        assert api.get("/x", timeout=math.inf) == {"path": "/x"}


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"attempts": "4"}, {"base": -1}, {"base": "x"}, {"longest": math.nan}, {"longest": -1}],
    ids=str,
)
def test_a_retry_policy_is_not_made(wrong):
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} is"):
        RetryPolicy(**wrong)
