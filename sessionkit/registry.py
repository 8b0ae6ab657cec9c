"""Who is signed in here and now.

Every kind of session (one `__metakey__`) has a `Slot`. A slot knows two places to look, in this order:

* the context: sessions entered by `with`, seen by this thread and this asyncio task;
* the thread: sessions made by a plain call, the latest on top, dropped when the thread ends.

Nothing is keyed by thread identifiers, which are used again for other threads, and nothing here keeps a
finished thread's session alive.
"""

from __future__ import annotations

import atexit
import contextvars
import hashlib
import inspect
import os
import threading
import weakref
from abc import ABCMeta
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sessionkit import reaper
from sessionkit.errors import NoCurrentSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit.engine import SessionEngine

    S = TypeVar("S", bound=SessionEngine)

_HASH_KEY = os.urandom(16)


class Entry:
    """One session in one context, with what was current before it below it.

    `block` is None for a session entered by `with`; a session made by a plain call inside a block belongs
    to that block, and is current no longer than it. `session` is None once the block has been left: a
    context that was copied inside it may live much longer, and must keep no session alive.
    """

    __slots__ = ("__weakref__", "_made", "below", "block", "session", "thread")

    def __init__(
        self, session: SessionEngine | None, thread: object, below: Entry | None, block: Entry | None
    ) -> None:
        self.session = session
        self.thread = thread
        self.below = below
        self.block = block
        self._made: weakref.WeakSet[Entry] | None = None

    def keep(self, made: Entry) -> None:
        """Have `made` say nothing any more when this block is left."""
        if self._made is None:
            self._made = weakref.WeakSet()
        self._made.add(made)

    def leave(self) -> None:
        """Say nothing any more, and nor does what was made in this block."""
        for entry in (self, *(self._made or ())):
            entry.session = None


class _ThreadView(threading.local):
    """What one thread has of one slot. Each thread finds its own, made on first use.

    `session` is the current session where that can be said without asking the context: the latest of its
    own, unless a `with` block is open somewhere in this thread.
    """

    def __init__(self) -> None:
        self.marker = object()
        self.own: list[SessionEngine] = []
        self.blocks = 0
        self.session: SessionEngine | None = None

    def settle(self, own: list[SessionEngine], blocks: int) -> None:
        self.own, self.blocks = own, blocks
        self.session = own[-1] if own and not blocks else None


class Slot:
    """The current sessions of one kind, in every thread and context."""

    def __init__(self, metakey: str) -> None:
        self.metakey = metakey
        self.view = _ThreadView()
        self.context: contextvars.ContextVar[Entry | None] = contextvars.ContextVar(metakey, default=None)

    def visible(self) -> Iterator[SessionEngine]:
        """The open sessions that can be seen from here, the current one first."""
        entry = self.context.get()
        marker = self.view.marker
        while entry is not None:
            session = entry.session
            # A context may have been copied into another thread, where its sessions do not apply.
            if session is not None and entry.thread is marker and not session.closed:
                yield session
            entry = entry.below
        for session in reversed(self.view.own):
            if not session.closed:
                yield session

    def push(self, session: SessionEngine) -> None:
        """Make `session` the current one: of the innermost `with` block here, else of the thread."""
        block = self._innermost_block()
        if block is not None:
            self._push_in(block, session)
            return
        self.view.settle([*self._others(session), session], self.view.blocks)

    def _push_in(self, block: Entry, session: SessionEngine) -> None:
        top = found = self._top()
        over: list[SessionEngine | None] = [session]
        while found is not None and found.block is block and found.session is not session:
            over.append(found.session)
            found = found.below
        if found is None or found.block is not block:
            over = [session]
        else:
            # It is there already. Contexts that were copied share these entries: none may be taken out.
            top = found.below
        for made in reversed(over):
            top = Entry(made, self.view.marker, top, block)
            block.keep(top)
        self.context.set(top)

    def drop(self, session: SessionEngine) -> None:
        """Take `session` off this thread's own; what was below it is current again."""
        self.view.settle(self._others(session), self.view.blocks)

    def forget_closed(self) -> None:
        """Let go of this thread's own sessions that were closed elsewhere."""
        self.view.settle([session for session in self.view.own if not session.closed], self.view.blocks)

    def clear(self) -> None:
        """Let go of this thread's own sessions, and of the blocks that were left open in it."""
        view = self.view
        view.marker = object()  # as in a new thread: nothing that was entered before applies here
        view.settle([], 0)
        self.context.set(None)

    def enter(self, session: SessionEngine) -> Entry:
        """Make `session` current in this context until `leave`."""
        view = self.view
        entry = Entry(session, view.marker, self._top(), None)
        self.context.set(entry)
        view.settle(view.own, view.blocks + 1)
        return entry

    def mine(self, entries: list[Entry]) -> Entry:
        """Which of the `entries` of one session was entered here; the latest when none was."""
        entry = self.context.get()
        while entry is not None and entry not in entries:
            entry = entry.below
        return entry or entries[-1]

    def leave(self, entry: Entry) -> None:
        """Undo `enter`, also out of order (a generator closed late) or from another context."""
        entry.leave()
        self.context.set(self._top())
        view = self.view
        if entry.thread is view.marker:  # left in another thread: its own goes on asking the context
            view.settle(view.own, view.blocks - 1)

    def _top(self) -> Entry | None:
        """The innermost entry that still says something; those below it that do not are taken out."""
        top = over = _speaking(self.context.get())
        while over is not None:
            over.below = below = _speaking(over.below)
            over = below
        return top

    def _others(self, session: SessionEngine) -> list[SessionEngine]:
        return [other for other in self.view.own if other is not session and not other.closed]

    def _innermost_block(self) -> Entry | None:
        entry = self.context.get()
        while entry is not None and not (
            entry.session is not None and entry.block is None and entry.thread is self.view.marker
        ):
            entry = entry.below
        return entry


def _speaking(entry: Entry | None) -> Entry | None:
    """The first entry from here down that is of an open block and no closed session made inside one."""
    while entry is not None:
        session = entry.session
        if session is not None and (entry.block is None or not session.closed):
            break
        entry = entry.below
    return entry


_slots: dict[str, Slot] = {}


def _slot(metakey: str) -> Slot:
    return _slots.setdefault(metakey, Slot(metakey))  # in one step: a lock could be held while another forks


class Singleton(ABCMeta):
    """The metaclass of sessions: calling the class gives the session that is meant here.

    | expression | gives |
    |---|---|
    | `Backend(**args)` when this thread has none | a new session, now this thread's current one |
    | `Backend()` when there is one | the current one |
    | `Backend(**same_args)` | the same object |
    | `Backend(**other_args)` | another session, now current; the earlier one is untouched |

    Classes with one `__metakey__` are one kind of session: a subclass is found where its base is asked
    for, never the other way round.
    """

    _slot: Slot

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> None:
        super().__init__(name, bases, namespace, **options)
        metakey = getattr(cls, "__metakey__", None)
        if metakey is None:
            return
        cls._slot = _slot(metakey)
        # Functions without a class to look through: asking who is current is done for every call.
        cls.get_session, cls.current = _lookups(cls, cls._slot)

    @property
    def __signature__(cls) -> inspect.Signature:
        """The constructor's, for `help()` and prompts: `__call__` below would hide it."""
        constructors: list[Any] = [vars(kind)["__init__"] for kind in cls.__mro__ if "__init__" in vars(kind)]
        # One that only hands through what it is given is no help: then its base's.
        telling = (each for each in map(_signature, constructors) if any(_is_named(each)))
        constructor = next(telling, inspect.Signature())
        parameters = list(constructor.parameters.values())[1:]
        return constructor.replace(parameters=parameters, return_annotation=inspect.Signature.empty)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """The session that is meant here; see the class."""
        if getattr(cls, "__metakey__", None) is None:
            raise TypeError(f"{cls.__name__} needs a __metakey__ that names its kind of session")
        slot = cls._slot
        wanted = None if not args and not kwargs else fingerprint(cls, args, kwargs)
        kind: Any = cls
        visible = list(slot.visible())
        for session in visible:
            same = isinstance(session, kind) if wanted is None else type(session) is kind
            if same and wanted in (None, session.arguments):
                session.borrowed = True
                if session is not visible[0]:
                    slot.push(session)
                return session
        return open_current(cls, args, kwargs)


def _is_named(constructor: inspect.Signature) -> Iterator[bool]:
    for parameter in list(constructor.parameters.values())[1:]:
        yield parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}


def open_current(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A new session of `cls`, which is the current one now."""
    session = construct(cls, args, kwargs)
    cls._slot.push(session)
    return session


def construct(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A session of `cls` that is not current anywhere; one that fails to open leaves nothing open."""
    session = cls.__new__(cls, *args, **kwargs)
    try:
        session.__init__(*args, **kwargs)
        session.arguments = fingerprint(cls, args, kwargs)
        track(session)
        session.announce_opened()
    except BaseException:
        if not session.closed:
            session.close()
        raise
    return session


def _lookups(cls: Any, slot: Slot) -> tuple[Callable[[], Any], Callable[[], Any]]:
    view, context = slot.view, slot.context.get

    def search() -> Any:
        if view.own and view.own[-1].closed:  # by another thread, and nobody else may hold it any more
            slot.forget_closed()
        entry = context()
        if entry is not None and entry.thread is view.marker:
            session: Any = entry.session
            if session.__class__ is cls and not session.closed:
                return session
        return next((session for session in slot.visible() if isinstance(session, cls)), None)

    def get_session() -> Any:
        """The current session of this kind, or None."""
        session: Any = view.session
        if session.__class__ is cls and not session.closed:
            return session
        return search()

    def current() -> Any:
        """The current session of this kind.

        Raises:
            NoCurrentSession: when there is none here; the message shows how to open one.
        """
        session: Any = view.session
        if session.__class__ is cls and not session.closed:
            return session
        session = search()
        if session is None:
            raise NoCurrentSession(_how_to_open(cls))
        return session

    return staticmethod(get_session), staticmethod(current)


def _how_to_open(cls: Any) -> str:
    # What a backend also takes from the environment has a default, and is named by its settings.
    needed = [setting.name for setting in getattr(cls, "settings", ()) if setting.required] or [
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name != "self" and parameter.default is parameter.empty and parameter.kind not in (2, 4)
    ]
    call = f"{cls.__name__}({', '.join(f'{name}=...' for name in needed)})"
    lines = (
        f"no {cls.__name__} is current in this thread or task",
        f"  -> open one: `{call}`, or for a block: `with {call} as session:`",
        "  -> in a worker thread, sessionkit.ThreadPoolExecutor and sessionkit.propagate give one of its own",
    )
    return "\n".join(lines)


def current(backend: type[S]) -> S:
    """The current session of `backend` in this thread and task.

    >>> sessionkit.current(DynectSession).get_zones()

    Raises:
        NoCurrentSession: when there is none; the message shows how to open one.
    """
    return backend.current()


# --- the same arguments? ---


def fingerprint(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a session was made with, comparable, with no readable string in it."""
    try:
        bound = _signature(cls.__init__).bind(None, *args, **kwargs)
    except TypeError:
        return (_digest(args), _digest(kwargs))  # the constructor will say what is wrong
    bound.apply_defaults()
    return tuple((name, _digest(value)) for name, value in list(bound.arguments.items())[1:])


_signatures: dict[Any, inspect.Signature] = {}


def _signature(function: Any) -> inspect.Signature:
    signature = _signatures.get(function)
    if signature is None:
        signature = _signatures[function] = inspect.signature(function)
    return signature


def _digest(value: Any) -> Any:
    if isinstance(value, (str, bytes)):
        raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return type(value), hashlib.blake2b(raw, key=_HASH_KEY).digest()
    if isinstance(value, Mapping):
        return {key: _digest(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_digest(item) for item in value]
    return value


# --- every live session of this process ---

_live: dict[int, weakref.ref[SessionEngine]] = {}


def track(session: SessionEngine) -> None:
    """Have `session` listed by `sessions()` while it lives and is open."""
    key = id(session)
    _live[key] = weakref.ref(session, lambda _: _live.pop(key, None))


def sessions() -> list[SessionEngine]:
    """The open sessions of this process, oldest first, for inspection; keeps none of them alive.

    >>> for session in sessionkit.sessions(): print(session)
    """
    found = (reference() for reference in list(_live.values()))
    return [session for session in found if session is not None and not session.closed]


@atexit.register
def _close_at_exit() -> None:
    reaper.close_all(sessions())


def current_sessions() -> list[SessionEngine]:
    """The current session of every kind, as seen from here."""
    tops = (next(slot.visible(), None) for slot in list(_slots.values()))
    return [session for session in tops if session is not None]


def forget_thread() -> None:
    """Be as a thread that has just begun: its own sessions close if nobody else holds them."""
    for slot in list(_slots.values()):
        slot.clear()
