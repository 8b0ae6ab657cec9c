"""Schedulers that share one history, in random histories of what befalls them.

Each is a real session with a connection of its own, on one SQLite file and one clock that is turned. They are
stepped in turns that a seed decides; runs end when the seed says. The file is locked under them, they are
held up, killed between two transactions, and told to end. The oracle is no second planner: it is what the
history says and what the executors were given: `sharing_oracle`.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing, contextmanager, suppress
from functools import partial

from redengine_times import instant
from scheduling_model import Difference, Held
from sharing_oracle import PERIODS, check, check_knowledge

from sessionkit.testing import ManualClock
from sessionkit_redengine import FuncTask
from sessionkit_redengine.engine import Session
from sessionkit_redengine.history import open_database
from sessionkit_redengine.runs import Outcome
from sessionkit_redengine.waker import LONGEST_NAP

MOST_CYCLES = 60
SETTLING = 75  # seconds; every task is due within, and every retry


# --- worlds ---


def task_fields(rng, names):
    """What a task is made of."""
    other = rng.choice(names)
    after = f"after task '{other}'{rng.choice(('', ' succeeded', ' failed', ' finished'))}"
    fields = {"start_cond": rng.choice((*PERIODS, "daily", "false", after))}
    fields["missed"] = rng.choice(("skip", "once", "all", "all"))
    if rng.random() < 0.5:
        fields["retries"] = rng.choice((1, 2))
        fields["retry_delay"] = rng.choice((0, 5, 20))
    if rng.random() < 0.15:
        fields["multilaunch"] = True
    return fields


class Plan:
    """A world and its history, made of a seed; `steps` and `tasks` may be cut."""

    def __init__(self, seed, length=30):
        rng = self.rng = random.Random(seed)
        self.count = rng.choice((2, 2, 2, 3))
        self.names = "abcd"[: rng.randint(1, 4)]
        self.start = rng.choice(("2026-06-10T09:00:03", "2026-03-28T23:58:30"))
        self.capacity = rng.choice((None, None, 1, 2))
        self.tasks = {name: task_fields(rng, self.names) for name in self.names}
        self.steps = [self._step() for _ in range(length)]

    def _step(self):
        rng, name, node = self.rng, self.rng.choice(self.names), self.rng.randrange(self.count)
        kinds = {"pass": 10, "end": 9, "asleep": 1, "deaf": 1, "befall": 7, "order": 2, "pause": 1}
        kinds |= {"kill": 1, "stop": 1, "start": 3, "look": 4}
        befalling = rng.choice(
            (
                *(("held_up", True), ("held_up", True), ("held_up", False)),
                *(("flaky", 0), ("flaky", 0.4), ("flaky", 1), ("doom", rng.randint(1, 12))),
            )
        )
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        given = {
            "pass": lambda: (rng.choice((1, 3, 10, 30)),),
            "end": lambda: (rng.randrange(4), rng.choice(("success", "fail", "fail", "inaction", "crash"))),
            "asleep": lambda: (rng.choice((5, 50, 150)),),
            "deaf": lambda: (rng.random() < 0.5,),
            "befall": lambda: (node, *befalling),
            "order": lambda: (name,),
            "pause": lambda: (name, rng.random() < 0.5),
            "look": tuple,
        }
        return kind, rng.randrange(1 << 30), *given.get(kind, lambda: (node,))()


@contextmanager
def locked(path):
    """Another program is writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        yield


def spoiled(work, execute):
    """The disk is full when it is to be committed."""
    work(execute)
    raise sqlite3.OperationalError("database or disk is full")


class Killed(BaseException):
    """The process is gone."""


class Node:
    """One scheduler, and how it fares."""

    def __init__(self, world):
        self.world, self.plan = world, world.plan
        self.session = Session.detached(
            name=world.name,
            clock=world.clock,
            execution="thread",
            timezone="UTC",
            history=world.path,
            keep_output=False,
        )
        self.be_well()
        history = self.session.history
        history.where = ""  # no real doorbell: the world rings it
        self._transact, history._do = history._do, self.transact
        for name, fields in self.plan.tasks.items():
            FuncTask(int, session=self.session, name=name, **fields)
        scheduler = self.scheduler = self.session.scheduler
        self.held = scheduler.launcher.executors._made["thread"] = Held(scheduler._done, self.plan.capacity)
        self.held.started = world.started
        self.living = scheduler._living(None)
        self.living.__enter__()
        scheduler.others._ring = lambda _: world.ring(self)
        self.work = scheduler._work()
        self.wake = world.clock.time()

    def transact(self, work):
        """The history's own way to do something, where the file may be locked and the process may die."""
        self.doom -= 1
        if self.doom == 0:
            if self.world.rng.random() < 0.5:
                self._transact(work)
            raise Killed
        if self.world.rng.random() >= self.flaky:
            return self._transact(work)
        if self.world.rng.random() < 0.3:
            return self._transact(partial(spoiled, work))
        with locked(self.world.path):
            return self._transact(work)

    def be_well(self):
        """Not held up, with a file that is never locked, and many transactions yet to live."""
        self.held_up, self.flaky, self.doom = False, 0, 0

    @property
    def is_well(self):
        return not (self.held_up or self.flaky or self.doom > 0 or self.scheduler.launcher.unwritten)

    def is_ready(self):
        return not self.held_up and (self.wake <= self.world.clock.time() or not self.scheduler.idle)

    def cycle(self):
        """One cycle; False when it has ended."""
        pause = next(self.work, None)
        if pause is not None:
            self.wake = self.world.clock.time() + min(pause, LONGEST_NAP)
        return pause is not None

    def close(self):
        self.living.__exit__(None, None, None)
        self.session.close()

    def kill(self):
        """Nothing is recorded any more, and its process id is somebody else's."""
        history, owner = self.session.history, self.session.history.owner
        if history._database is not None:
            history._database.close()
            history._database = None
        history._do = lambda work: None
        self.work.close()
        self.scheduler.launcher.runs.clear()
        with suppress(Killed):
            self.close()
        with closing(sqlite3.connect(self.world.path, isolation_level=None)) as other:
            other.execute("UPDATE redengine_owners SET since = 'gone' WHERE owner = ?", (owner.id,))


class World:
    """Some schedulers on one history.

    Args:
        plan: What they do, and what happens to them.
        folder: Where the history is kept.
    """

    name = "shared"

    def __init__(self, plan, folder):
        self.plan, self.path = plan, folder / "runs.db"
        self.clock = ManualClock(instant(plan.start))
        self.rng = random.Random(0)
        self.starts, self.problems, self.dead = [], [], set()
        self.orders, self.moves = Counter(), 0
        self.deaf = self.prompt = False
        self.line = open_database(str(self.path))  # the command line's
        self.nodes = [Node(self) for _ in range(plan.count)]

    # what they do to one another

    @property
    def alive(self):
        return [node for node in self.nodes if node is not None]

    def started(self, run):
        self.moves += 1
        self.starts.append(run)

    def ring(self, caller=None):
        for node in () if self.deaf else self.alive:
            if node is not caller:
                node.scheduler.others.look_again()

    def forget(self, node):
        self.problems.extend(node.session.problems)
        if node in self.nodes:
            self.nodes[self.nodes.index(node)] = None

    # time

    def advance(self, seconds):
        until = self.clock.time() + seconds
        self.rest()
        while (left := until - self.clock.time()) > 0:
            wakes = [node.wake for node in self.alive if not node.held_up]
            now = self.clock.time()
            self.clock.advance(max(0, min(min(wakes, default=until) - now, left)))
            self.rest()

    def rest(self):
        """Have them do all that is due now, in turns."""
        idle = 0
        while ready := [node for node in self.alive if node.is_ready()]:
            before = self.moves
            node = self.rng.choice(ready)
            self.cycle(node)
            self.check_now()
            for other in self.alive if self.prompt else ():
                self.end(other, "success")
            idle = 0 if self.moves != before else idle + 1
            if idle > MOST_CYCLES:
                raise Difference(f"scheduler {self.nodes.index(node)} never sleeps")

    def cycle(self, node):
        try:
            return node.cycle()
        except Killed:
            self.kill(node)
            return False

    def check_now(self):
        """Nothing runs beside itself that may not."""
        running = Counter(run.task.name for node in self.alive for run in node.held.held)
        for name, count in running.items():
            if count > 1 and not self.plan.tasks[name].get("multilaunch"):
                raise Difference(f"{name} runs {count} times at once")

    def end(self, node, action, number=None):
        """End the runs of a scheduler, or one of them."""
        for run in node.held.held[:] if number is None else [node.held.held[number]]:
            self.moves += 1
            node.held.held.remove(run)
            node.held.done(run, Outcome(action))

    # steps

    def take(self, step):
        kind, salt, *given = step
        self.rng.seed(salt)
        getattr(self, f"do_{kind}")(*given)
        self.rest()

    do_pass = advance

    def do_asleep(self, seconds):
        self.clock.advance(seconds)

    def do_end(self, number, action):
        runs = [(node, at) for node in self.alive for at in range(len(node.held.held))]
        if runs:
            node, at = runs[number % len(runs)]
            self.end(node, action, at)

    def do_look(self):
        """Those that are well look, and then know what the history knows."""
        for node in [node for node in self.alive if node.is_well]:
            node.scheduler.others._look_now()
            states = self.line.states(self.name)
            for name in self.plan.tasks:
                check_knowledge([node], name, states)

    def do_deaf(self, deaf):
        self.deaf = deaf

    def do_befall(self, number, what, value):
        if self.nodes[number] is not None:
            setattr(self.nodes[number], what, value)

    def do_order(self, name):
        if name not in self.plan.tasks:
            return
        self.orders[name] += 1
        self.tell(name, "run")

    def do_pause(self, name, paused):
        self.tell(name, "pause" if paused else "resume")

    def tell(self, name, wish):
        self.line.order(self.name, name, wish, self.clock.time())
        self.ring()

    def do_kill(self, number):
        if self.nodes[number] is not None:
            self.kill(self.nodes[number])

    def kill(self, node):
        self.dead.add(node.session.history.owner.id)
        node.held.held.clear()
        node.kill()
        self.forget(node)

    def do_stop(self, number):
        """End in good order: what runs ends, and others may go on meanwhile."""
        node = self.nodes[number]
        if node is None:
            return
        node.be_well()
        node.session.shut_down()
        while node.cycle():
            self.end(node, "success")
        node.close()
        self.forget(node)

    def do_start(self, number):
        if self.nodes[number] is None:
            self.nodes[number] = Node(self)

    # what must be true in the end

    def settle(self):
        """All is well again, and what runs ends at once; until nothing is left to do."""
        self.deaf = False
        for node in self.alive:
            node.be_well()
        if not self.alive:
            self.do_start(0)
        for name in self.plan.tasks:
            self.tell(name, "resume")
        self.prompt = True
        self.advance(SETTLING)
        for node in self.alive:
            node.scheduler.others.look_again()
        self.rest()


def play(plan, folder, steps=None):
    """Play a plan's steps in a new file; raises `Difference`. How many runs there were."""
    for old in folder.glob("runs.db*"):
        old.unlink()
    world = World(plan, folder)
    try:
        for step in plan.steps if steps is None else steps:
            world.take(step)
        world.settle()
        check(world)
    finally:
        for node in world.alive:
            world.kill(node)
        world.line.close()
    return len(world.starts)
