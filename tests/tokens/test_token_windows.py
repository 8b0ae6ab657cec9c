"""When a token is renewed: the two windows, short lifetimes, clocks that jump."""

import threading
import time

import pytest
from token_kit import together, until

from sessionkit.errors import ServerError
from sessionkit.tokens import MemoryTokenStore, Token, TokenSource


def test_a_good_token_is_used_without_io(source, endpoint, clock):
    token = source.get()
    clock.advance(3600 - 301)
    assert source.get() is token
    assert endpoint.calls == 1


def test_the_advisory_window_renews_in_the_background(source, endpoint, clock):
    old = source.get()
    clock.advance(3600 - 299)
    endpoint.hang = threading.Event()
    assert all(token is old for token in together(16, source.get))
    endpoint.hang.set()
    until(lambda: source.get() is not old)
    assert endpoint.calls == 2


def test_a_failure_in_the_advisory_window_reaches_nobody_but_the_callback(clock, endpoint):
    failures = []
    source = TokenSource(endpoint, key="k", clock=clock, on_error=failures.append)
    old = source.get()
    clock.advance(3600 - 200)
    endpoint.failures = 1
    assert source.get() is old
    until(lambda: failures)
    assert isinstance(failures[0], ServerError)
    # It is not tried again at once.
    assert source.get() is old
    assert endpoint.calls == 2
    clock.advance(1)
    assert source.get() is old
    until(lambda: source.get() is not old)


def test_the_mandatory_window_waits(source, endpoint, clock):
    source.get()
    clock.advance(3600 - 59)
    assert {token.value for token in together(8, source.get)} == {"token-number-2"}
    assert endpoint.calls == 2


def test_in_the_mandatory_window_the_old_token_outlives_a_failed_renewal(clock, endpoint):
    failures = []
    source = TokenSource(endpoint, key="k", clock=clock, on_error=failures.append)
    old = source.get()
    clock.advance(3600 - 30)
    endpoint.failures = 1
    assert source.get() is old
    assert len(failures) == 1
    clock.advance(1)
    assert source.get().value == "token-number-2"


def test_an_ended_token_is_never_used(source, endpoint, clock):
    source.get()
    clock.advance(3600)
    endpoint.failures = 1
    with pytest.raises(ServerError):
        source.get()
    assert source.current is None


@pytest.mark.parametrize("lifetime", [5, 60, 1800])
def test_a_short_lived_token_is_used_whatever_the_windows_are(clock, endpoint, lifetime):
    endpoint.lifetime = lifetime
    source = TokenSource(endpoint, key="k", clock=clock, advisory=7200, mandatory=3600)
    token = source.get()
    clock.advance(lifetime * 0.74)
    assert source.get() is token
    assert endpoint.calls == 1
    clock.advance(lifetime * 0.2)
    assert source.get().value == "token-number-2"


def test_short_lived_tokens_are_shared_through_a_store(clock, endpoint):
    endpoint.lifetime = 1800
    store = MemoryTokenStore()
    for _ in range(10):
        TokenSource(endpoint, key="k", store=store, advisory=3600, mandatory=3600, clock=clock).get()
        clock.advance(100)
    assert endpoint.calls == 1


def test_a_token_without_an_end_is_used_until_refused(source, endpoint, clock):
    endpoint.lifetime = None
    token = source.get()
    clock.advance(1e9)
    assert source.get() is token
    assert source.get(refused=token) is not token


def test_a_token_that_has_ended_on_arrival_is_used_once(source, endpoint):
    endpoint.lifetime = 0
    assert source.get().value == "token-number-1"
    assert source.get().value == "token-number-2"


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_wall_clock_that_jumps_neither_ends_nor_prolongs_a_token(source, endpoint, clock, jump):
    token = source.get()
    clock.jump(jump)
    assert source.get() is token
    clock.advance(3600)
    assert source.get().value == "token-number-2"
    assert endpoint.calls == 2


def test_a_stored_token_never_lasts_longer_than_it_was_issued_for(clock, endpoint):
    store = MemoryTokenStore()
    TokenSource(endpoint, key="k", store=store, clock=clock).get()
    clock.jump(-86400)
    later = TokenSource(endpoint, key="k", store=store, clock=clock)
    assert later.get().value == "token-number-1"
    clock.advance(3600)
    assert later.get().value == "token-number-2"


def test_another_process_s_renewal_is_taken_over(clock, endpoint):
    store = MemoryTokenStore()
    source = TokenSource(endpoint, key="k", store=store, clock=clock)
    source.get()
    clock.advance(3600 - 200)
    renewed = Token("renewed-elsewhere", clock.time() + 3600, issued_at=clock.time())
    store.save("k", renewed)
    source.get()
    until(lambda: source.get() is renewed)
    assert endpoint.calls == 1


def test_without_threads_to_spare_the_token_is_still_used(source, clock, monkeypatch):
    old = source.get()
    clock.advance(3600 - 200)

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert source.get() is old
    clock.advance(1)
    source.get()
    until(lambda: source.get() is not old)


def test_background_renewals_leave_no_thread_behind(source, clock):
    old = source.get()
    clock.advance(3600 - 200)
    source.get()
    until(lambda: source.get() is not old)
    time.sleep(0.01)
    until(lambda: not [t for t in threading.enumerate() if t.name == "sessionkit-token"])
