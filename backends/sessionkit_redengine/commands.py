"""`sessionkit tasks`: what a scheduler does, from the command line."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionkit.cli import output
from sessionkit.errors import ConfigurationError, SessionKitError
from sessionkit_redengine import doorbell
from sessionkit_redengine.app import RedEngine
from sessionkit_redengine.default import DefaultSession
from sessionkit_redengine.engine import Session
from sessionkit_redengine.errors import TaskNotFound
from sessionkit_redengine.following import Follower
from sessionkit_redengine.history import Query, open_database
from sessionkit_redengine.history.database import DatabaseHistory
from sessionkit_redengine.periods.zones import zone_of

if TYPE_CHECKING:
    from types import ModuleType

    from sessionkit_redengine.history import History, RunRecord
    from sessionkit_redengine.output import OutputLine

_LOOK = 0.5  # seconds between two looks of `follow`


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


@click.group()
@click.option("--app", metavar="MODULE:NAME", help="The application or session that has the tasks.")
@click.option(
    "--history", "where", metavar="FILE|URL", help="The history of a scheduler.", envvar="SESSIONKIT_HISTORY"
)
@click.option("--session", "name", metavar="NAME", help="The session's name in the history.")
@click.pass_context
def tasks(context: click.Context, app: str | None, where: str | None, name: str | None) -> None:
    """Tasks of a Red Engine session: what they are, did, and will do.

    \b
    Examples:
      sessionkit tasks --app studio.jobs:app list
      sessionkit tasks --history runs.db follow
      SESSIONKIT_HISTORY=runs.db sessionkit tasks log publish
    """

    def target() -> Target:
        found = Target(app, where, name)
        context.call_on_close(found.close)
        return found

    context.obj = target


_names = click.argument("names", nargs=-1)
_needed = click.argument("names", nargs=-1, required=True)
_count = click.IntRange(min=1)
_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@tasks.command("list")
@_json
@click.pass_obj
def list_tasks(target: Any, as_json: bool) -> None:
    """List the tasks, how they stand, and when they are due next.

    \b
    Examples:
      sessionkit tasks --app studio.jobs:app list
      sessionkit tasks --history runs.db list --json | jq -r '.[].task'
    """
    found: Target = target()
    states = found.history.states(found.name)
    paused = found.history.paused(found.name)
    session = found.session
    names = dict.fromkeys([*(task.name for task in session.tasks if session), *states] if session else states)
    rows = []
    for name in names:
        state = states.get(name)
        task = session[name] if session is not None and name in session else None
        if task is not None and state is not None:
            task.state.adopt(state)
        rows.append(
            {
                "task": name,
                "status": "paused" if name in paused else (state.status if state else None) or "",
                "last run": _shown(state.last.get("run") if state else None),
                "next due": _shown(task.next_due.timestamp() if task is not None and task.next_due else None),
                "start condition": repr(task.start_cond) if task is not None else "",
            }
        )
    if as_json:
        output.as_json(rows)
    else:
        columns = ("task", "status", "last run", "next due", "start condition")
        output.as_table(columns, [[row[column] for column in columns] for row in rows])


@tasks.command()
@_names
@click.option("-n", "--limit", type=_count, default=20, show_default=True, help="How many runs.")
@_json
@click.pass_obj
def log(target: Any, names: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show the latest runs of all tasks, or of NAMES.

    \b
    Examples:
      sessionkit tasks --history runs.db log
      sessionkit tasks --history runs.db log publish -n 5 --json
    """
    found: Target = target()
    runs = found.runs(found.check(names), limit)
    if as_json:
        output.as_json([_fields(run) for run in runs])
        return
    output.as_table(
        ("started", "task", "action", "took", "error"),
        [(_shown(run.started), run.task, run.action, _took(run), _last_line(run.error)) for run in runs],
    )


@tasks.command()
@_names
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0),
    default=float("inf"),
    help="Seconds to follow; default: until Ctrl-C.",
)
@_json
@click.pass_obj
def follow(target: Any, names: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """Show runs of all tasks, or of NAMES, as they start and end, and what they say.

    \b
    Examples:
      sessionkit tasks --history runs.db follow
      sessionkit tasks --history runs.db follow publish --for 60
      sessionkit tasks --history runs.db follow --json | jq .text     an object a line
    """
    found: Target = target()
    if found.session is not None:
        found.check(names)
    follower = Follower(found.history, found.name, names)
    end = time.monotonic() + seconds
    with suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            for news in follower.news():
                if as_json:
                    said = {} if news.line is None else news.line._asdict()
                    click.echo(json.dumps({**_fields(news.run), **said}))
                elif news.line is None:
                    _tell(news.run)
                else:
                    _say(news.line, news.run.task)
            time.sleep(min(_LOOK, max(0.0, end - time.monotonic())))


def _fields(run: RunRecord) -> dict[str, Any]:
    return {field: getattr(run, field) for field in run.__slots__}


def _tell(run: RunRecord) -> None:
    click.echo(f"{_shown(run.ended or run.started)}  {run.task}  {run.action}  {_took(run)}".rstrip())
    if run.error:
        click.echo(run.error.rstrip())


def _say(line: OutputLine, *task: str) -> None:
    # Nothing of a task's may steer the terminal of who looks.
    text = "".join(
        char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}"
        for char in click.unstyle(line.text)
    )
    click.echo("  ".join((_shown(line.created), *task, line.stream, text)))


@tasks.command("output")
@click.argument("task")
@click.option(
    "--run", "run_id", metavar="ID", help="One of its runs, as `log --json` names it; default: the latest."
)
@_json
@click.pass_obj
def show_output(target: Any, task: str, run_id: str | None, as_json: bool) -> None:
    """Show what a run of TASK has said: what it printed and logged, or its program wrote.

    \b
    Examples:
      sessionkit tasks --history runs.db output publish
      sessionkit tasks --history runs.db output publish --run ID --json
    """
    found: Target = target()
    runs = list(found.history.runs(found.name, Query(found.check((task,)), limit=1, run_id=run_id)))
    if run_id is not None and not runs:
        raise ConfigurationError(f"Task {task!r} has no run {run_id!r}.", hint="`log --json` names its runs")
    lines = [line for one in runs for line in found.history.output(one.run_id)[1]]
    if as_json:
        output.as_json([line._asdict() for line in lines])
        return
    for line in lines:
        _say(line)


@tasks.command()
@_needed
@click.pass_obj
def run(target: Any, names: tuple[str, ...]) -> None:
    """Have the scheduler run NAMES now; without one, run them here if --app is given.

    \b
    Examples:
      sessionkit tasks --history runs.db run publish
      sessionkit tasks --app studio.jobs:app run publish
    """
    found: Target = target()
    if found.session is None:
        _say_who_was_told(found.order(names, "run"))
    elif found.history.shared and found.order(names, "run"):
        click.echo("The scheduler was told.")
    else:
        _run_here(found, found.session, found.check(names))


def _run_here(found: Target, session: Session, names: tuple[str, ...]) -> None:
    """Run tasks in this process and show how they ended; not all well is exit status 1."""
    if found.history.shared:
        found.shared().orders(found.name)  # what nobody was there to hear is done here
    session.task_logger.addHandler(logging.NullHandler())  # failures are shown below
    begun = session.clock.time()
    session.run(*names)
    done = list(session.history.runs(session.name, Query(names, since=begun)))
    for one in done:
        _tell(one)
    if any(one.action in {"fail", "crash", "terminate"} for one in done):
        raise click.exceptions.Exit(1)


def _say_who_was_told(schedulers: int) -> None:
    if schedulers:
        click.echo("The scheduler was told.")
    else:
        click.echo("No scheduler on this machine listens: the next one to use this history will obey.")


@tasks.command()
@_needed
@click.pass_obj
def pause(target: Any, names: tuple[str, ...]) -> None:
    """Have the schedulers start NAMES no more, until `resume`.

    \b
    Examples:
      sessionkit tasks --history runs.db pause publish nightly
    """
    _say_who_was_told(target().order(names, "pause"))


@tasks.command()
@_needed
@click.pass_obj
def resume(target: Any, names: tuple[str, ...]) -> None:
    """Have the schedulers start NAMES again.

    \b
    Examples:
      sessionkit tasks --history runs.db resume publish nightly
    """
    _say_who_was_told(target().order(names, "resume"))


@tasks.command()
@_names
@click.option("-n", "--limit", type=_count, default=200, show_default=True, help="How many runs.")
@click.option("--svg", metavar="FILE", help="Write the chart there instead.")
@click.pass_obj
def chart(target: Any, names: tuple[str, ...], limit: int, svg: str | None) -> None:
    """Draw the latest runs of all tasks, or of NAMES, over time.

    \b
    Examples:
      sessionkit tasks --history runs.db chart
      sessionkit tasks --history runs.db chart publish --svg runs.svg
    """
    from rich.console import Console  # noqa: PLC0415 - only the chart needs it

    from sessionkit_redengine.chart import Chart  # noqa: PLC0415 - see above

    found: Target = target()
    runs = found.runs(found.check(names), limit)
    if not runs:
        click.echo("There are no runs yet.")
        return
    now = time.time() if any(run.ended is None for run in runs) else None
    drawn = Chart(runs, now=now, zone=zone_of(None))
    if svg is not None:
        _write(Path(svg), drawn.svg())
        return
    console = Console()
    console.print(drawn.table(console.width))


def _write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None


def _shown(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _took(record: RunRecord) -> str:
    return "" if record.ended is None else f"{record.ended - record.started:.3g} s"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
