"""What sessionkit promises of every backend, as tests that a backend's author inherits.

    from sessionkit.testing.conformance import BackendConformance

    class TestWeather(BackendConformance):
        backend = Weather
        service = WeatherService
        secrets = ("WEATHER_KEY",)

        def arguments(self, sandbox, folder):
            env = sandbox.env
            return {"user": env["WEATHER_USER"], "key": env["WEATHER_KEY"], "base_url": env["WEATHER_URL"]}

        def call(self, session):
            return session.forecast("Oslo")

pytest collects the subclass and runs every test against the backend's own server double: who is current in
threads, blocks and forked children; what is said of a secret; what comes of an answer that is HTML, cut
short, empty or none; how often a token is fetched; what is left when a session closes. It is for backends on
`HttpEngine`; one with a reason to differ overrides the one test and says why.
"""

from __future__ import annotations

import copy
import os
import pickle
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest

import sessionkit
from sessionkit.errors import (
    AuthenticationError,
    ConnectionFailed,
    DeadlineExceeded,
    NoCurrentSession,
    RateLimited,
    RequestError,
    SessionClosed,
    SessionKitError,
)
from sessionkit.testing.clock import ManualClock
from sessionkit.testing.tools import SECONDS, disguises, everything_logged, in_threads, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessionkit.http import HttpEngine
    from sessionkit.sandbox import Sandbox, Service

THREADS: Final = 8

#: What goes wrong on the wire, and the errors that may come of it.
FAULTS: Final[tuple[tuple[str, dict[str, Any], tuple[type[Exception], ...]], ...]] = (
    ("html", {"status": 200}, (RequestError,)),
    ("html", {"status": 502}, (RequestError,)),
    ("body", {"body": ""}, (RequestError,)),
    ("body", {"body": '{"cut": [1, 2'}, (RequestError,)),
    ("truncate", {}, (ConnectionFailed,)),
    ("reset", {}, (ConnectionFailed,)),
    ("status", {"status": 500}, (RequestError,)),
    ("status", {"status": 401}, (AuthenticationError,)),
    ("throttle", {"retry_after": "2"}, (RateLimited, DeadlineExceeded)),
)
#: JSON that no service promises: a result may be made of it, an untyped error may not.
ODDITIES: Final = ("null", "true", "7", '"text"', "[]", "[1]", "{}", '{"data": null}', '{"data": [null]}')


def _name(value: Any) -> str:
    if isinstance(value, dict):
        return "-".join(str(each) for each in value.values()) or "plain"
    return value if isinstance(value, str) else ""


class BackendConformance:
    """The promises; subclass it, name it `Test...` and fill in what follows.

    Attributes:
        backend: The session class.
        service: Its server double.
        secrets: The names in the sandbox's `env` whose values nobody may ever read.
        sign_in: The path of the request that fetches a token, a pattern such as "/oauth/token"; None where
            each request is signed by itself.
        sign_out: The path of the request with which a closed session gives its token back, or None.
        sign_out_method: Its method.
        revoke: The service's fault that makes every token worthless, or None where it has none.
        lifetime: Seconds that a token lives, or None where it does not end.
    """

    backend: ClassVar[type[HttpEngine]]
    service: ClassVar[type[Service]]
    secrets: ClassVar[tuple[str, ...]] = ()
    sign_in: ClassVar[str | None] = None
    sign_out: ClassVar[str | None] = None
    sign_out_method: ClassVar[str] = "DELETE"
    revoke: ClassVar[str | None] = None
    lifetime: ClassVar[float | None] = None

    def arguments(self, sandbox: Sandbox, folder: Path) -> dict[str, Any]:
        """The arguments with which a session signs in to `sandbox`; files go into `folder`."""
        raise NotImplementedError

    def call(self, session: Any) -> Any:
        """A call that reads, and that succeeds with the demo data."""
        raise NotImplementedError

    # --- fixtures ---

    @pytest.fixture
    def manual_clock(self) -> ManualClock:
        """A clock that begins now: what is kept in files is dropped by the machine's own."""
        return ManualClock(time.time())

    @pytest.fixture
    def sandbox_options(self, manual_clock: ManualClock) -> dict[str, Any]:
        """The one service, on the clock that tests turn."""
        return {"services": [self.service], "clock": manual_clock}

    @pytest.fixture
    def given(self, sandbox: Sandbox, tmp_path: Path, manual_clock: ManualClock) -> dict[str, Any]:
        """`arguments`, and the clock."""
        return {"clock": manual_clock, **self.arguments(sandbox, tmp_path)}

    @pytest.fixture
    def session(self, given: dict[str, Any]) -> Iterator[Any]:
        """A session that is signed in, as far as it has to be, and nobody's current one."""
        with self.backend.detached(**given) as session:
            self.call(session)
            yield session

    # --- who is signed in here and now ---

    def test_a_thread_has_one_current_session(self, given: dict[str, Any]) -> None:
        """The same arguments give the same session, and closing it leaves none."""
        with pytest.raises(NoCurrentSession):
            self.backend.current()
        session = self.backend(**given)
        try:
            assert self.backend(**given) is session
            assert self.backend.current() is session
            assert sessionkit.current(self.backend) is session
            self.call(session)
        finally:
            session.close()
        assert self.backend.get_session() is None

    def test_a_block_restores_what_was_current(self, given: dict[str, Any]) -> None:
        """Inside `with` the new session is current, afterwards the one before it."""
        with self.backend(**given) as outer:
            with self.backend(**given, history=7) as inner:
                assert inner is not outer
                assert self.backend.current() is inner
            assert inner.closed
            assert self.backend.current() is outer
            self.call(outer)
        assert outer.closed

    def test_a_thread_of_its_own_has_no_session(self, given: dict[str, Any]) -> None:
        """A plain thread does not see who is signed in where it was started."""
        with self.backend(**given):
            assert in_threads(1, self.backend.get_session) == [None]

    def test_a_worker_thread_gets_a_sibling(self, given: dict[str, Any]) -> None:
        """A `ThreadPoolExecutor` gives its workers sessions of the caller's identity."""

        def work(_: int) -> tuple[Any, bool]:
            mine: Any = self.backend.current()
            self.call(mine)
            return mine.identity, mine is session

        with self.backend(**given) as session, sessionkit.ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(work, range(THREADS)))
            self.call(session)
        assert set(seen) == {(session.identity, False)}

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_forked_child_and_its_parent_go_on(self, session: Any, sandbox: Sandbox) -> None:
        """Both call and get their own answers; the child's end signs nobody out."""
        child = os.fork()
        if child == 0:  # no pytest here: whatever happens is said by the status
            status = 1
            with suppress(BaseException):
                for _ in range(3):
                    self.call(session)
                session.close()
                status = 0
            os._exit(status)
        for _ in range(3):
            self.call(session)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        self.call(session)
        assert not self._signed_out(sandbox)

    # --- secrets ---

    def test_a_pickle_carries_no_secret(self, session: Any, sandbox: Sandbox) -> None:
        """A session is pickled as the name of its profile, or not at all."""
        assert not session.profile_name
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(session)
        session.profile_name = "of-a-profile"
        self._check_unsaid(session, sandbox, [pickle.dumps(session, 0).decode("latin-1")])

    def test_nothing_says_a_secret(self, given: dict[str, Any], sandbox: Sandbox) -> None:
        """Neither log, repr, error, traceback, history nor event, whatever goes wrong."""
        with everything_logged() as log, self.backend.detached(**given, history=50) as session:
            heard: list[Any] = []
            session.event_hub.subscribe("topic=*", lambda event: heard.append(copy.copy(event)))
            self.call(session)
            texts = [repr(session), str(session), repr(session.auth), str(vars(session)), str(session.http)]
            texts += map(repr, sessionkit.sessions())
            for kind, options, _ in FAULTS:
                sandbox.fault(kind, service=self.service.name, times=None, **options)
                texts += self._failure(session)
                sandbox.clear()
            texts += [repr(session.history), repr([dict(event) for event in heard])]
            assert heard, "the session's events must have been told"
            self._check_unsaid(session, sandbox, [*texts, log.getvalue()])

    # --- what goes wrong ---

    @pytest.mark.parametrize(("kind", "options", "errors"), FAULTS, ids=_name)
    def test_a_fault_is_a_typed_error(
        self, session: Any, sandbox: Sandbox, kind: str, options: Any, errors: Any
    ) -> None:
        """Whatever comes instead of an answer, and the session works when it is over."""
        sandbox.fault(kind, service=self.service.name, times=None, **options)
        with pytest.raises(errors) as caught:
            self.call(session)
        assert isinstance(caught.value, SessionKitError)
        assert caught.value.message
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own
        sandbox.clear()
        self.call(session)

    @pytest.mark.parametrize("body", ODDITIES)
    def test_odd_json_is_a_typed_error_at_most(self, session: Any, sandbox: Sandbox, body: str) -> None:
        """JSON of another shape is read or refused; no KeyError, TypeError or AttributeError gets out."""
        sandbox.fault("body", service=self.service.name, times=None, body=body)
        with suppress(SessionKitError):
            self.call(session)
        sandbox.clear()
        self.call(session)

    @pytest.mark.parametrize(("kind", "options", "errors"), FAULTS, ids=_name)
    def test_a_fault_of_the_first_call_is_a_typed_error(
        self, given: dict[str, Any], sandbox: Sandbox, kind: str, options: Any, errors: Any
    ) -> None:
        """The same while signing in, and nothing half open is left."""
        sandbox.fault(kind, service=self.service.name, times=None, **options)
        with pytest.raises((*errors, AuthenticationError)), self.backend.detached(**given) as session:
            self.call(session)
        self._check_nothing_open(sandbox)

    def test_it_waits_as_it_is_asked_to(
        self, session: Any, sandbox: Sandbox, manual_clock: ManualClock
    ) -> None:
        """A 429 with Retry-After is waited out."""
        began = manual_clock.monotonic()
        sandbox.fault("throttle", service=self.service.name, retry_after="3")
        self.call(session)
        assert manual_clock.monotonic() - began >= 3

    def test_a_deadline_is_kept(self, given: dict[str, Any], sandbox: Sandbox) -> None:
        """A service that says nothing is given up when the time is over."""
        with self.backend.detached(**given) as session:
            self.call(session)
            sandbox.fault("silent", service=self.service.name, times=None)
            session.timeout = 0.3
            began = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                self.call(session)
            assert time.monotonic() - began < SECONDS
            sandbox.clear()  # or closing would wait for an answer to the sign-out

    # --- tokens ---

    def test_threads_share_one_token(self, given: dict[str, Any], sandbox: Sandbox) -> None:
        """Threads that meet no token cause one sign-in."""
        self._needs("sign_in")
        with self.backend.detached(**given) as session:
            self._callin_threads(session)
        assert len(self._sign_ins(sandbox)) == 1

    def test_threads_renew_a_revoked_token_once(self, session: Any, sandbox: Sandbox) -> None:
        """Threads whose token is refused cause one sign-in, and no call fails."""
        self._needs("sign_in", "revoke")
        sandbox.fault(str(self.revoke), service=self.service.name)
        self._callin_threads(session)
        assert len(self._sign_ins(sandbox)) == 2

    def test_threads_renew_an_expired_token_once(
        self, session: Any, sandbox: Sandbox, manual_clock: ManualClock
    ) -> None:
        """Threads whose token has ended cause one sign-in."""
        self._needs("sign_in", "lifetime")
        manual_clock.advance((self.lifetime or 0) + 1)
        self._callin_threads(session)
        assert len(self._sign_ins(sandbox)) == 2

    # --- the end ---

    def test_a_closed_session_has_signed_out_and_left_no_socket(
        self, given: dict[str, Any], sandbox: Sandbox
    ) -> None:
        """Closing gives the token back once, a sibling's closing does not; later calls are refused."""
        with self.backend.detached(**given) as session:
            self._callin_threads(session)
            with suppress(Exception):  # whatever it answers, a connection was made
                session.http.get("/")
            sibling = session.sibling()
            self.call(sibling)
            sibling.close()
            assert not self._signed_out(sandbox)
            self.call(session)
        assert len(self._signed_out(sandbox)) == (self.sign_out is not None)
        self._check_nothing_open(sandbox)
        for ended in (session, sibling):
            with pytest.raises(SessionClosed):
                self.call(ended)

    # --- helpers ---

    def _needs(self, *attributes: str) -> None:
        missing = [name for name in attributes if getattr(self, name) is None]
        if missing:
            pytest.skip(f"the backend has no {' and no '.join(missing)}")

    def _callin_threads(self, session: Any) -> None:
        in_threads(THREADS, lambda: self.call(session))

    def _sign_ins(self, sandbox: Sandbox) -> list[Any]:
        found = sandbox.requests(service=self.service.name, path=self.sign_in)
        return [each for each in found if each.method == "POST"]

    def _signed_out(self, sandbox: Sandbox) -> list[Any]:
        if self.sign_out is None:
            return []
        found = sandbox.requests(service=self.service.name, path=self.sign_out)
        return [each for each in found if each.method == self.sign_out_method]

    def _failure(self, session: Any) -> list[str]:
        """All that can be read of the error that a call ends with."""
        try:
            self.call(session)
        except Exception as error:  # noqa: BLE001 - its type is another test's business
            return [
                *(str(error), repr(error), repr(vars(error))),
                "".join(traceback.format_exception(type(error), error, error.__traceback__)),
                pickle.dumps(error, 0).decode("latin-1"),
            ]
        return []

    def _check_unsaid(self, session: Any, sandbox: Sandbox, texts: list[str]) -> None:
        source = getattr(session.auth, "source", None)
        token = getattr(source, "current", None)
        known = [sandbox.env[name] for name in self.secrets] + ([token.value] if token else [])
        assert known, "name what is secret in `secrets`"
        for text in texts:
            said = [shape for secret in known for shape in disguises(secret) if shape in text]
            assert not said, f"a secret is readable in: {text}"

    def _check_nothing_open(self, sandbox: Sandbox) -> None:
        left = "a closed session left a connection open"
        wait_until(lambda: not sandbox.connections, SECONDS, otherwise=left)
