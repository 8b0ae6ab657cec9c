"""When a call is tried again, after how long, and when not."""

import email.utils
import threading

import pytest
from core_kit import Api

from sessionkit import RetryPolicy
from sessionkit.errors import CallTimeout, ConnectionFailed, RateLimited, ServerError
from sessionkit.http.retry import RetryBudget, retry_after
from sessionkit.testing import ManualClock

OK = (200, {}, {"ok": True})
NOW = 1_767_225_600.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("0", 0.0),
        (email.utils.formatdate(NOW + 5, usegmt=True), 5.0),
        (email.utils.formatdate(NOW - 500, usegmt=True), 0.0),
        ("999999999", 999999999.0),
        ("99999999999999999999", None),
        ("-3", None),
        ("", None),
        (None, None),
        ("soon", None),
        ("1e3", None),
        ("nan", None),
        ("Wed, 99 Foo 2026", None),
        ("٣", None),
    ],
)
def test_every_form_of_retry_after(value, seconds):
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "waited"),
    [("3", 3.0), ("1.5", 1.5), ("-3", 0.25), ("garbage", 0.25), ("", 0.25), ("99999999999999999999", 0.25)],
)
def test_what_the_service_asks_is_waited_for_and_nonsense_is_backed_off(server, value, waited):
    server.script((503, {"Retry-After": value}, {}), OK)
    clock = ManualClock()
    with Api.detached(server.url, clock=clock, retry=RetryPolicy(jitter=False)) as api:
        assert api.get("/") == {"ok": True}
    assert clock.slept == [waited]


def test_an_http_date_is_waited_for(server):
    clock = ManualClock()
    server.script((429, {"Retry-After": email.utils.formatdate(clock.time() + 5, usegmt=True)}, {}), OK)
    with Api.detached(server.url, clock=clock) as api:
        api.get("/")
    assert clock.slept == [pytest.approx(5.0)]


@pytest.mark.parametrize("value", ["61", "999999999"])
def test_a_service_that_asks_for_too_long_is_given_up_at_once_and_says_so(server, value):
    server.script((429, {"Retry-After": value}, {}))
    clock = ManualClock()
    with Api.detached(server.url, clock=clock, timeout=1e10) as api, pytest.raises(RateLimited) as caught:
        api.get("/")
    assert caught.value.retry_after == float(value)
    assert clock.slept == []


def test_no_wait_goes_past_the_deadline(server):
    server.script((503, {"Retry-After": "30"}, {}))
    clock = ManualClock()
    with Api.detached(server.url, clock=clock, timeout=20) as api, pytest.raises(RateLimited) as caught:
        api.get("/")
    assert clock.slept == []
    assert len(caught.value.attempts) == 1
    assert caught.value.attempts[0].waited == 0


def test_waits_double_up_to_the_longest_and_every_attempt_is_recorded(server):
    server.script((500, {}, {"message": "broken"}))
    clock = ManualClock()
    policy = RetryPolicy(attempts=6, base=1, longest=5, jitter=False)
    with Api.detached(server.url, clock=clock, retry=policy) as api, pytest.raises(ServerError) as caught:
        api.get("/")
    assert clock.slept == [1, 2, 4, 5, 5]
    assert [attempt.status for attempt in caught.value.attempts] == [500] * 6
    assert [attempt.number for attempt in caught.value.attempts] == [1, 2, 3, 4, 5, 6]
    assert [attempt.waited for attempt in caught.value.attempts] == [1, 2, 4, 5, 5, 0]
    assert "broken" in caught.value.attempts[0].cause


def test_jitter_is_full():
    policy = RetryPolicy(base=1, longest=60)
    waits = [policy.backoff(3) for _ in range(500)]
    assert 0 <= min(waits) < 0.5
    assert 3.5 < max(waits) <= 4


def test_a_huge_number_of_attempts_does_not_overflow():
    assert RetryPolicy(jitter=False).backoff(10_000) == 60


@pytest.mark.parametrize(
    ("method", "sent"), [("GET", 4), ("PUT", 4), ("DELETE", 4), ("POST", 1), ("PATCH", 1)]
)
def test_only_what_can_do_no_harm_is_sent_again(server, method, sent):
    server.script((502, {}, {}))
    with Api.detached(server.url, clock=ManualClock()) as api, pytest.raises(ServerError):
        api.request(method, "/")
    assert len(server.seen) == sent


def test_a_throttled_post_was_not_carried_out_and_is_sent_again(server):
    server.script((429, {"Retry-After": "1"}, {}), OK)
    with Api.detached(server.url, clock=ManualClock()) as api:
        assert api.post("/") == {"ok": True}


@pytest.mark.parametrize("status", [400, 403, 404, 409, 501])
def test_what_will_not_change_is_not_asked_again(server, status):
    server.script((status, {}, {}))
    with Api.detached(server.url, clock=ManualClock()) as api, pytest.raises(Exception) as caught:
        api.get("/")
    assert caught.value.status == status
    assert len(server.seen) == 1


def test_a_lost_connection_is_tried_again_for_what_can_do_no_harm(server):
    server.script(None)
    with Api.detached(server.url, clock=ManualClock()) as api:
        with pytest.raises(ConnectionFailed) as caught:
            api.get("/")
        assert len(caught.value.attempts) == 4
        with pytest.raises(ConnectionFailed) as caught:
            api.post("/")
        assert len(caught.value.attempts) == 1
        assert "look before" in caught.value.hint


@pytest.mark.parametrize(("sent", "told"), [([True, False], True), ([False, False], False)])
def test_what_an_earlier_attempt_may_have_done_is_not_denied_by_the_last(sent, told):
    class Unlucky(Api):
        def send(self, request, deadline):
            raise ConnectionFailed("no answer", method=request.method, sent=left.pop(0))

    left = list(sent)
    retry = RetryPolicy(attempts=2)
    unlucky = Unlucky.detached("http://127.0.0.1:1", clock=ManualClock(), retry=retry)
    with unlucky, pytest.raises(ConnectionFailed) as caught:
        unlucky.put("/")
    assert caught.value.sent is told
    assert [attempt.sent for attempt in caught.value.attempts] == sent


def test_an_unsent_post_is_tried_again():
    with (
        Api.detached("http://127.0.0.1:1", clock=ManualClock()) as api,
        pytest.raises(ConnectionFailed) as caught,
    ):
        api.post("/")
    assert len(caught.value.attempts) == 4
    assert not caught.value.sent


def test_a_timeout_is_not_tried_again(server):
    gate = threading.Event()
    server.answer = lambda seen: gate.wait(20) and None
    with Api.detached(server.url, timeout=0.1) as api, pytest.raises(CallTimeout) as caught:
        api.get("/")
    gate.set()
    assert len(caught.value.attempts) == 1


def test_the_budget_stops_retrying_in_an_outage_and_recovers():
    budget = RetryBudget(size=12, cost=5)
    assert [budget.take(), budget.take(), budget.take()] == [True, True, False]
    for _ in range(3):
        budget.refund()
    assert budget.take()
    for _ in range(100):
        budget.refund()
    assert budget.left == 12


def test_an_outage_is_not_made_worse(server):
    server.script((500, {}, {}))
    with Api.detached(server.url, clock=ManualClock()) as api:
        for _ in range(200):
            with pytest.raises(ServerError):
                api.get("/")
    assert len(server.seen) == 200 + 100  # one try each, and a bucket of 500 at 5 a retry


def test_never_means_once(server):
    server.script((503, {}, {}))
    with Api.detached(server.url, retry=RetryPolicy.never()) as api, pytest.raises(ServerError):
        api.get("/")
    assert len(server.seen) == 1


def test_a_policy_is_a_value():
    with pytest.raises(AttributeError):
        RetryPolicy().attempts = 9
    assert RetryPolicy(attempts=2) == RetryPolicy(attempts=2)
