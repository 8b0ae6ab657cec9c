"""Tasks made of Python source text, and the two that steer the scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.errors import SchedulerExit, SchedulerRestart
from sessionkit_redengine.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.runs import Run


class CodeTask(Task):
    """A task that executes Python source text; what it leaves in `return_value` is returned.

    CodeTask(code="return_value = 6 * times", parameters={"times": 7}, name="answer")

    Args:
        code: The source.
        name: Needed: code has no name of its own.
        output_variable: Which variable is returned.
        session: Whose task this is; None is the default session.
        fields: See `Task`.

    Raises:
        ConfigurationError: for source that is no Python.
    """

    more_fields = frozenset(("code", "output_variable"))
    code: str = ""
    output_variable: str = "return_value"

    def __init__(
        self, *, code: str, session: Session | None = None, name: str | None = None, **fields: Any
    ) -> None:
        try:
            compile(code, "<task>", "exec")
        except (SyntaxError, TypeError, ValueError) as error:
            raise ConfigurationError(f"This code is no Python: {error}") from None
        super().__init__(session=session, name=name, code=code, **fields)

    def job_call(self) -> Callable[..., Any]:
        """What executes the text."""
        return Source(self.code, self.output_variable, self.name)

    def job_parameters(self, run: Run) -> dict[str, Any]:
        """The session's parameters, the task's and the run's."""
        return {**self.session.parameters, **super().job_parameters(run)}

    def execute(self, **parameters: Any) -> Any:
        """Execute the text."""
        return self.job_call()(**parameters)


class Source:
    """Source text; picklable."""

    def __init__(self, code: str, output: str, name: str) -> None:
        self.code = code
        self.output = output
        self.name = name

    def __call__(self, **parameters: Any) -> Any:
        """Execute the text with these names defined."""
        names = {"__name__": "__task__", **parameters}
        exec(compile(self.code, f"<task {self.name}>", "exec"), names)  # noqa: S102 - what this task is for
        return names.get(self.output)


class Restart(Task):
    """A task that restarts the scheduler: `Restart(start_cond="daily after 04:00")`."""

    execution = "main"

    def get_default_name(self) -> str:
        """`restart`."""
        return "restart"

    def execute(self, **parameters: Any) -> Any:  # noqa: ARG002 - it takes none
        """Ask for it."""
        raise SchedulerRestart

    def job_parameters(self, run: Run) -> dict[str, Any]:  # noqa: ARG002 - the task's interface
        """None."""
        return {}


class ShutDown(Restart):
    """A task that ends the scheduler: `ShutDown(start_cond="after task 'last'")`."""

    def get_default_name(self) -> str:
        """`shutdown`."""
        return "shutdown"

    def execute(self, **parameters: Any) -> Any:  # noqa: ARG002 - it takes none
        """Ask for it."""
        raise SchedulerExit
