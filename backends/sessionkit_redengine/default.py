"""The default session: there is always one, made when first needed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit_redengine.engine import Session

_lock = threading.Lock()
_session: Session | None = None


def get() -> Session:
    """The session that objects go to which name none. One that was closed is replaced by a new one."""
    global _session  # noqa: PLW0603 - this module is the default session
    session = _session
    if session is None or session.closed:
        from sessionkit_redengine.engine import Session  # noqa: PLC0415 - tasks need this module first

        with _lock:
            session = _session
            if session is None or session.closed:
                session = _session = Session.detached()
    return session


def put(session: Session) -> None:
    """Make `session` the default one, in every thread and wherever the proxy was imported."""
    global _session  # noqa: PLW0603 - this module is the default session
    _session = session


def actual(session: Any) -> Session:
    """The session that objects go to: the given one, and the default one for None and for its proxy.

    What was made for the default session stays with it when another one becomes the default.
    """
    return get() if session is None or isinstance(session, DefaultSession) else session


class DefaultSession:
    """Stands for whichever session is the default one: `from sessionkit_redengine import session`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(get(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(get(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(get(), name)

    def __getitem__(self, task: Any) -> Any:
        return get()[task]

    def __contains__(self, task: Any) -> bool:
        return task in get()

    def __eq__(self, other: object) -> bool:
        return other is self or other is get()

    def __hash__(self) -> int:
        return hash(DefaultSession)

    def __dir__(self) -> list[str]:
        return dir(get())

    def __repr__(self) -> str:
        return repr(get())
