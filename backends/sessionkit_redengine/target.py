"""What `sessionkit tasks` is about: an application, the history of a scheduler, or both."""

from __future__ import annotations

import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError, SessionKitError
from sessionkit_redengine import doorbell
from sessionkit_redengine.app import RedEngine
from sessionkit_redengine.default import DefaultSession
from sessionkit_redengine.engine import Session
from sessionkit_redengine.errors import TaskNotFound
from sessionkit_redengine.history import Query, open_database
from sessionkit_redengine.history.database import DatabaseHistory

if TYPE_CHECKING:
    from types import ModuleType

    from sessionkit_redengine.history import History, RunRecord


class Target:
    """What the command is about: an application, a history, or both."""

    def __init__(self, app: str | None, where: str | None, name: str | None) -> None:
        self.session = load(app) if app else None
        if where is None and self.session is None:
            raise ConfigurationError(
                "Which tasks are meant?",
                hint="name the application (--app jobs:app) or the history (--history FILE)",
            )
        if where is not None and "://" not in where and not Path(where).is_file():
            raise ConfigurationError(
                f"There is no history {where}.", hint="a scheduler makes it when it starts"
            )
        self.where = where
        self.history: History = open_database(where) if where else self.session.history  # type: ignore[union-attr]  # one of them is there
        self.name = name or (self.session.name if self.session else self._only_session())

    def _only_session(self) -> str:
        names = self.shared().sessions()
        if len(names) == 1:
            return names[0]
        self.close()
        raise ConfigurationError(
            f"This history has {len(names)} sessions.",
            hint=f"choose one with --session: {', '.join(names) or 'none'}",
        )

    def shared(self) -> DatabaseHistory:
        """The history, as others can see it."""
        if isinstance(self.history, DatabaseHistory):
            return self.history
        raise ConfigurationError(
            "A history in memory is seen by its own process only.",
            hint='give the session one: history="runs.db"',
        )

    def runs(self, names: tuple[str, ...], limit: int | None) -> list[RunRecord]:
        """The latest runs of some tasks, or of all."""
        return list(self.history.runs(self.name, Query(names or None, limit=limit)))

    def check(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names, if there are such tasks: in the application, or in the history if that is all we have.

        Raises:
            TaskNotFound: when there is none of a name.
        """
        ours = self.session
        known = [task.name for task in ours.tasks] if ours is not None else [*self.history.states(self.name)]
        for name in names:
            if name not in known:
                shown = ", ".join(map(repr, known[:8])) or "none at all"
                raise TaskNotFound(f"There is no task {name!r}.", hint=f"there are {shown}")
        return names

    def close(self) -> None:
        """Let go of the history and the session."""
        self.history.close()
        if self.session is not None:
            self.session.history.close()

    def order(self, names: tuple[str, ...], wish: str) -> int:
        """Leave a wish for the schedulers, and wake them; how many there are on this machine."""
        if self.session is not None:  # a history alone does not know what was never run
            self.check(names)
        for name in names:
            self.shared().order(self.name, name, wish, time.time())
        return doorbell.ring(self.where or self.shared().where)


def load(reference: str) -> Session:
    """The session that `module:name` or `file.py:name` refers to; the name may be an application's.

    Raises:
        ConfigurationError: when there is none, and when the module cannot be imported.
    """
    module_name, _, attribute = reference.partition(":")
    module = _imported(module_name)
    for name in [attribute] if attribute else ["app", "session"]:
        found = getattr(module, name, None)
        if isinstance(found, RedEngine):
            return found.session
        if isinstance(found, Session):
            return found
        if isinstance(found, DefaultSession):
            session: Session = found.sibling()
            return session
    raise ConfigurationError(
        f"{reference} has no session.", hint="name it as module:name, for example --app jobs:app"
    )


def _imported(name: str) -> ModuleType:
    """The module of this name or file. Whatever it raises is one error, that says where."""
    folder = ""
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise ConfigurationError(f"There is no file {name}.")
        folder, name = str(path.parent), path.stem
    sys.path.insert(0, folder)
    try:
        return import_module(name)
    except SessionKitError:
        raise  # it says what was wrong by itself
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module is anybody's code
        message = f"{name or 'Nothing'} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigurationError(message, hint=_place(error)) from None


def _place(error: BaseException) -> str:
    """Where in the user's code an error is from."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if len(frames) > 1 else ""
