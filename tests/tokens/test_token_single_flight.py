"""Threads that meet a missing, expired or refused token cause one fetch, and none of them fails."""

import os
import threading

import pytest
from token_kit import together, until

from sessionkit.clock import Deadline
from sessionkit.errors import ConfigurationError, DeadlineExceeded, ServerError
from sessionkit.tokens import MemoryTokenStore, Token, TokenSource


def hung_fetch(clock, endpoint, **options):
    """A source, the thread whose fetch hangs, and the event that it waits for."""
    hang = endpoint.hang = threading.Event()
    source = TokenSource(endpoint, key="k", clock=clock, **options)
    leader = threading.Thread(target=source.get)
    leader.start()
    until(lambda: endpoint.calls == 1)
    return source, leader, hang


def test_cold_expired_and_revoked_tokens_are_fetched_once_each(source, endpoint, clock):
    cold = together(16, source.get)
    assert {token.value for token in cold} == {"token-number-1"}
    clock.advance(3600)
    expired = together(16, source.get)
    assert {token.value for token in expired} == {"token-number-2"}
    revoked = together(16, lambda: source.get(refused=expired[0]))
    assert {token.value for token in revoked} == {"token-number-3"}
    assert endpoint.calls == 3


def test_a_late_refusal_of_an_old_token_renews_nothing(source, endpoint):
    first = source.get()
    second = source.get(refused=first)
    assert source.get(refused=first) is second
    assert source.get() is second
    assert endpoint.calls == 2


def test_a_refusal_is_recognised_by_the_value(source):
    assert source.get(refused=Token(source.get().value)).value == "token-number-2"


def test_a_refused_token_is_not_taken_from_the_store_again(clock, endpoint):
    store = MemoryTokenStore()
    first = TokenSource(endpoint, key="k", store=store, clock=clock).get()
    other = TokenSource(endpoint, key="k", store=store, clock=clock)
    assert other.get() is first
    endpoint.failures = 1
    with pytest.raises(ServerError):
        other.get(refused=first)
    assert other.get().value == "token-number-2"


def test_a_service_may_issue_a_refused_value_again(clock):
    source = TokenSource(lambda _: Token("always-the-same"), key="k", clock=clock)
    assert source.get(refused=source.get()).value == "always-the-same"
    assert source.get().value == "always-the-same"


def test_sources_that_share_a_store_share_the_flight(clock, endpoint):
    store = MemoryTokenStore()
    sources = [TokenSource(endpoint, key="k", store=store, clock=clock) for _ in range(8)]
    assert len({token.value for token in together(8, lambda: sources.pop().get())}) == 1
    assert endpoint.calls == 1


def test_other_keys_are_other_tokens(clock, endpoint):
    store = MemoryTokenStore()
    one, two = (TokenSource(endpoint, key=key, store=store, clock=clock) for key in "ab")
    assert one.get().value != two.get().value


def test_every_waiter_of_a_failed_renewal_gets_an_error_of_its_own(source, endpoint):
    endpoint.failures, endpoint.delay = 1, 0.2
    errors = together(16, source.get)
    assert {type(error) for error in errors} == {ServerError}
    assert len({id(error) for error in errors}) == 16
    assert {error.status for error in errors} == {503}
    assert endpoint.calls == 1
    assert source.get().value == "token-number-1"


def test_an_error_that_cannot_be_copied_still_reaches_everybody(clock):
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__("odd")

    def fetch(deadline):
        hold.wait(5)
        raise Odd(1, 2)

    hold = threading.Event()
    source = TokenSource(fetch, key="k", clock=clock)
    threading.Timer(0.2, hold.set).start()
    assert {type(error) for error in together(4, source.get)} == {Odd}


def test_failures_are_followed_by_growing_pauses(source, endpoint, clock):
    endpoint.failures = 8
    for _ in range(8):
        with pytest.raises(ServerError):
            source.get()
    source.get()
    assert clock.slept == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_a_pause_longer_than_the_deadline_repeats_the_last_error(source, endpoint, clock):
    endpoint.failures = 3
    for _ in range(3):
        with pytest.raises(ServerError):
            source.get()
    with pytest.raises(ServerError, match="broken"):
        source.get(deadline=Deadline.after(0.1, clock))
    assert endpoint.calls == 3


def test_a_hung_fetch_holds_the_others_up_for_refresh_timeout_only(clock, endpoint):
    source, leader, _ = hung_fetch(clock, endpoint, refresh_timeout=0.2)
    errors = together(4, source.get)
    assert {type(error) for error in errors} == {DeadlineExceeded}
    endpoint.hang.set()
    leader.join(5)
    # What came late is welcome all the same.
    assert source.get().value == "token-number-1"
    assert endpoint.calls == 1


def test_after_a_hung_fetch_the_next_call_tries_again(clock, endpoint):
    source, leader, hang = hung_fetch(clock, endpoint, refresh_timeout=0.2)
    with pytest.raises(DeadlineExceeded):
        source.get()
    endpoint.hang = None
    assert source.get().value == "token-number-1"
    hang.set()
    leader.join(5)
    # Which of the two the service issued first is not known: what is in use stays.
    assert source.get().value == "token-number-1"
    assert source.store.load("k").value == "token-number-1"


def test_who_comes_upon_a_hung_fetch_tries_for_itself(clock, endpoint):
    source, leader, hang = hung_fetch(clock, endpoint, refresh_timeout=0.2)
    clock.advance(0.3)
    endpoint.hang = None
    assert source.get().value == "token-number-1"
    hang.set()
    leader.join(5)


def test_a_waiter_obeys_its_own_deadline(clock, endpoint):
    source, leader, _ = hung_fetch(clock, endpoint)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.1 s"):
        source.get(deadline=Deadline.after(0.1, clock))
    endpoint.hang.set()
    leader.join(5)


def test_a_leader_in_a_hurry_fails_alone(clock):
    calls = []

    def fetch(deadline):
        calls.append(deadline.seconds)
        if deadline.seconds < 10:
            started.set()
            assert waiting.wait(5)
            clock.advance(deadline.seconds)
            raise DeadlineExceeded("too late")
        return Token("the-long-awaited")

    started, waiting = threading.Event(), threading.Event()
    source = TokenSource(fetch, key="k", clock=clock)
    hurried = []

    def hurry():
        with pytest.raises(DeadlineExceeded):
            source.get(deadline=Deadline.after(1, clock))
        hurried.append(True)

    leader = threading.Thread(target=hurry)
    leader.start()
    assert started.wait(5)
    threading.Timer(0.1, waiting.set).start()
    assert {token.value for token in together(4, source.get)} == {"the-long-awaited"}
    leader.join(5)
    assert hurried
    assert calls == [1, 30]


def test_an_interrupt_of_the_leader_is_not_the_waiters(clock, endpoint):
    def fetch(deadline):
        if first.acquire(blocking=False):
            started.set()
            assert go.wait(5)
            raise KeyboardInterrupt
        return endpoint(deadline)

    first, started, go = threading.Lock(), threading.Event(), threading.Event()
    source = TokenSource(fetch, key="k", clock=clock)
    interrupted = []

    def lead():
        with pytest.raises(KeyboardInterrupt):
            source.get()
        interrupted.append(True)

    leader = threading.Thread(target=lead)
    leader.start()
    assert started.wait(5)
    threading.Timer(0.1, go.set).start()
    assert {token.value for token in together(4, source.get)} == {"token-number-1"}
    leader.join(5)
    assert interrupted


def test_an_ended_deadline_does_not_matter_while_the_token_is_good(source, clock):
    token = source.get()
    assert source.get(deadline=Deadline.after(-1, clock)) is token


def test_forget_drops_the_token_here_and_in_the_store(clock, endpoint):
    store = MemoryTokenStore()
    source = TokenSource(endpoint, key="k", store=store, clock=clock)
    source.get()
    source.forget()
    assert source.current is None
    assert store.load("k") is None
    assert source.get().value == "token-number-2"


def test_a_renewal_under_way_while_forgetting_is_not_kept(clock, endpoint):
    endpoint.hang = threading.Event()
    store = MemoryTokenStore()
    source = TokenSource(endpoint, key="k", store=store, clock=clock)
    leader = threading.Thread(target=source.get)
    leader.start()
    until(lambda: endpoint.calls == 1)
    source.forget()
    endpoint.hang.set()
    leader.join(5)
    assert source.current is None
    assert store.load("k") is None


def test_a_token_that_is_being_kept_while_forgetting_is_not(clock, endpoint):
    class Store(MemoryTokenStore):
        def save(self, key, token, seen=...):
            source.forget()  # by another thread, once it has been decided that the token is kept
            super().save(key, token, seen)

    source = TokenSource(endpoint, key="k", store=Store(), clock=clock)
    source.get()
    assert source.current is None
    assert source.store.load("k") is None


def test_a_renewal_given_up_as_hung_before_forgetting_is_not_kept(clock, endpoint):
    source, leader, _ = hung_fetch(clock, endpoint, refresh_timeout=0.2)
    with pytest.raises(DeadlineExceeded):
        source.get()
    source.forget()
    endpoint.hang.set()
    leader.join(5)
    assert source.current is None
    assert source.store.load("k") is None


def test_a_token_that_is_read_while_forgetting_is_not_held(clock, endpoint):
    class Store(MemoryTokenStore):
        def remove(self, key):
            source.get()  # by another thread, which finds the token there still
            super().remove(key)

    source = TokenSource(endpoint, key="k", store=Store(), clock=clock)
    source.get()
    source.forget()
    assert source.current is None
    assert source.store.load("k") is None
    assert endpoint.calls == 1


def test_callbacks_hear_of_each_fetch_and_may_fail(clock, endpoint, caplog):
    heard = []

    def on_renewed(token):
        heard.append(token.value)
        raise RuntimeError("a listener's own mistake")

    store = MemoryTokenStore()
    source = TokenSource(endpoint, key="k", store=store, clock=clock, on_renewed=on_renewed)
    source.get(refused=source.get())
    assert heard == ["token-number-1", "token-number-2"]
    adopted = TokenSource(endpoint, key="k", store=store, clock=clock, on_renewed=heard.append)
    adopted.get()
    assert len(heard) == 2
    assert "a callback of a TokenSource failed" in caplog.text


def test_fetch_finds_the_refresh_token_of_the_token_it_replaces(clock):
    def fetch(deadline):
        number = 0 if source.previous is None else source.previous.extra["refresh_token"]
        spent.append(number)
        return Token(f"token-number-{number}", clock.time() + 60, extra={"refresh_token": number + 1})

    spent = []
    source = TokenSource(fetch, key="k", clock=clock)
    for _ in range(3):
        together(8, source.get)
        clock.advance(60)
    assert spent == [0, 1, 2]


def test_fetch_finds_the_latest_refresh_token_though_the_store_could_not_keep_it(clock):
    class Full(MemoryTokenStore):
        def save(self, key, token, seen=...):
            if self.load(key) is None:  # there is room for the first only
                super().save(key, token, seen)

    def fetch(deadline):
        spent.append(0 if source.previous is None else source.previous.extra["refresh_token"])
        return Token(f"token-number-{spent[-1]}", clock.time() + 60, extra={"refresh_token": spent[-1] + 1})

    spent = []
    source = TokenSource(fetch, key="k", store=Full(), clock=clock)
    for _ in range(4):
        source.get()
        clock.advance(60)
    assert spent == [0, 1, 2, 3]


def test_what_is_no_token_is_refused(clock):
    with pytest.raises(TypeError, match="must return a Token, not str"):
        TokenSource(lambda _: "text", key="k", clock=clock).get()


@pytest.mark.parametrize("wrong", [{"refresh_timeout": 0}, {"advisory": -1}, {"mandatory": -1}])
def test_times_that_make_no_sense_are_refused(wrong, endpoint):
    with pytest.raises(ConfigurationError):
        TokenSource(endpoint, key="k", **wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_wait_for_its_parents_threads(clock, endpoint):
    source, leader, _ = hung_fetch(clock, endpoint)
    pid = os.fork()
    if pid == 0:
        endpoint.hang = None
        os._exit(0 if source.get(deadline=Deadline.after(5)).value == "token-number-1" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    endpoint.hang.set()
    leader.join(5)


def test_a_good_token_is_returned_without_a_lock(source):
    class Refusing:
        def __enter__(self):
            pytest.fail("the lock was taken")

        def __exit__(self, *args):
            """Never reached."""

    token = source.get()
    source._lock = Refusing()
    assert source.get() is token


def test_nothing_of_a_source_shows_its_token(source):
    source.get()
    assert "token-number" not in repr(source)
    assert "token-number" not in repr(vars(source))
