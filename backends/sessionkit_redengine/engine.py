"""The session: configuration, tasks, parameters, history, and the scheduler that runs them."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.engine import SessionEngine
from sessionkit.errors import CallTimeout, ConfigurationError
from sessionkit.outcome import Done, Failed, Identity
from sessionkit_redengine import default, restarting
from sessionkit_redengine.agenda import FOREVER
from sessionkit_redengine.arguments import BaseArgument, Context, LateCall, resolve
from sessionkit_redengine.conditions.language import parse_condition
from sessionkit_redengine.config import OPTIONS, Config
from sessionkit_redengine.history import Query, open_history
from sessionkit_redengine.hooks import HookDecorators, Hooks
from sessionkit_redengine.parameters import Parameters
from sessionkit_redengine.periods.zones import zone_of
from sessionkit_redengine.record import Record
from sessionkit_redengine.returns import Returns
from sessionkit_redengine.runs import Batch, Job, Run
from sessionkit_redengine.scheduler import Scheduler
from sessionkit_redengine.taskbook import TaskBook
from sessionkit_redengine.tasks import CodeTask, CommandTask, FuncTask
from sessionkit_redengine.telling import Teller
from sessionkit_redengine.view import SessionView, period_in

if TYPE_CHECKING:
    import os
    import re
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from sessionkit.cache import Cache
    from sessionkit.clock import Clock, Deadline
    from sessionkit.events import EventHub
    from sessionkit.outcome import Outcome
    from sessionkit_redengine.conditions.base import Condition
    from sessionkit_redengine.history import History, LogRecord
    from sessionkit_redengine.output import OutputLine
    from sessionkit_redengine.periods.base import Period
    from sessionkit_redengine.tasks.base import Task


class Session(HookDecorators, SessionEngine):
    """A session that runs tasks when their conditions are true.

    from sessionkit_redengine import Session, FuncTask

    session = Session(config={"execution": "thread"}, parameters={"env": "prod"}, history="runs.db")
    FuncTask(fetch, session=session, name="fetch", start_cond="every 10 minutes")
    FuncTask(report, session=session, start_cond="daily after 10:00 & after task 'fetch'")
    session.start()

    Its tasks, parameters, history and scheduler are its own. As a `SessionEngine` its calls are runs of
    tasks: `session.execute("fetch")` runs one and returns what it returned.

    Args:
        config: Options, see `Config`; also given as arguments of their own: `Session(execution="thread")`.
        parameters: Shared with all tasks.
        delete_existing_loggers: Whether to delete the standard library's loggers of earlier sessions' tasks.
        name: What its runs are kept under in a history that sessions share.
        history: None (in memory), a file (SQLite), a database URL (SQLAlchemy), or a `History`.
        cache, event_hub_factory, clock: See `SessionEngine`.
        options: More of `config`.

    Raises:
        ConfigurationError: for an option that does not exist, and a value that it cannot have.
    """

    __metakey__ = "redengine"

    def __init__(
        self,
        config: Mapping[str, Any] | Config | None = None,
        parameters: Mapping[str, Any] | None = None,
        delete_existing_loggers: bool = False,
        *,
        name: str = "redengine",
        history: str | os.PathLike[str] | History | None = None,
        cache: Cache | None = None,
        event_hub_factory: Callable[[Any], EventHub] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        # A run has a deadline of its own, its task's timeout, which the scheduler keeps.
        super().__init__(timeout=FOREVER, cache=cache, event_hub_factory=event_hub_factory, clock=clock)
        self.name = name
        self.config = _config(config, options)
        self.config.on_change(self._reconfigured)
        self.parameters = Parameters(parameters)
        self.hooks = Hooks()
        self.returns = Returns()
        self.history = open_history(history)
        self.teller = Teller(self)
        self._book = TaskBook(self)
        self.record = Record(self, self._book)
        self._parsers: dict[str | re.Pattern[str], Any] = {}
        self.task_logger = logging.getLogger(self.config.task_logger_basename)
        self.scheduler_logger = logging.getLogger(self.config.scheduler_logger_basename)
        if delete_existing_loggers:
            _delete_loggers(self.config.task_logger_basename)
        self.scheduler = Scheduler(self)

    @property
    def identity(self) -> Identity:
        """Its name; it signs in nowhere."""
        return Identity(self.__metakey__, self.name, "")

    @property
    def zone(self) -> tzinfo:
        """The time zone of its conditions."""
        return zone_of(self.config.timezone)

    @property
    def parameters(self) -> Parameters:
        """The parameters shared with all tasks; a mapping that is set takes their place."""
        return self._parameters

    @parameters.setter
    def parameters(self, values: Mapping[str, Any]) -> None:
        before = self.__dict__.get("_parameters", ())
        self._parameters = values if isinstance(values, Parameters) else Parameters(values)
        self._parameters.on_change(self._parameter_changed)
        for name in {*before, *self._parameters} if "scheduler" in self.__dict__ else ():
            self._parameter_changed(name)

    # --- as an engine: a call is a run of a task ---

    def prepare(self, call: Any) -> Any:
        """Resolve the arguments of a `Run` into the `Job` that an executor gets.

        Given a task or its name instead, as `execute` is, give the task: its run is prepared when it starts.
        """
        if not isinstance(call, Run):
            return self.get_task(call)
        task = call.task
        given = task.job_parameters(call)
        hooks = self.hooks.task_execute
        if not given and not hooks:
            return Job(task.job_call(), given)
        context = Context(self, task, call)
        late = False
        for name, value in given.items():
            if isinstance(value, BaseArgument):
                given[name] = value = resolve(value, context)  # noqa: PLW2901 - both are the parameter
                late = late or isinstance(value, LateCall)
        return Job(task.job_call(), given, late, tuple(hooks), task if hooks else None)

    def send(self, request: Any, deadline: Deadline) -> Any:
        """Have the scheduler run a task, or run it here if no scheduler does, and wait for its end."""
        future: Future[Any] = Future()
        batch = Batch({}, future)
        if self.scheduler.is_alive:
            self.scheduler.post(lambda: self.scheduler.planner.request(request, batch))
        else:
            self.scheduler.run([request], batch=batch)
        left = deadline.remaining()
        try:
            future.exception(timeout=None if left == FOREVER else max(0.0, left))
        except FutureTimeoutError:
            raise CallTimeout(f"task {request.name!r} did not end within {deadline.seconds:g} s") from None
        return future

    def process(self, response: Any, call: Any) -> Outcome:  # noqa: ARG002 - the engine's interface
        """What a run returned, or why it did not succeed."""
        error = response.exception()
        return Failed(error) if error is not None else Done(response.result())

    # --- tasks ---

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in the order of their making."""
        return self._book.all

    def get_tasks(self) -> tuple[Task, ...]:
        """All tasks, in the order of their making."""
        return self.tasks

    def get_task(self, task: Any) -> Task:
        """The task of this name, or made of this function.

        Raises:
            TaskNotFound: when there is none.
        """
        return self._book.get(task)

    def __getitem__(self, task: Any) -> Task:
        return self.get_task(task)

    def __contains__(self, task: Any) -> bool:
        return task in self._book

    def task_exists(self, task: Any) -> bool:
        """Whether there is such a task."""
        return task in self

    def add_task(self, task: Task) -> None:
        """Take a task in; tasks do this themselves when they are made.

        Raises:
            TaskExists: when there is one of this name, and `task_pre_exist` is "raise".
        """
        if self._book.add(task):
            self.touch(task)

    def create_task(
        self, *, command: Any = None, path: Any = None, code: str | None = None, **fields: Any
    ) -> Any:
        """Make a task of a command, a path, code or a function (`func=`); without any, a decorator.

        >>> session.create_task(command="rsync -a /srv /backup", start_cond="daily after 22:00")
        """
        if command is not None:
            return CommandTask(command, session=self, **fields)
        if code is not None:
            return CodeTask(code=code, session=self, **fields)
        return FuncTask(fields.pop("func", None), path=path, session=self, **fields)

    def remove_task(self, task: Any) -> None:
        """Take a task out; a run on its way goes on and is recorded.

        Raises:
            TaskNotFound: when there is none.
        """
        removed = self._book.remove(self.get_task(task))
        self.returns.pop(removed.name)
        self.scheduler.forget(removed)

    def clear(self) -> None:
        """Remove all tasks and parameters."""
        for task in self.tasks:
            self.remove_task(task.name)
        self.parameters.clear()

    # --- running ---

    def start(self) -> None:
        """Run the scheduler in this thread until it is told to end.

        Raises:
            ConfigurationError: when it runs already.
        """
        self._check_idle()
        while True:
            self.scheduler.run()
            if self.scheduler.wish != "restart" or not restarting.again(self.config.restarting):
                return

    async def serve(self) -> None:
        """The same as a coroutine: async tasks run on this event loop, and so does the scheduler."""
        self._check_idle()
        while True:
            await self.scheduler.serve()
            if self.scheduler.wish != "restart" or not restarting.again(self.config.restarting):
                return

    def run(self, *names: Any, execution: Any = None, obey_cond: bool = False) -> None:
        """Run tasks once each and return when they have ended.

        Args:
            names: Tasks or their names; none is all tasks.
            execution: Where to run them, instead of where they say.
            obey_cond: Whether to run only those whose start condition is true.

        Raises:
            TaskNotFound: when there is no task of a name.
        """
        self._check_idle()
        chosen = [self.get_task(name) for name in names] or list(self.tasks)
        self.scheduler.run(chosen, execution=execution, obey=obey_cond)

    def _check_idle(self) -> None:
        self.check_open()
        if self.scheduler.is_alive:
            raise ConfigurationError("This session's scheduler runs already.")
        if _imported_by_worker():
            raise ConfigurationError(
                "A worker process imports the main module, which starts the scheduler again.",
                hint='put what starts it below `if __name__ == "__main__":`',
            )

    def request_run(self, task: Task, parameters: Mapping[str, Any]) -> Future[Any]:
        """Have a task run once, soon or when the scheduler starts; the future has what it returns."""
        future: Future[Any] = Future()
        batch = Batch(parameters, future)
        self.scheduler.post(lambda: self.scheduler.planner.request(task, batch))
        return future

    def shut_down(self, force: bool = False) -> None:
        """Have the scheduler end after what runs has ended; `force`, or asking twice, ends that too."""
        self.scheduler.shut_down(force=force)

    def restart(self) -> None:
        """Have the scheduler start again, as `restarting` says."""
        self.scheduler.restart()

    def on_close(self) -> None:
        """End the scheduler and let go of the history."""
        if self._is_sibling or self.inherited:
            return
        if self.scheduler.is_alive:
            self.scheduler.shut_down(force=True)
        else:
            self.history.close()

    def after_fork_in_child(self) -> None:
        """The child's scheduler has not been started, whatever the parent's does."""
        super().after_fork_in_child()
        if "scheduler" not in self.__dict__:
            return  # forked by another thread while this session was being made
        self._book.after_fork_in_child()
        self.scheduler.after_fork_in_child()

    def set_as_default(self) -> None:
        """Make this the default session, in every thread and for every name that it was imported as."""
        default.put(self)

    # --- conditions ---

    def parse_condition(self, text: Any) -> Condition:
        """The condition that a text means in this session, with the ones that were added to it.

        Raises:
            ParserError: pointing at what is not in the language.
        """
        return parse_condition(text, self._parsers)

    def add_condition_parser(self, parsers: Mapping[str | re.Pattern[str], Any]) -> None:
        """Add items to the language: text or a pattern, and the condition or what makes it of the match."""
        self._parsers.update(parsers)

    def get_cond_parsers(self) -> dict[str | re.Pattern[str], Any]:
        """The items that were added."""
        return dict(self._parsers)

    def check(self, condition: Any, task: Task | None = None) -> bool:
        """Whether a condition (or its text) is true now, as a task sees it."""
        now = self.clock.time()
        value, _ = self.parse_condition(condition).state(SessionView(self).of(task, now), now)
        return bool(value)

    def period_of(self, task: Task) -> Period | None:
        """The period in which a task runs once, or None."""
        return period_in(task.start_cond)

    def next_due(self, task: Task) -> datetime | None:
        """When a task is due next as far as time alone tells, or None."""
        scheduler = self.scheduler
        if scheduler.is_alive:
            at = scheduler.agenda.when("task", task) or FOREVER
        else:
            at = scheduler.planner.expected(task)
        return None if at == FOREVER else datetime.fromtimestamp(at, self.zone)

    # --- what tasks have done ---

    def get_task_log(
        self,
        task_name: str | Sequence[str] | None = None,
        action: str | Sequence[str] | None = None,
        *,
        since: float | datetime | None = None,
        until: float | datetime | None = None,
        limit: int | None = None,
        run_id: str | None = None,
    ) -> Iterator[LogRecord]:
        """The records of the tasks' runs, oldest first, read as they are asked for.

        Args:
            task_name: One task, or several.
            action: "run", "success", "fail", "terminate", "inaction" or "crash", or several of them.
            since: Only runs that started then or later (seconds since the epoch, or a datetime).
            until: Only runs that started then or earlier.
            limit: Only the latest runs, at most this many.
            run_id: One run.
        """
        bounds = (_instant(since, float("-inf")), _instant(until, FOREVER))
        query = Query(task_name, action, *bounds, limit, run_id)
        for run in self.history.runs(self.name, query):
            yield from query.lines(run)

    def get_task_output(self, task_name: Any = None, *, run_id: str | None = None) -> list[OutputLine]:
        """What a run has printed, logged or, as a program, written; also while it is on its way.

        for line in session.get_task_output("render"):
            print(line.created, line.stream, line.text)

        Kept are the latest 1,000 lines or 64 kB of a run, for the latest 100 runs of each task that said
        anything. Known secrets are "***".

        Args:
            task_name: A task: its latest run.
            run_id: A run, as `get_task_log` and a future's record name it; any run of the session.

        Returns:
            The lines, oldest first: `created` (seconds since the epoch), `stream` ("stdout", "stderr" or
            "log") and `text`.

        Raises:
            TaskNotFound: when there is no such task.
        """
        if run_id is None:
            run_id = self.record.of(self.get_task(task_name)).run_id
        self.scheduler.output.flush()
        return self.history.output(run_id)[1]

    # --- telling ---

    def tell(self, topic: str, **data: Any) -> None:
        """Emit an event, if anybody listens."""
        self.teller.event(topic, **data)

    def report(self, message: str, error: BaseException | None = None) -> None:
        """Log a problem, keep it in `problems`, and emit it."""
        self.teller.problem(message, error)

    @property
    def problems(self) -> tuple[str, ...]:
        """The latest problems beside the tasks themselves: conditions that failed, a history not written."""
        return tuple(self.teller.problems)

    def touch(self, task: Task) -> None:
        """Have the scheduler look at a task again."""
        self.scheduler.touch(task)

    def _parameter_changed(self, name: str) -> None:
        scheduler = self.scheduler
        if scheduler.is_alive:
            scheduler.post(lambda: scheduler.planner.changed(("param", name)))

    def _reconfigured(self, option: str) -> None:
        if option.endswith("_basename"):
            self.task_logger = logging.getLogger(self.config.task_logger_basename)
            self.scheduler_logger = logging.getLogger(self.config.scheduler_logger_basename)
        if self.scheduler.is_alive:
            self.scheduler.post(self.scheduler.reconfigure)


def _imported_by_worker() -> bool:
    """Whether this is a worker process that imports the main module, to find tasks' functions in it."""
    multiprocessing = sys.modules.get("multiprocessing.process")  # what no worker is without
    return multiprocessing is not None and getattr(multiprocessing.current_process(), "_inheriting", False)


def _config(config: Mapping[str, Any] | Config | None, options: dict[str, Any]) -> Config:
    if isinstance(config, Config):
        for name, value in options.items():
            setattr(config, name, value)
        return config
    try:
        given = dict(config or {})
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"A configuration is a mapping or a Config, not {type(config).__name__}.",
            hint=f"its options are {', '.join(OPTIONS)}",
        ) from None
    return Config(**{**given, **options})


def _instant(value: float | datetime | None, default_value: float) -> float:
    if value is None:
        return default_value
    return value.timestamp() if isinstance(value, datetime) else float(value)


def _delete_loggers(basename: str) -> None:
    known = logging.Logger.manager.loggerDict
    for name in [name for name in known if name.startswith(basename)]:
        del known[name]
