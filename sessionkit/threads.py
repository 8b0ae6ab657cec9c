"""Workers that inherit sessions.

Neither threads nor thread pools see who is signed in where they were started. Here a worker finds a sibling
of each of the submitter's current sessions: same identity, token, cache and hub, and connections and a unit
of work of its own.
"""

from __future__ import annotations

import concurrent.futures
import functools
import threading
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from sessionkit.registry import current_sessions, forget_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import ParamSpec

    from sessionkit.engine import SessionEngine

    P = ParamSpec("P")

R = TypeVar("R")


class _Here(threading.local):
    """This thread, and its siblings by the session they came from; all end with the thread.

    `thread` is not its `Thread`: one that `threading` did not start has that of an earlier one of its ident.
    """

    def __init__(self) -> None:
        self.thread = object()
        self.siblings: weakref.WeakKeyDictionary[SessionEngine, SessionEngine] = weakref.WeakKeyDictionary()


_here = _Here()


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, to be run elsewhere with siblings of the sessions that are current here and now.

    >>> threading.Thread(target=sessionkit.propagate(upload), args=(path,)).start()

    Inside, the current session of each kind is this worker's sibling of the caller's; afterwards the
    worker's own sessions are current again. In the caller's own thread the caller's sessions are used.
    """
    submitted = current_sessions()
    home = _here.thread

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with ExitStack() as stack:
            for session in submitted:
                mine = session if _here.thread is home else _sibling(session)
                stack.enter_context(mine.activate())
            return function(*args, **kwargs)

    return run


def _sibling(session: SessionEngine) -> SessionEngine:
    mine = _here.siblings.get(session)
    if mine is None or mine.closed:
        mine = _here.siblings[session] = session.sibling()
    return mine


class ThreadPoolExecutor(concurrent.futures.ThreadPoolExecutor):
    """A pool whose tasks see siblings of the sessions that were current where they were submitted.

    >>> with DynectSession(...), sessionkit.ThreadPoolExecutor(8) as pool:
    ...     list(pool.map(add_record, names))

    A task never sees what an earlier task of its worker left behind.
    """

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[R]:
        """See `concurrent.futures.Executor.submit`."""
        return super().submit(_isolated(propagate(fn)), *args, **kwargs)


def _isolated(function: Callable[..., R]) -> Callable[..., R]:
    """`function`, after which the worker's own sessions are as they were before."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> R:
        try:
            return function(*args, **kwargs)
        finally:
            forget_thread()

    return run
