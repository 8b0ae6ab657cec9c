"""A small day for `sessionkit demo`, on a clock that is turned: ten hours pass in a second."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sessionkit import Call, backends
from sessionkit.testing import ManualClock
from sessionkit_redengine.app import RedEngine
from sessionkit_redengine.arguments import Event, Return
from sessionkit_redengine.chart import Chart
from sessionkit_redengine.history import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit import SessionEngine
    from sessionkit.cli.demo import Stage

_SEVEN_O_CLOCK = 1_767_250_800.0  # on the first of January 2026, UTC
_MINUTE = 60.0
_LOG = "sessionkit_redengine.demo.task"


def _get(path: str) -> Callable[[Any], Any]:
    return lambda session: session.execute(Call("GET", path))


#: What tasks ask of each backend that is installed.
_LOOKS: dict[str, Callable[[Any], Any]] = {
    "dyn": _get("/Zone/"),
    "helios": _get("/alerts"),
    "review": lambda session: session.query(
        "select name from Task where status.name is 'Pending review'"
    ).all(),
}


def demo(stage: Stage) -> None:
    """Plan a day, let it pass, look at what happened."""
    clock = ManualClock(_SEVEN_O_CLOCK)
    app = RedEngine(execution="main", clock=clock, timezone="UTC", task_logger_basename=_LOG)
    app.session.config.shut_cond = app.session.parse_condition("scheduler has run over 10 hours")
    app.session.task_logger.addHandler(logging.NullHandler())  # the failure is part of the play
    with ExitStack() as stack:
        stack.callback(app.session.close)
        with stage.step("sign in to the other backends; tasks will find these sessions") as said:
            others = [
                stack.enter_context(backends.load(name)()) for name in _LOOKS if name in backends.installed()
            ]
            said.append(", ".join(map(repr, others)))
        with stage.step("make tasks, with conditions that read like English") as said:
            _plan(app, clock)
            said.append(f"{len(app.session.tasks)} tasks")
        for task in app.session.tasks:
            stage.console.print(f"    {task.name:12} {task.start_cond!r}", highlight=False, style="dim")
        with stage.step("let ten hours pass") as said:
            app.run()
            said.append(_tally(app))
        with stage.step("look at what ran when") as said:
            chart = Chart(app.session.history.runs(app.session.name, Query()))
            said.append(f"▓ failed and was tried again; as SVG it has {len(chart.svg()):,} characters")
        stage.console.print(chart.table(min(100, stage.console.width)))


def _plan(app: RedEngine, clock: ManualClock) -> None:
    failures = iter((True, False))

    def took(minutes: float) -> None:
        clock.advance(minutes * _MINUTE)

    for name, ask in _LOOKS.items():
        if name in backends.installed():
            given = {"backend": backends.load(name), "ask": ask}

            @app.task("every 2 hours", name=f"look at {name}", parameters=given)
            def look(backend: type[SessionEngine], ask: Callable[[Any], Any]) -> int:
                took(6)
                return len(ask(backend.current()))

    @app.task("cron 30 9,13 * * *", retries=1, retry_delay="20 minutes")
    def backup() -> None:
        took(15)
        if next(failures, False):
            raise OSError("the disk is asleep")

    @app.task("after task 'backup'")
    def report() -> str:
        took(10)
        return "all is well"

    @app.task("daily between 11:00 and 12:00", parameters={"text": Return("report")})
    def review(text: str) -> None:
        took(30)
        app.session.event_hub.emit("demo.approved", {"shot": "sh010", "note": text})

    @app.task("on event 'topic=demo.approved and data.shot=sh010'", parameters={"event": Event()})
    def publish(event: Any) -> str:
        took(25)
        return f"{event['data']['shot']} is published"


def _tally(app: RedEngine) -> str:
    counts: dict[str, int] = {}
    for record in app.session.get_task_log():
        counts[record.action] = counts.get(record.action, 0) + 1
    runs = counts.pop("run", 0)
    return f"{runs} runs: {', '.join(f'{count} {action}' for action, count in counts.items())}"
