"""Tasks that call a Python function, by reference or by path."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.arguments import BaseArgument
from sessionkit_redengine.conditions.reference import MARK
from sessionkit_redengine.errors import TaskSetupError
from sessionkit_redengine.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.runs import Run


F = TypeVar("F", bound="Callable[..., Any]")


class Shape(NamedTuple):
    """What a function can be given.

    Attributes:
        names: Parameters that have a name.
        arguments: Those whose default is an argument object.
        open: Whether it takes any other name too (`**kwargs`).
    """

    names: frozenset[str]
    arguments: dict[str, BaseArgument]
    open: bool


@lru_cache(maxsize=1_024)
def shape_of(func: Callable[..., Any]) -> Shape:
    """The shape of a function; read once."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):  # some built-in functions do not tell
        return Shape(frozenset(), {}, open=False)
    named = [parameter for parameter in parameters if parameter.kind in _NAMED]
    return Shape(
        frozenset(parameter.name for parameter in named),
        {
            parameter.name: parameter.default
            for parameter in named
            if isinstance(parameter.default, BaseArgument)
        },
        any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters),
    )


_OPEN = Shape(frozenset(), {}, open=True)
_NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class FuncTask(Task):
    """A task that calls a function.

    FuncTask(fetch, start_cond="every 10 minutes")           # by reference

    @FuncTask(start_cond="daily after 10:00", execution="thread")
    def report(rows=Return("fetch")): ...                    # as a decorator; `report` stays a function

    FuncTask(path="jobs/clean.py", func_name="main", name="clean")   # by path, imported where it runs

    The function is given those parameters of the task and the session that it names; one with `**kwargs`
    all of the task's. An async function runs on the session's event loop unless an execution is given.

    Args:
        func: The function.
        path: A Python file, or a dotted module, instead.
        func_name: The function in it.
        cache: Whether the file is imported once, not at each run.
        sys_paths: Directories put first on the import path meanwhile.
        session: Whose task this is; None is the default session.
        name: Default: `module:function`, or the function's name in `__main__`.
        fields: See `Task`.
    """

    more_fields = frozenset(("func", "path", "func_name", "cache", "sys_paths"))
    func: Callable[..., Any] | None = None
    path: str | None = None
    func_name: str = "main"
    cache: bool = False
    sys_paths: Sequence[str] = ()

    def __init__(
        self,
        func: Callable[..., Any] | None = None,
        *,
        path: str | Path | None = None,
        session: Session | None = None,
        name: str | None = None,
        **fields: Any,
    ) -> None:
        if func is not None and path is not None:
            raise ConfigurationError("A FuncTask is made of a function or of a path, not of both.")
        if func is not None:
            fields = {"func": func, **self._from_function(func), **fields}
        elif path is not None:
            fields = {"path": str(path), **fields}
        super().__init__(session=session, name=name, **fields)
        if func is not None:
            self._mark(func)

    def __call__(self, func: F) -> F:
        """Complete a task that was made without a function; the function is returned as it is."""
        if self._is_ready():
            raise ConfigurationError(f"The task {self.name!r} has its function already.")
        for field, value in {"func": func, **self._from_function(func)}.items():
            if field == "func" or field not in vars(self):
                setattr(self, field, value)
        self._settle(vars(self).get("name"), {})
        self._mark(func)
        return func

    @staticmethod
    def _from_function(func: Callable[..., Any]) -> dict[str, Any]:
        if not callable(func):
            raise ConfigurationError(f"{func!r} is no function.")
        found: dict[str, Any] = {}
        if inspect.iscoroutinefunction(func):
            found["execution"] = "async"
        return found

    def _mark(self, func: Callable[..., Any]) -> None:
        try:
            setattr(func, MARK, self.name)
        except (AttributeError, TypeError):  # a built-in function or a bound method keeps no attributes
            return

    def _is_ready(self) -> bool:
        return self.func is not None or self.path is not None

    def get_default_name(self) -> str:
        """`module:function`."""
        if self.func is None:
            dotted = Path(self.path or "").with_suffix("") if str(self.path).endswith(".py") else self.path
            return f"{'.'.join(Path(str(dotted)).parts)}:{self.func_name}"
        function = getattr(self.func, "__qualname__", type(self.func).__name__)
        module = getattr(self.func, "__module__", "__main__")
        return function if module == "__main__" else f"{module}:{function}"

    def execute(self, **parameters: Any) -> Any:
        """Call the function."""
        return self.job_call()(**parameters)

    def job_call(self) -> Callable[..., Any]:
        """The function itself, or what imports it first."""
        if self.func is not None:
            return self.func
        return Delayed(self.path or "", self.func_name, self.cache, tuple(self.sys_paths))

    def job_parameters(self, run: Run) -> dict[str, Any]:
        """Those of the task and the session that the function names."""
        shape = _OPEN if self.func is None else shape_of(self.func)
        if not shape.names and not shape.open:
            return {}
        own = super().job_parameters(run)
        shared = self.session.parameters
        if self.func is None:
            return {**shared, **own}  # which of them the function names is known where it is imported
        given: dict[str, Any] = dict(own) if shape.open else {}
        for name in shape.names:
            if name in own:
                given[name] = own[name]
            elif name in shared:
                given[name] = shared[name]
            elif name in shape.arguments:
                given[name] = shape.arguments[name]
        return given


class Delayed:
    """A function that is imported where and when it runs; picklable."""

    def __init__(self, path: str, func_name: str, cache: bool, sys_paths: tuple[str, ...]) -> None:
        self.path = path
        self.func_name = func_name
        self.cache = cache
        self.sys_paths = sys_paths

    def __call__(self, **parameters: Any) -> Any:
        """Import the function and call it with those parameters that it names."""
        with _import_paths([*self.sys_paths, *_home(self.path)]):
            func = self._function()
            shape = shape_of(func)
            for name in shape.arguments.keys() - parameters.keys():
                raise _without_session(shape.arguments[name])
            given = {name: parameters[name] for name in shape.names if name in parameters}
            return func(**(parameters if shape.open else given))

    def _function(self) -> Callable[..., Any]:
        module = _cached_module(self.path) if self.cache else _module(self.path)
        func: Callable[..., Any] | None = getattr(module, self.func_name, None)
        if func is None:
            raise TaskSetupError(f"{self.path} has no function {self.func_name!r}")
        return func


def _without_session(argument: BaseArgument) -> TaskSetupError:
    return TaskSetupError(
        f"{argument!r} is a default of a function that is imported where it runs, and there is no session",
        hint="give it among the task's parameters instead",
    )


def _home(path: str) -> list[str]:
    if not path.endswith(".py"):
        return []
    folder = Path(path).resolve().parent
    while (folder / "__init__.py").exists():
        folder = folder.parent
    return [str(folder)]


@contextmanager
def _import_paths(paths: Sequence[str]) -> Iterator[None]:
    sys.path[:0] = paths
    try:
        yield
    finally:
        for path in paths:
            if path in sys.path:
                sys.path.remove(path)


def _module(path: str) -> ModuleType:
    if not path.endswith(".py"):
        module = importlib.import_module(path)
        return importlib.reload(module)
    file = Path(path)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.exists():
        raise TaskSetupError(f"there is no Python file {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=64)
def _cached_module(path: str) -> ModuleType:
    return importlib.import_module(path) if not path.endswith(".py") else _module(path)
