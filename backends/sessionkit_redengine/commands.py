"""`sessionkit tasks`: what a scheduler does, from the command line."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionkit.cli import output
from sessionkit.errors import ConfigurationError
from sessionkit_redengine import doorbell
from sessionkit_redengine.app import RedEngine
from sessionkit_redengine.default import DefaultSession
from sessionkit_redengine.engine import Session
from sessionkit_redengine.history import Query, open_database
from sessionkit_redengine.history.database import DatabaseHistory

if TYPE_CHECKING:
    from sessionkit_redengine.history import History, RunRecord

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

    def close(self) -> None:
        """Let go of the history and the session."""
        self.history.close()
        if self.session is not None:
            self.session.history.close()

    def order(self, names: tuple[str, ...], wish: str) -> int:
        """Leave a wish for the schedulers, and wake them; how many there are on this machine."""
        for name in names:
            self.shared().order(self.name, name, wish, time.time())
        return doorbell.ring(self.where or self.shared().where)


def load(reference: str) -> Session:
    """The session that `module:name` or `file.py:name` refers to; the name may be an application's.

    Raises:
        ConfigurationError: when there is none.
    """
    module_name, _, attribute = reference.partition(":")
    if module_name.endswith(".py"):
        path = Path(module_name)
        sys.path.insert(0, str(path.parent))
        module_name = path.stem
    else:
        sys.path.insert(0, "")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"{module_name} cannot be imported: {error}") from None
    names = [attribute] if attribute else ["app", "session"]
    for name in names:
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


@click.group()
@click.option("--app", metavar="MODULE:NAME", help="The application or session that has the tasks.")
@click.option(
    "--history", "where", metavar="FILE|URL", help="The history of a scheduler.", envvar="SESSIONKIT_HISTORY"
)
@click.option("--session", "name", metavar="NAME", help="The session's name in the history.")
@click.pass_context
def tasks(context: click.Context, app: str | None, where: str | None, name: str | None) -> None:
    """Tasks of a Red Engine session: what they are, did, and will do."""

    def target() -> Target:
        found = Target(app, where, name)
        context.call_on_close(found.close)
        return found

    context.obj = target


_names = click.argument("names", nargs=-1)
_needed = click.argument("names", nargs=-1, required=True)
_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@tasks.command("list")
@_json
@click.pass_obj
def list_tasks(target: Any, as_json: bool) -> None:
    """List the tasks, how they stand, and when they are due next."""
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
@click.option("-n", "--limit", default=20, show_default=True, help="How many runs.")
@_json
@click.pass_obj
def log(target: Any, names: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show the latest runs of all tasks, or of NAMES."""
    runs = target().runs(names, limit)
    if as_json:
        output.as_json([{field: getattr(run, field) for field in run.__slots__} for run in runs])
        return
    output.as_table(
        ("started", "task", "action", "took", "error"),
        [(_shown(run.started), run.task, run.action, _took(run), _last_line(run.error)) for run in runs],
    )


@tasks.command()
@_names
@click.option(
    "--for", "seconds", type=float, default=float("inf"), help="Seconds to follow; default: until Ctrl-C."
)
@click.pass_obj
def follow(target: Any, names: tuple[str, ...], seconds: float) -> None:
    """Show runs of all tasks, or of NAMES, as they start and end."""
    found: Target = target()
    told: dict[str, str] = {run.run_id: run.action for run in found.runs(names, 200)}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for run in found.runs(names, 200):
            if told.get(run.run_id) != run.action:
                told[run.run_id] = run.action
                click.echo(
                    f"{_shown(run.ended or run.started)}  {run.task}  {run.action}  {_took(run)}".rstrip()
                )
                if run.error:
                    click.echo(run.error.rstrip())
        time.sleep(min(_LOOK, max(0.0, end - time.monotonic())))


@tasks.command()
@_needed
@click.pass_obj
def run(target: Any, names: tuple[str, ...]) -> None:
    """Have the scheduler run NAMES now; without one, run them here if --app is given."""
    found: Target = target()
    if found.session is not None and not found.history.shared:
        found.session.run(*names)
        return
    if found.order(names, "run") == 0 and found.session is not None:
        found.shared().orders(found.name)
        found.session.run(*names)


@tasks.command()
@_needed
@click.pass_obj
def pause(target: Any, names: tuple[str, ...]) -> None:
    """Have the schedulers start NAMES no more, until `resume`."""
    target().order(names, "pause")


@tasks.command()
@_needed
@click.pass_obj
def resume(target: Any, names: tuple[str, ...]) -> None:
    """Have the schedulers start NAMES again."""
    target().order(names, "resume")


@tasks.command()
@_names
@click.option("-n", "--limit", default=200, show_default=True, help="How many runs.")
@click.option("--svg", metavar="FILE", help="Write the chart there instead.")
@click.pass_obj
def chart(target: Any, names: tuple[str, ...], limit: int, svg: str | None) -> None:
    """Draw the latest runs of all tasks, or of NAMES, over time."""
    from rich.console import Console  # noqa: PLC0415 - only the chart needs it

    from sessionkit_redengine.chart import Chart  # noqa: PLC0415 - see above

    drawn = Chart(target().runs(names, limit))
    if svg:
        Path(svg).write_text(drawn.svg(), encoding="utf-8")
        return
    console = Console()
    console.print(drawn.table(console.width))


def _shown(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _took(record: RunRecord) -> str:
    return "" if record.ended is None else f"{record.ended - record.started:.3g} s"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
