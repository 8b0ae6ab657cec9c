"""`sessionkit tasks`: what a scheduler does, from the command line."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sessionkit.cli import output
from sessionkit.errors import ConfigurationError
from sessionkit_redengine.following import Follower
from sessionkit_redengine.history import Query
from sessionkit_redengine.periods.zones import zone_of
from sessionkit_redengine.target import Target

if TYPE_CHECKING:
    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.history import RunRecord
    from sessionkit_redengine.output import OutputLine

_LOOK = 0.5  # seconds between two looks of `follow`


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
                    output.as_json_line({**_fields(news.run), **said})
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
@_json
@click.pass_obj
def run(target: Any, names: tuple[str, ...], as_json: bool) -> None:
    """Have the scheduler run NAMES now; without one, run them here if --app is given.

    \b
    Examples:
      sessionkit tasks --history runs.db run publish
      sessionkit tasks --app studio.jobs:app run publish
      sessionkit tasks --app studio.jobs:app run publish --json | jq -r '.runs[].action'
    """
    found: Target = target()
    told = found.order(names, "run") if found.session is None or found.history.shared else 0
    if found.session is None or told:
        _say_who_was_told("run", names, told, as_json=as_json)
    else:
        _run_here(found, found.session, found.check(names), as_json=as_json)


def _run_here(found: Target, session: Session, names: tuple[str, ...], *, as_json: bool) -> None:
    """Run tasks in this process and show how they ended; not all well is exit status 1."""
    if found.history.shared:
        for order in found.shared().orders(found.name):
            found.shared().drop_order(order)  # what nobody was there to hear is done here
    session.task_logger.addHandler(logging.NullHandler())  # failures are shown below
    begun = session.clock.time()
    session.run(*names)
    done = list(session.history.runs(session.name, Query(names, since=begun)))
    if as_json:
        output.as_json(_order("run", names, 0, [_fields(one) for one in done]))
    else:
        for one in done:
            _tell(one)
    if any(one.action in {"fail", "crash", "terminate"} for one in done):
        raise click.exceptions.Exit(1)


def _say_who_was_told(wish: str, names: tuple[str, ...], schedulers: int, *, as_json: bool) -> None:
    if as_json:
        output.as_json(_order(wish, names, schedulers, []))
    elif schedulers:
        click.echo("The scheduler was told.")
    else:
        click.echo("No scheduler on this machine listens: the next one to use this history will obey.")


def _order(wish: str, names: tuple[str, ...], schedulers: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What was wished for, how many schedulers of this machine were told, and what was done here."""
    return {"order": wish, "tasks": names, "schedulers": schedulers, "runs": runs}


@tasks.command()
@_needed
@_json
@click.pass_obj
def pause(target: Any, names: tuple[str, ...], as_json: bool) -> None:
    """Have the schedulers start NAMES no more, until `resume`.

    \b
    Examples:
      sessionkit tasks --history runs.db pause publish nightly
      sessionkit tasks --history runs.db pause publish --json | jq .schedulers    how many were told
    """
    _say_who_was_told("pause", names, target().order(names, "pause"), as_json=as_json)


@tasks.command()
@_needed
@_json
@click.pass_obj
def resume(target: Any, names: tuple[str, ...], as_json: bool) -> None:
    """Have the schedulers start NAMES again.

    \b
    Examples:
      sessionkit tasks --history runs.db resume publish nightly
      sessionkit tasks --history runs.db resume publish --json | jq .schedulers   how many were told
    """
    _say_who_was_told("resume", names, target().order(names, "resume"), as_json=as_json)


@tasks.command()
@_names
@click.option("-n", "--limit", type=_count, default=200, show_default=True, help="How many runs.")
@click.option("--svg", metavar="FILE", help="Write the chart there instead.")
@_json
@click.pass_obj
def chart(target: Any, names: tuple[str, ...], limit: int, svg: str | None, as_json: bool) -> None:
    """Draw the latest runs of all tasks, or of NAMES, over time.

    \b
    Examples:
      sessionkit tasks --history runs.db chart
      sessionkit tasks --history runs.db chart publish --svg runs.svg
      sessionkit tasks --history runs.db chart --json | jq '.[].task'    the runs it would draw
    """
    found: Target = target()
    runs = found.runs(found.check(names), limit)
    if as_json:
        output.as_json([_fields(run) for run in runs])
    elif not runs:
        click.echo("There are no runs yet.")
    if runs and (svg is not None or not as_json):
        _draw(runs, svg)


def _draw(runs: list[RunRecord], svg: str | None) -> None:
    """Draw a chart into a file, or on the terminal."""
    from rich.console import Console  # noqa: PLC0415 - only the chart needs it

    from sessionkit_redengine.chart import Chart  # noqa: PLC0415 - see above

    now = time.time() if any(run.ended is None for run in runs) else None
    drawn = Chart(runs, now=now, zone=zone_of(None))
    if svg is not None:
        output.as_file(Path(svg), drawn.svg())
        return
    console = Console()
    console.print(drawn.table(console.width))


def _shown(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _took(record: RunRecord) -> str:
    return "" if record.ended is None else f"{record.ended - record.started:.3g} s"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
