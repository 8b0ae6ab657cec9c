"""How a scheduler ends: shutdown tasks, then what still runs, waited for or made to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit_redengine.agenda import FOREVER
from sessionkit_redengine.hooks import around
from sessionkit_redengine.runs import Outcome

if TYPE_CHECKING:
    from sessionkit_redengine.scheduler import Scheduler

#: Seconds for runs to end after they were made to.
KILL_GRACE: Final = 5.0
_GLANCE = 0.01


class Ending:
    """The end of a scheduler's life. Making one starts the shutdown tasks.

    Attributes:
        goal: "exit" or "restart".
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.goal, scheduler.wish = scheduler.wish or "exit", ""
        self._patience = FOREVER
        scheduler.planner.on_hold = scheduler.is_ending = True
        session, launcher = scheduler.session, scheduler.launcher
        if scheduler.forced_end:
            self._lose_patience()
        with around(session.hooks.scheduler_shutdown, scheduler):
            scheduler.start_marked("on_shutdown")
            self._deadline = session.clock.monotonic() + session.config.shutdown_timeout
            for run in launcher.alive:
                if run.task.permanent or (session.config.instant_shutdown and not run.task.on_shutdown):
                    launcher.end(run, "shutdown")

    def _lose_patience(self) -> None:
        """End all that runs; shutdown tasks have the grace in which the others end."""
        self._patience = min(self._patience, SYSTEM_CLOCK.monotonic() + KILL_GRACE)
        for run in self._scheduler.launcher.alive:
            if not run.task.on_shutdown:
                self._scheduler.launcher.end(run, "shutdown")

    def goes_on(self) -> bool:
        """Whether there is still something to wait for."""
        scheduler = self._scheduler
        scheduler.read_inbox()
        if scheduler.launcher.alive and SYSTEM_CLOCK.monotonic() < self._patience:
            return True
        _give_up(scheduler)
        scheduler.planner.on_hold = False
        return False

    def pause(self) -> float:
        """Seconds until there is something to do."""
        scheduler = self._scheduler
        left = self._deadline - scheduler.session.clock.monotonic()
        if scheduler.forced_end:
            left = self._patience - SYSTEM_CLOCK.monotonic()
        return max(0.0, min(scheduler.pause(), left))

    def cycle(self) -> None:
        """Timeouts and end conditions hold to the last; after `shutdown_timeout`, patience ends."""
        scheduler = self._scheduler
        scheduler.read_inbox()
        clock = scheduler.session.clock
        if clock.monotonic() >= self._deadline or scheduler.wish == "exit":
            scheduler.forced_end = True
        scheduler.wish = ""
        for entry in scheduler.agenda.due(clock.time()):
            if entry.kind == "timeout":
                scheduler.launcher.end(entry.subject, "timeout")
            elif entry.kind == "end":
                scheduler.end_if_told(entry.subject)
        if scheduler.forced_end:
            self._lose_patience()


def abandon(scheduler: Scheduler) -> None:
    """End what runs after an error, or Ctrl-C twice, and record that it was, without waiting for long."""
    scheduler.forced_end = True
    for run in scheduler.launcher.alive:
        scheduler.launcher.end(run, "shutdown")
    # On somebody's event loop nothing ends while we wait, and everybody else would have to.
    grace = KILL_GRACE if scheduler.launcher.executors.loop is None else 0.0
    deadline = SYSTEM_CLOCK.monotonic() + grace
    while scheduler.launcher.alive and SYSTEM_CLOCK.monotonic() < deadline:
        if scheduler.idle:
            SYSTEM_CLOCK.sleep(_GLANCE)
        scheduler.read_inbox()
    _give_up(scheduler)
    scheduler.planner.on_hold = False


def _give_up(scheduler: Scheduler) -> None:
    """Record as terminated what did not end although it was made to: a thread that looks at no flag."""
    session, launcher = scheduler.session, scheduler.launcher
    for run in launcher.alive:
        session.report(f"a run of task {run.task.name!r} did not end when it was told to")
        outcome = Outcome("terminate", text="It did not end when it was told to.")
        launcher.finish(run, outcome, session.clock.time())
    launcher.write()  # ends that could not be recorded before: they would count as crashes
