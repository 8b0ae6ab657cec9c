"""What must be true of schedulers that share a history, when all is well again: see `sharing_model`."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from scheduling_model import Difference

from sessionkit_redengine.conditions.tasks import DEPENDS, DependSuccess
from sessionkit_redengine.history import Query
from sessionkit_redengine.runs import NO_WISHES

#: Conditions that are true again and again, and the seconds in between.
PERIODS = {
    "every 7 seconds": 7,
    "every 20 seconds": 20,
    "every 1 minute": 60,
    "minutely": 60,
    "minutely between 10 and 40": 60,
    "cron * * * * *": 60,
}
FAILS = {"fail", "crash"}
#: Problems that are reported where a file is locked or schedulers are killed, and where tasks were cut.
EXPECTED = (
    *("cannot be read", "cannot be recorded", "not recorded yet", "marked as crashed"),
    *("There is no task", "which does not exist"),
)


def check(world):
    """Hold a world that has settled against its history.

    Raises:
        Difference: where something was run twice, or not at all, or is not known to all.
    """
    runs = defaultdict(list)
    for run in world.line.runs(world.name, Query()):
        runs[run.task].append(run)
    states = world.line.states(world.name)
    check_starts(world, [run for found in runs.values() for run in found])
    begun = {run.id for run in world.starts}
    for name, fields in world.plan.tasks.items():
        never = {run.run_id for run in runs[name]} - begun  # killed before: for a wish, perhaps
        wishes = {run.id for run in world.starts if run.task.name == name and is_wish(run)}
        if not len(wishes) <= world.orders[name] <= len(wishes | never):
            raise Difference(
                f"{name} was wanted {world.orders[name]} times and ran {len(wishes)} times for it"
            )
        fails = check_runs(name, fields, runs[name], wishes | never)
        if name in states and not fields.get("multilaunch") and states[name].fails != fails:
            raise Difference(f"{name} is said to have failed {states[name].fails} times, not {fails}")
        check_liveness(world.clock.time(), name, fields["start_cond"], runs[name], states)
        check_knowledge(world.alive, name, states)
    problems = [*world.problems, *(text for node in world.alive for text in node.session.problems)]
    strange = [text for text in problems if not any(part in text for part in EXPECTED)]
    if strange:
        raise Difference(f"problems: {strange}")


def is_wish(run):
    """Whether somebody ordered it; each wish has parameters of its own."""
    return run.parameters is not NO_WISHES.parameters


def check_starts(world, runs):
    """What ran is recorded, what is recorded ran once and ended, and only the killed have crashed."""
    known = {run.run_id: run for run in runs}
    started = Counter(run.id for run in world.starts)
    if unknown := started.keys() - known.keys():
        raise Difference(f"{unknown} ran and are not recorded")
    for key, run in known.items():
        if started[key] != 1 and run.owner not in world.dead:
            raise Difference(f"{run} was started {started[key]} times")
        lost = run.action == "crash" and bool(run.error)
        if run.action == "run" or (lost and run.owner not in world.dead):
            raise Difference(f"{run} ended as {run.action}")


def check_runs(name, fields, runs, wishes):
    """No due time is run twice, or left out where none may be; what failed is tried again.

    Returns:
        How often it has failed in a row.
    """
    fails, owed, step = 0, False, PERIODS.get(fields["start_cond"])
    owing = fields.get("retries", 0) + 1
    alone = not fields.get("multilaunch")
    for run, following in pairwise([*runs, None]):
        fails = fails + 1 if run.action in FAILS else 0
        owed = bool(fails % owing) or (owed and run.run_id in wishes)  # a wish is no retry
        if following is None:
            if alone and fails % owing:
                raise Difference(f"{name} failed at {run.ended} and was not tried again")
            continue
        if following.run_id in wishes:
            continue
        if alone and following.due == run.due and not owed:
            raise Difference(f"{name} ran again, due at {run.due}")
        if not step or fields["missed"] != "all" or run.run_id in wishes:
            continue
        gap = round(following.due - run.due, 3)
        begins = gap < step and not fields["start_cond"].startswith("every")  # in the middle of a window
        if gap not in {0, step} and not begins:
            raise Difference(f"{name} ran due at {run.due} and then at {following.due}")
    return fails


def check_liveness(now, name, condition, runs, states):
    """What is due was run by somebody."""
    latest = runs[-1].started if runs else 0
    if condition in PERIODS and latest < now - PERIODS[condition] - 1:
        raise Difference(f"{name} is due and was not run since {latest}; now it is {now}")
    if condition == "daily" and latest // 86_400 < now // 86_400:
        raise Difference(f"{name} was not run today")
    if not condition.startswith("after"):
        return
    _, other, end = condition.split("'")
    ended = states[other].last if other in states else {}
    last = max(ended.get(action, 0) for action in DEPENDS.get(end.strip(), DependSuccess).actions)
    if latest < last and other != name:
        raise Difference(f"{name} was not run after {last}")


def check_knowledge(nodes, name, states):
    """All know of a task what the history knows."""
    for node in nodes if name in states else ():
        known, real = node.session[name].state, states[name]
        for field in ("run_id", "last", "fails", "running", "last_due"):
            if getattr(known, field) != getattr(real, field):
                raise Difference(f"{field} of {name}: {getattr(known, field)}, not {getattr(real, field)}")
