"""The application object: tasks, parameters and conditions of one session, by decorators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from sessionkit.errors import ConfigurationError
from sessionkit_redengine import default
from sessionkit_redengine.arguments import FuncArg
from sessionkit_redengine.builders import register_condition
from sessionkit_redengine.engine import Session
from sessionkit_redengine.tasks import CodeTask, CommandTask, FuncTask

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from sessionkit_redengine.conditions.session import FuncCond
    from sessionkit_redengine.history import History

F = TypeVar("F", bound="Callable[..., Any]")


class _Maker:
    """What an application and a group have in common: decorators that collect or make things."""

    @overload
    def task(
        self,
        start_cond: Any = None,
        name: str | None = None,
        *,
        command: None = None,
        path: None = None,
        code: None = None,
        **fields: Any,
    ) -> Callable[[F], F]: ...

    @overload
    def task(
        self,
        start_cond: Any = None,
        name: str | None = None,
        *,
        command: str | Sequence[str] | None = None,
        path: str | os.PathLike[str] | None = None,
        code: str | None = None,
        **fields: Any,
    ) -> Any: ...

    def task(
        self,
        start_cond: Any = None,
        name: str | None = None,
        *,
        command: str | Sequence[str] | None = None,
        path: str | os.PathLike[str] | None = None,
        code: str | None = None,
        **fields: Any,
    ) -> Any:
        """Make a task of a command, a path or code; without any of these, a decorator for a function.

        @app.task("daily after 10:00", execution="thread")
        def report(): ...

        The task of a function has the function's name.
        """
        fields |= {} if start_cond is None else {"start_cond": start_cond}
        kinds = {"command": command, "path": path, "code": code}
        given = {kind: value for kind, value in kinds.items() if value is not None}
        if len(given) > 1:
            raise ConfigurationError(f"A task is made of one thing, not of {' and '.join(given)}.")
        if given:
            return self._make({**given, **fields, **({"name": name} if name else {})})

        def decorate(func: F) -> F:
            self._make({**fields, "func": func, "name": name or getattr(func, "__name__", None)})
            return func

        return decorate

    def _make(self, what: dict[str, Any]) -> Any:
        raise NotImplementedError

    def param(self, name: str) -> Callable[[F], F]:
        """A decorator: the function's result, asked for at each run, is a parameter of the session."""

        def decorate(func: F) -> F:
            self.params(**{name: FuncArg(func)})
            return func

        return decorate

    def params(self, **parameters: Any) -> None:
        """Set parameters of the session."""
        raise NotImplementedError


class RedEngine(_Maker):
    """An application: a session with decorators.

    app = RedEngine(execution="thread", history="runs.db")

    @app.task("every 10 minutes", retries=3)
    def fetch(): ...

    if __name__ == "__main__":
        app.run()

    Args:
        session: The session; None makes one of the other arguments.
        logger_repo: Where runs are recorded: "memory", a file, a URL or a `History`.
        execution: Where tasks run that do not say.
        options: See `Session`.
    """

    def __init__(
        self,
        session: Session | None = None,
        logger_repo: str | os.PathLike[str] | History | None = None,
        execution: Any = None,
        **options: Any,
    ) -> None:
        if execution is not None:
            options["execution"] = execution
        if logger_repo is not None:
            options["history"] = logger_repo
        if session is not None and options:
            raise ConfigurationError(f"The session is made already: {', '.join(options)} would be ignored.")
        self.session = default.actual(session) if session is not None else Session.detached(**options)

    def _make(self, what: dict[str, Any]) -> Any:
        return make_task(self.session, what)

    def params(self, **parameters: Any) -> None:
        """Set parameters of the session."""
        self.session.parameters.update(parameters)

    def cond(self, syntax: Any = None) -> Callable[[Callable[..., Any]], FuncCond]:
        """A decorator: the function is a condition, and `syntax` (text, a pattern, or several) its text."""
        return register_condition(self.session, syntax)

    def include_grouper(self, group: Grouper) -> None:
        """Take in the tasks and parameters of a group."""
        group.settle(self.session)

    def run(self) -> None:
        """Make the session the default one and run its scheduler until it ends."""
        self.session.set_as_default()
        self.session.start()

    async def serve(self) -> None:
        """The same as a coroutine."""
        self.session.set_as_default()
        await self.session.serve()

    def __repr__(self) -> str:
        return f"<RedEngine of {self.session!r}>"


class Grouper(_Maker):
    """Tasks that share a prefix, a start condition or an execution, and may be made before the application.

    publishing = Grouper(prefix="publish.", execution="process")

    @publishing.task("on event 'topic=review.approved'")
    def movie(): ...

    app.include_grouper(publishing)

    Args:
        prefix: Put before the tasks' names.
        start_cond: For tasks that have none; those that have one need both.
        execution: For tasks that do not say.
    """

    def __init__(self, prefix: str = "", start_cond: Any = None, execution: Any = None) -> None:
        self.prefix = prefix
        self.start_cond = start_cond
        self.execution = execution
        self._tasks: list[dict[str, Any]] = []
        self._parameters: dict[str, Any] = {}

    def _make(self, what: dict[str, Any]) -> None:
        self._tasks.append(what)

    def params(self, **parameters: Any) -> None:
        """Set parameters of the session that the group will be included in."""
        self._parameters |= parameters

    def settle(self, session: Session) -> None:
        """Make the tasks in a session."""
        session.parameters.update(self._parameters)
        for what in self._tasks:
            made = make_task(session, {"execution": self.execution, **what, "name": self._named(what)})
            if self.start_cond is not None:
                own = what.get("start_cond")
                shared = session.parse_condition(self.start_cond)
                made.start_cond = shared if own is None else shared & session.parse_condition(own)

    def _named(self, what: dict[str, Any]) -> str | None:
        name = what.get("name") or what.get("command") or what.get("path")
        return f"{self.prefix}{name}" if isinstance(name, str) else None


def make_task(session: Session, what: dict[str, Any]) -> Any:
    """The task that a description means: what it is made of, and its fields."""
    kind = CommandTask if "command" in what else CodeTask if "code" in what else FuncTask
    return kind(session=session, **what)
