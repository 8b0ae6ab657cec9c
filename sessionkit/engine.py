"""`SessionEngine`: prepare, send, process, and the one loop that runs them.

A backend says how a call becomes a request (`prepare`), how it is asked (`send`) and what the answer means
(`process`). `execute` is the only place where calls are signed, repeated, renewed and given up.
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from sessionkit import fork, reaper, registry
from sessionkit.checks import number, seconds
from sessionkit.clock import SYSTEM_CLOCK, Clock, Deadline
from sessionkit.errors import AuthenticationError, CallTimeout, RequestError, SessionClosed
from sessionkit.outcome import Again, Attempt, Done, Exchange, Failed, Identity, Outcome, Renew
from sessionkit.registry import Singleton

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from sessionkit.cache import Cache
    from sessionkit.events import EventHub
    from sessionkit.registry import Entry

log = logging.getLogger(__name__)

MAX_RENEWALS: Final = 2
"""How often one call may find its credential refused: once stale, once revoked while on its way."""


class Tried(NamedTuple):
    """One sending of a request.

    Attributes:
        started: When, in seconds since the epoch.
        begun: The same by the monotonic clock.
        signed: What was sent.
        response: What came, or None.
        outcome: What to do about it.
    """

    started: float
    begun: float
    signed: Any
    response: Any
    outcome: Outcome


class _Family:
    """What a session and its siblings have in common besides the attributes they copy.

    Attributes:
        closed: Whether the session they come from has been closed.
        parts: The cache, the hub and whatever else a backend shares, each made when first asked for.
        lock: Held while one is made.
    """

    __slots__ = ("closed", "lock", "parts")

    def __init__(self) -> None:
        self.closed = False
        self.parts: dict[str, Any] = {}
        self.lock = threading.RLock()


class SessionEngine(metaclass=Singleton):
    """The abstract session.

    A subclass names its kind (`__metakey__`) and implements `prepare`, `send` and `process`:

        class Echo(SessionEngine):
            __metakey__ = "echo"
            def prepare(self, call): return call
            def send(self, request, deadline): return request
            def process(self, response, call): return Done(response)

        with Echo() as session:
            session.execute("hello")

    Args:
        timeout: Seconds that a call may take as a whole, waiting and repeating included.
        cache: The session's cache; None makes a `MemoryCache` when first used.
        event_hub_factory: Makes the session's hub from the session; None makes a hub of this process.
        clock: Time, for tests.
    """

    __metakey__: ClassVar[str]

    # Until the constructor of this class has run there is nothing to close.
    closed: bool = True
    arguments: Any = None
    borrowed: bool = False

    def __init__(
        self,
        *,
        timeout: float = 60.0,
        cache: Cache | None = None,
        event_hub_factory: Callable[[Any], EventHub] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.timeout = seconds("timeout", timeout)
        self.clock = clock
        self.profile_name: str | None = None
        self._family = _Family()
        self._hub_factory = event_hub_factory
        if cache is not None:
            self._family.parts["cache"] = cache
        self._is_sibling = False
        # The registry's entries of the open `with` blocks on this session (a detached one's never show), and
        # whether leaving the last of them closes it.
        self._blocks: list[Entry] = []
        self._closed_by_block = False
        self.inherited = False
        self.reset_own_state()
        self.closed = False
        self._opened = False
        fork.aware(self)

    # --- what a backend says ---

    @abstractmethod
    def prepare(self, call: Any) -> Any:
        """What to ask for `call`. No input or output happens here."""

    @abstractmethod
    def send(self, request: Any, deadline: Deadline) -> Any:
        """Ask, within `deadline`. The only step with input and output.

        Raises:
            RequestError: when there is no answer; `recover` decides what follows.
        """

    @abstractmethod
    def process(self, response: Any, call: Any) -> Outcome:
        """What the answer means. No input or output happens here."""

    def sign(self, request: Any, deadline: Deadline) -> Any:  # noqa: ARG002
        """The request with this session's credential; called before every attempt."""
        return request

    def renew(self, request: Any, deadline: Deadline) -> None:  # noqa: ARG002
        """Replace the credential that `request` was signed with and that was refused.

        Raises:
            AuthenticationError: when there is nothing to renew.
        """
        raise AuthenticationError(f"{type(self).__name__} was refused and has no credential to renew")

    def recover(
        self,
        error: RequestError,
        call: Any,  # noqa: ARG002
        request: Any,  # noqa: ARG002
        attempts: Sequence[Attempt],  # noqa: ARG002
    ) -> Outcome:
        """What follows an attempt that got no answer, after the earlier `attempts`; by default the error."""
        return Failed(error)

    def received(self, response: Any, attempts: list[Attempt]) -> None:
        """Called with every response before it is processed, and the attempts that came before it."""

    def sign_out(self) -> None:
        """Give the credential back, where the service keeps one; called by `close`, must end by itself."""

    def on_close(self) -> None:
        """Drop connections; must end by itself."""

    @property
    def owns_credential(self) -> bool:
        """Whether closing this session signs out: not for a sibling, nor in a forked child."""
        return not self._is_sibling and not self.inherited

    def reset_own_state(self) -> None:
        """Make anew what no other session, thread or process may share: connections, locks, history.

        Called by the constructor, for a sibling, and in a forked child, where it must neither wait nor
        take a lock nor say anything on the wire.
        """
        self._ending = threading.Lock()
        self._closer: int | None = None

    @property
    def identity(self) -> Identity:
        """Whose session this is."""
        return Identity(self.__metakey__, "", "")

    # --- calls ---

    def execute(self, call: Any, *, timeout: float | None = None) -> Any:
        """Make `call` and return its result.

        Args:
            call: What this kind of session takes.
            timeout: Seconds for the whole call instead of the session's `timeout`.

        Raises:
            SessionClosed: the session was closed.
            RequestError: what went wrong, with every attempt.
        """
        return self.perform(call, timeout=timeout).result

    def perform(self, call: Any, *, timeout: float | None = None) -> Exchange:
        """Like `execute`, returning the response and the attempts besides the result."""
        self.check_open()
        deadline = self.deadline(timeout)
        return self.carry_out(call, self.prepare(call), deadline)

    def deadline(self, timeout: float | None = None) -> Deadline:
        """When a call that begins now must have ended: after `timeout` seconds, or the session's."""
        return Deadline.after(self.timeout if timeout is None else number("timeout", timeout), self.clock)

    def carry_out(self, call: Any, request: Any, deadline: Deadline, tried: Tried | None = None) -> Exchange:
        """Repeat `request` until `call` has its result; `tried` is the first attempt, if it was made before.

        Raises:
            RequestError: see `execute`.
        """
        attempts: list[Attempt] = []
        try:
            return self._loop(call, request, deadline, attempts, tried)
        except RequestError as error:
            error.attempts = error.attempts or tuple(attempts)
            error.sent = error.sent or any(attempt.in_doubt for attempt in attempts)
            raise

    def _loop(
        self, call: Any, request: Any, deadline: Deadline, attempts: list[Attempt], tried: Tried | None
    ) -> Exchange:
        renewals = 0
        while True:
            started, begun, signed, response, outcome = tried or self._attempt(
                call, request, deadline, attempts
            )
            tried = None
            number, elapsed = len(attempts) + 1, self.clock.monotonic() - begun
            in_time = outcome.delay < deadline.remaining()
            status = getattr(response, "status", None)
            waited = outcome.delay if in_time else 0.0
            sent = response is not None or getattr(outcome.error, "sent", True)
            attempts.append(Attempt(number, started, elapsed, status, outcome.reason, waited, sent))

            if isinstance(outcome, Done):
                return Exchange(outcome.value, response, attempts)
            if isinstance(outcome, Renew) and renewals < MAX_RENEWALS:
                renewals += 1
                self.renew(signed, deadline)
                continue
            if not isinstance(outcome, Again) or not in_time:
                try:
                    raise outcome.error or _out_of_time(call, deadline, outcome.reason)
                finally:
                    del outcome  # or the error would hold this frame, and the frame the error and the session
            self.on_again(outcome, call)
            if waited > 0:
                self.clock.sleep(waited)
            self.check_open()  # somebody may have closed it meanwhile: nothing may sign in again
            request = request if outcome.request is None else outcome.request

    def _attempt(self, call: Any, request: Any, deadline: Deadline, attempts: list[Attempt]) -> Tried:
        """One sending."""
        started, begun = self.clock.time(), self.clock.monotonic()
        signed = self.sign(request, deadline)  # whose own calls are tried again by themselves
        try:
            response = self.send(signed, deadline)
        except RequestError as error:
            return Tried(started, begun, signed, None, self.recover(error, call, signed, attempts))
        self.received(response, attempts)
        return Tried(started, begun, signed, response, self.process(response, call))

    def on_again(self, again: Again, call: Any) -> None:
        """Called before each wait, for progress and events."""

    # --- who and where ---

    @classmethod
    def current(cls) -> Self:
        """The current session of this kind.

        Raises:
            NoCurrentSession: when there is none in this thread and task.
        """
        raise NotImplementedError  # replaced for every class by its metaclass

    @classmethod
    def get_session(cls) -> Self | None:
        """The current session of this kind, or None."""
        raise NotImplementedError  # replaced for every class by its metaclass

    @classmethod
    def new_session(cls, *args: Any, **kwargs: Any) -> Self:
        """Close the current session and open another one in its place."""
        cls.close_session()
        session: Self = registry.open_current(cls, args, kwargs)
        return session

    @classmethod
    def close_session(cls) -> None:
        """Close the current session, if there is one; the one before it is current again."""
        session = cls.get_session()
        if session is not None:
            session.close()

    @classmethod
    def detached(cls, *args: Any, **kwargs: Any) -> Self:
        """A session that is nobody's current one, and never given to anyone else."""
        session: Self = registry.construct(cls, args, kwargs)
        session._detached = True
        return session

    _detached = False

    def sibling(self) -> Self:
        """A session of the same identity, token, cache and hub for another thread.

        It has connections, history and a unit of work of its own. Closing it signs nobody out; closing
        the session it came from ends it too.
        """
        self.check_open()
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.borrowed = False
        twin._is_sibling = True
        twin._detached = True
        twin._blocks = []
        twin.reset_own_state()
        fork.aware(twin)
        registry.track(twin)
        twin.announce_opened()
        return twin

    @contextmanager
    def activate(self) -> Iterator[Self]:
        """Make this session current inside a block, without closing it afterwards."""
        self.check_open()
        slot = type(self)._slot  # noqa: SLF001 - the registry's
        entry = slot.enter(self)
        try:
            yield self
        finally:
            slot.leave(entry)

    def __enter__(self) -> Self:
        self.check_open()
        if not self._blocks:
            self._closed_by_block = not self.borrowed
        self.borrowed = False
        slot = type(self)._slot  # noqa: SLF001 - the registry's
        if self._detached:
            self._blocks.append(registry.Entry(self, None, None, None))
        else:
            if self._closed_by_block:
                slot.drop(self)
            self._blocks.append(slot.enter(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        slot = type(self)._slot  # noqa: SLF001 - the registry's
        entry = slot.mine(self._blocks)
        self._blocks.remove(entry)
        slot.leave(entry)
        if not self._blocks and self._closed_by_block:
            self.close()

    # --- life and death ---

    def check_open(self) -> None:
        """Raise `SessionClosed` unless calls can be made."""
        if self.closed or (self._family.closed and self._closer != threading.get_ident()):
            raise SessionClosed(
                f"this {type(self).__name__} is closed",
                hint="open another one; a closed session stays closed",
            )

    def close(self) -> None:
        """End the session: sign out, drop its connections, let the one before it be current again.

        May be called from any thread and any number of times; calls are refused from now on. What goes
        wrong while signing out is logged, not raised: there is nothing left to do about it.
        """
        # Taken for good by whoever is first: a signal's handler or a finaliser may close it again in here.
        if not self._ending.acquire(blocking=False):
            return
        if not self._detached:
            type(self)._slot.drop(self)  # noqa: SLF001 - the registry's
        if not self._is_sibling:
            # Nobody else may sign in again while this thread signs out.
            self._closer, self._family.closed = threading.get_ident(), True
        try:
            if self.owns_credential:
                self._quietly(self.sign_out)
        finally:  # also when that is interrupted
            self.closed, self._closer = True, None
            self._let_go()

    def _let_go(self) -> None:
        hub: EventHub | None = self._family.parts.get("hub")
        with ExitStack() as steps:  # from the last to the first; none is left out when one is interrupted
            if hub is not None and not self._is_sibling and not self.inherited:
                steps.callback(self._quietly, hub.close)
            if hub is not None and self._opened:
                steps.callback(self._quietly, lambda: self._announce("sessionkit.session.closed"))
            steps.callback(self._quietly, self.on_close)

    def _quietly(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - see close
            log.warning("%s did not close cleanly: %s", type(self).__name__, error)

    def __del__(self) -> None:
        # A session dropped without `close` (its thread ended): nothing may block here.
        if not self.closed:
            reaper.adopt(self)

    def after_fork_in_child(self) -> None:
        """The child keeps the identity and the token, and none of the sockets and locks."""
        self.inherited = True
        self._family.lock = threading.RLock()
        self.reset_own_state()

    def __reduce__(self) -> Any:
        if self.profile_name is None:
            raise TypeError(
                f"a {type(self).__name__} holds secrets and connections and is not pickled: "
                "open it by sessionkit.connect('profile'), which pickles as the profile's name, "
                "or open a session of its own in the other process"
            )
        from sessionkit.connecting import connect  # noqa: PLC0415 - it imports configuration, which few need

        return connect, (self.profile_name,)

    def __repr__(self) -> str:
        identity = self.identity
        whose = f" {identity.principal}" if identity.principal else ""
        where = f" at {identity.base_url}" if identity.base_url else ""
        return f"<{type(self).__name__}{whose}{where}{' (closed)' if self.closed else ''}>"

    # --- shared by all backends ---

    def shared(self, name: str, make: Callable[[], Any]) -> Any:
        """The part called `name` of this session and its siblings, made by the first that asks."""
        parts = self._family.parts
        if name not in parts:
            with self._family.lock:
                if name not in parts:
                    parts[name] = make()
        return parts[name]

    @property
    def event_hub(self) -> EventHub:
        """The hub of this session and its siblings, made on first use."""
        hub: EventHub = self.shared("hub", self._make_hub)
        return hub

    @property
    def cache(self) -> Cache:
        """The cache of this session and its siblings, made on first use."""
        cache: Cache = self.shared("cache", _memory_cache)
        return cache

    @property
    def _hub(self) -> EventHub | None:
        # A hub that somebody chose hears from the start; the usual one is made when somebody listens.
        hub: EventHub | None = self._family.parts.get("hub")
        return self.event_hub if hub is None and self._hub_factory is not None else hub

    def _make_hub(self) -> EventHub:
        return self._hub_factory(self) if self._hub_factory is not None else _local_hub()

    def announce_opened(self) -> None:
        """Say on the hub that the session is there; only a hub that was chosen for it can have listeners."""
        self._opened = True
        self._announce("sessionkit.session.opened")

    def _announce(self, topic: str, **data: Any) -> None:
        """Emit a framework event, if anybody has subscribed to this session's hub."""
        hub = self._hub
        if hub is not None and hub.enabled:
            hub.emit(topic, {"session": repr(self), "at": self.clock.time(), **data})


def _out_of_time(call: Any, deadline: Deadline, reason: str) -> CallTimeout:
    return CallTimeout(
        f"{call} did not end within {deadline.seconds:g} s: {reason or 'still waiting'}",
        hint="give the call more time with timeout=, or the session with its own timeout",
    )


# Imported when first used: most sessions need neither.


def _local_hub() -> EventHub:
    from sessionkit.events import EventHub  # noqa: PLC0415 - see above

    return EventHub()


def _memory_cache() -> Cache:
    from sessionkit.cache import MemoryCache  # noqa: PLC0415 - see above

    return MemoryCache()
