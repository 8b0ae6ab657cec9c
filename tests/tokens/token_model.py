"""Token sources of several threads and processes, in which every step is somebody's decision.

Real sources (`TokenSource`, `Flight`) with real stores (memory, a file with its locks, Redis with its) ask a
token service of a few lines. `turns` lets one of their threads go on at a time, from one point to the next:
before and after a lock is taken, the store is read or written, the service is asked, a call is answered. A
schedule is a list of steps, such as `("run", "ann1", 3)`: ann's first thread begins a call, or goes on with it
for three points. A step that cannot be taken is skipped, so that any part of a schedule is one too.
"""

import errno
import math
import random
import re
from contextlib import ExitStack, contextmanager
from unittest import mock

import filelock
import redis
from turns import EPSILON, Killed, Turns

from sessionkit import files
from sessionkit.clock import Deadline
from sessionkit.errors import DeadlineExceeded, ServerError
from sessionkit.tokens import (
    FileTokenStore,
    MemoryTokenStore,
    Token,
    TokenSource,
    document,
    file,
    flight,
    memory,
    source,
)
from sessionkit.tokens import redis as redis_store

# "eve" is another identity in the same store.
KEYS = {"ann": "key", "bob": "key", "cat": "key", "eve": "other"}
THREADS = ("ann1", "ann2", "bob1", "bob2", "cat1", "eve1")
REFRESH_TIMEOUT = 10.0
ADVISORY, ADVISORY_SHARE = 300.0, 0.25


class Issued:
    """A token, as its service knows it."""

    def __init__(self, world, number, process):
        self.number = number
        self.process = process
        self.asked_at = world.clock.monotonic()
        self.ends_at = self.asked_at + world.lifetime
        self.token = Token(f"{process.key}-{number}", world.clock.time() + world.skew + world.lifetime)
        self.revoked = False


class Service:
    """Issues tokens, or does not, as `plans` say; "good" when they say nothing."""

    def __init__(self, world):
        self.world = world
        self.plans = []
        self.issued = []
        self.landed = {}
        self.asking = {}
        self.errors = []

    def fetch(self, process, deadline):
        world, plan = self.world, self.plans.pop(0) if self.plans else "good"
        task = world.turns.running
        world.watch_request(task, process)
        world.turns.point()
        record = Issued(world, len(self.issued), process)
        if world.exclusive and plan != "error":
            self.revoke(process.key)
        self.issued.append(record)
        self.asking[task] = record
        try:
            self.take_time({"slow": 8.0, "late": 50.0, "deaf": 25.0}.get(plan, 1.0), plan, deadline)
            if plan == "error":
                record.revoked = True
                raise self.failure(ServerError("no token today", status=503))
        finally:
            self.asking.pop(task, None)
        self.landed[process.key] = max(record, self.landed.get(process.key, record), key=lambda r: r.number)
        if task in world.excused | world.unkept:
            world.lose()
        record.arrived_at = process.arrived[record.token.value] = world.clock.time()
        return record.token

    def take_time(self, seconds, plan, deadline):
        patience = math.inf if plan == "deaf" else max(0.0, deadline.remaining())
        self.world.turns.running.deadline, kept = None, self.world.turns.running.deadline
        self.world.turns.wait(None, min(seconds, patience))
        self.world.turns.running.deadline = kept
        if seconds > patience:
            raise self.failure(DeadlineExceeded("the token service did not answer"))

    def failure(self, error):
        error.happened_at = self.world.clock.monotonic()
        return error

    def find(self, token):
        return self.issued[int(token.value.rpartition("-")[2])]

    def accepts(self, token):
        record = self.find(token)
        return not record.revoked and self.world.clock.monotonic() < record.ends_at

    def revoke(self, key):
        for record in self.issued:
            if record.process.key == key:
                record.revoked = True


class Watched:
    """A store, with a point before and after whatever is done with it."""

    def __init__(self, world, process, inner):
        self.world, self.process, self.inner = world, process, inner

    def load(self, key):
        self.world.turns.point()
        token = self.inner.load(key)
        if token is not None:
            self.process.arrived.setdefault(token.value, self.world.clock.time())
        self.world.turns.point()
        return token

    def save(self, *arguments):
        self._write(self.inner.save, *arguments)

    def remove(self, *arguments):
        self._write(self.inner.remove, *arguments)

    def _write(self, write, *arguments):
        task = self.world.turns.running
        self.world.turns.point()
        # What was fetched is kept, by design, although that may take longer than the deadline.
        kept, task.deadline = task.deadline, None
        write(*arguments)
        task.deadline = kept
        self.world.turns.point()

    @contextmanager
    def lock(self, key, deadline):
        world = self.world
        world.turns.point()
        with ExitStack() as held:
            try:
                held.enter_context(self.inner.lock(key, deadline))
            except DeadlineExceeded:
                world.watch_lock_timeout(key)
                raise
            world.holders[key] = world.turns.running
            world.turns.point()
            yield
            world.turns.point()
        world.holders.pop(key, None)
        world.turns.point()


class Process:
    """A source with a store of its own, and what its threads know."""

    def __init__(self, world, name):
        self.world, self.name, self.key = world, name, KEYS[name]
        self.dead = False
        self.refused = set()
        self.arrived = {}
        self.forgotten = set()
        self.held = None
        self.source = TokenSource(
            lambda deadline: world.service.fetch(self, deadline),
            key=self.key,
            store=Watched(world, self, world.new_store()),
            refresh_timeout=REFRESH_TIMEOUT,
            clock=world.clock,
        )

    def call(self, patience):
        """What a session does: sign, send, and renew what is refused."""
        world = self.world
        deadline = Deadline.after(patience, world.clock)
        began, refused = world.clock.monotonic(), None
        try:
            for _ in range(3):
                at, known = world.clock.time(), self.refused | {refused and refused.value}
                try:
                    token = self.source.get(refused, deadline)
                finally:
                    self.refused.add(refused and refused.value)
                world.watch_use(self, token, at, known)
                world.turns.point()
                if world.service.accepts(token):
                    return
                refused = token
        except (ServerError, DeadlineExceeded) as error:
            world.watch_error(error, began, deadline)

    def forget(self):
        """What a session does at its end: sign out, and forget."""
        world = self.world
        mine = {record.number for record in world.service.issued if record.process is self}
        for token in (self.source.current, world.stored(self.key)):
            if token is not None:
                world.service.find(token).revoked = True
                mine.add(world.service.find(token).number)
        world.lose(self)
        world.turns.point()
        self.source.forget()
        world.lose(self)
        if not world.full:  # else it stays in the file, by design: a warning says so
            self.forgotten |= mine


class World:
    """Four processes, their store and their token service."""

    def __init__(self, turns, folder, server, *, kind="memory", lifetime=100.0, skew=0.0, exclusive=False):
        self.turns = turns
        self.clock = self.turns.clock
        self.kind, self.lifetime, self.skew, self.exclusive = kind, lifetime, skew, exclusive
        self.path = folder / "tokens.json"
        self.url = server and server.socket_url
        self.memory = MemoryTokenStore()
        self.read = None, {}
        self.service = Service(self)
        self.lost = 0
        self.full = self.down = self.jumped = False
        self.excused, self.unkept = set(), set()
        self.holders = {}
        self.newest = {}
        self.processes = {name: Process(self, name) for name in KEYS}
        turns.watch = self.watch

    def new_store(self):
        if self.kind == "memory":
            return self.memory
        return FileTokenStore(self.path, clock=self.clock)

    def stored(self, key):
        """What is in the store."""
        if self.kind == "memory":
            return self.memory._tokens.get(key)
        status = self.path.stat() if self.path.exists() else None
        seen = status and (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self.read[0]:
            self.read = seen, document.decode(document.read_bytes(self.path)) or {}
        return self.read[1].get(file._entry(key))

    @contextmanager
    def replacing(self, path, mode):
        """Write a file, with points, on a disk that may be full."""
        self.turns.point()
        with files.replacing(path, mode) as target:
            yield target
            if self.full:
                raise OSError(errno.ENOSPC, "the disk is full")
            try:
                self.turns.point()
            except Killed:
                path.with_name(files.temporary_name(path, "killed")).write_bytes(b'{"version"')
                raise
        self.turns.point()

    # What must hold

    def excuse(self):
        """Single flight is not promised to those who are under way: their lock was lost or not to be had."""
        self.excused.update(self.turns.tasks.values())
        self.lose()

    def lose(self, process=None):
        """Whatever was issued so far, or will be to those at work in `process`, may have to be fetched again."""
        self.lost = len(self.service.issued)
        self.unkept.update(task for task in self.turns.tasks.values() if task.process is process)

    def watch_lock_timeout(self, key):
        task, holder = self.turns.running, self.holders.get(key)
        if holder is not None and holder.killed:
            self.turns.complain(f"{task.name} waited for {holder.name}, which is dead")
        if task.deadline is None or self.clock.monotonic() < task.deadline:
            self.excuse()

    def watch_request(self, task, process):
        others = [
            other.name
            for other, record in self.service.asking.items()
            if record.process.key == process.key and other not in self.excused
        ]
        if others and task not in self.excused:
            self.turns.complain(f"{task.name} and {others} ask for a token at once")
        last = self.service.landed.get(process.key)
        if last and last.number >= self.lost and not self.full and self.is_good(last):
            self.turns.complain(f"{task.name} asks for a token while {last.token.value} is good")

    def is_good(self, record):
        told = record.token.expires_at - record.arrived_at
        due = record.token.expires_at - min(ADVISORY, ADVISORY_SHARE * told)
        return self.service.accepts(record.token) and self.clock.time() < due - EPSILON

    def watch_use(self, process, token, asked_at, known):
        name = self.turns.running.name
        if not token.value.startswith(process.key):
            self.turns.complain(f"{name} got {token.value}, another identity's token")
        if token.value in known:
            self.turns.complain(f"{name} used {token.value}, which was known to be refused")
        looked_at = max(asked_at, process.arrived.get(token.value, 0.0))
        late = token.expired(self.service.find(token).arrived_at)  # which is used once, by design
        if token.expired(looked_at) and not (late or self.jumped):
            self.turns.complain(f"{name} used {token.value}, which was known to have ended")

    def watch_error(self, error, began, deadline):
        name, now = self.turns.running.name, self.clock.monotonic()
        happened = getattr(error, "happened_at", now)
        if happened < began and happened + 5.0 < deadline.at:
            self.turns.complain(f"{name} was told of an error of an earlier request")
        if isinstance(error, DeadlineExceeded) and now == began:
            self.turns.complain(f"{name} did not wait at all, and was told: {error}")

    def watch(self):
        """What must hold after each step."""
        for key in set(KEYS.values()):
            token = self.stored(key)
            number = None if token is None else self.service.find(token).number
            last = self.newest.get(key)
            if number is not None and last is not None and number < last:
                self.turns.complain(f"{token.value} took the place of a newer one in the store")
            self.newest[key] = number
        for process in self.processes.values():
            token = process.source._held.token
            record = token and self.service.find(token)
            last, process.held = process.held, record
            stored = self.stored(process.key)
            # What was on its way into the store gets there, and is removed by the same thread.
            busy = any(task.process is process for task in self.turns.tasks.values())
            if stored is not None and not busy and self.service.find(stored).number in process.forgotten:
                self.turns.complain(f"{stored.value} was forgotten, and is in the store again")
            if record is not None and record.number in process.forgotten:
                self.turns.complain(f"{token.value} was forgotten, and {process.name} has it again")
            if record is None or last is None:
                continue
            if record.number < last.number and record.process is last.process is process:
                if token != self.stored(process.key):
                    self.turns.complain(f"{token.value} took the place of a newer one in {process.name}")

    # Steps

    def step(self, name, *arguments):
        getattr(self, f"do_{name}")(*arguments)
        self.watch()
        assert not self.turns.complaint, self.turns.complaint

    def do_run(self, who, times=1, patience=60.0):
        for _ in range(times):
            if who in THREADS and who not in self.turns.tasks:
                process = self.processes[who[:3]]
                deadline = self.clock.monotonic() + patience
                self.turns.start(who, lambda: process.call(patience), process, deadline)
            self.turns.step(who)

    def do_forget(self, name):
        process = self.processes[name]
        if f"{name}-out" not in self.turns.tasks:
            self.turns.start(f"{name}-out", process.forget, process)

    def do_plan(self, plan):
        self.service.plans.append(plan)

    def do_revoke(self):
        self.service.revoke("key")

    def do_tick(self):
        self.turns.tick()

    def do_advance(self, seconds):
        self.clock.advance(seconds)

    def do_jump(self, seconds):
        self.clock.jump(seconds)
        self.jumped = True
        self.lose()

    def do_kill(self, name):
        if self.kind != "memory":
            self.turns.kill(self.processes[name])
            self.processes[name] = Process(self, name)
            self.lose()

    def do_damage(self, content):
        """Somebody writes nonsense into the file, or removes it (None)."""
        if self.kind == "file":
            self.path.unlink(missing_ok=True)
            if content is not None:
                self.path.write_bytes(content)
            self.newest.clear()
            self.lose()

    def do_full(self):
        self.full = True
        self.lose()

    def do_space(self):
        self.full = False
        self.lose()

    # The end

    def finish(self):
        self.turns.settle()
        self.step("space")
        self.service.plans.clear()
        self.clock.advance(6.0)
        for name in self.processes:
            self.step("run", f"{name}1")
            self.turns.settle()
            current = self.processes[name].source.current
            assert current is not None, f"{name} has no token in the end"
            assert not self.turns.complaint, self.turns.complaint


@contextmanager
def world(folder, server=None, **options):
    """A world in which nobody moves yet."""
    with ExitStack() as undo:
        turns = Turns()
        for module in (source, flight, memory, redis_store):
            undo.enter_context(mock.patch.object(module, "threading", turns.threading))
        for module, name in ((filelock._api, "time"), (redis.lock, "mod_time")):
            undo.enter_context(mock.patch.object(module, name, turns.clock))
        for module in (file, redis_store):
            undo.enter_context(mock.patch.object(module, "_POLL", 0.25))
        made = World(turns, folder, server, **options)
        undo.enter_context(mock.patch.object(file, "replacing", made.replacing))
        undo.enter_context(mock.patch.object(files.os, "fsync"))
        undo.enter_context(turns)
        yield made
        for left in folder.iterdir():
            left.unlink()


WEIGHTS = {
    "run": 60,
    "hurry": 3,
    "tick": 10,
    "nudge": 4,
    "advance": 2,
    "plan": 3,
    "revoke": 2,
    "forget": 1,
    "kill": 1,
    "damage": 1,
    "full": 0.5,
    "space": 0.5,
    "jump": 0.3,
}
CONTENTS = (None, b"", b'{"version": 1, "tokens": {"', b"[]", b"\0" * 64)


def schedule(rng, length):
    """A random list of steps."""
    steps = []
    for name in rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length):
        process = rng.choice(list(KEYS))
        if name == "run":
            who = rng.choice([*THREADS, *(f"{process}-{what}" for what in ("token", "lock", "out"))])
            steps.append((name, who, rng.choice([1, 1, 2, 3, 5, 8, 13])))
        elif name == "hurry":
            steps.append(("run", rng.choice(THREADS), 1, rng.choice([1.5, 5.0, 12.0])))
        elif name == "plan":
            steps.append((name, rng.choice(["error", "error", "slow", "late", "deaf"])))
        elif name in {"nudge", "advance"}:
            steps.append(("advance", rng.choice([0.25, 0.5] if name == "nudge" else [2.0, 11.0, 30.0, 90.0])))
        elif name == "jump":
            steps.append((name, rng.choice([-3600.0, -20.0, 20.0, 3600.0])))
        elif name == "damage":
            steps.append((name, rng.choice(CONTENTS)))
        elif name in {"forget", "kill"}:
            steps.append((name, process))
        else:
            steps.append((name,))
    return steps


def options(rng):
    """What kind of world."""
    return {
        "kind": rng.choice(["memory", "file"]),
        "lifetime": rng.choice([40.0, 100.0, 3600.0]),
        "skew": rng.choice([0.0, 0.0, -15.0, 15.0]),
        "exclusive": rng.random() < 0.3,
    }


def broken_promise(folder, server, steps, **kind):
    """Which promise is broken when the steps are taken, in a few words; "" when none is."""
    with world(folder, server, **kind) as made:
        try:
            for step in steps:
                made.step(*step)
            made.finish()
        except AssertionError as error:
            return str(error) or repr(error)
    return ""


def shortest(broken, steps):
    """The steps without which nothing is `broken`."""
    size = len(steps)
    while size:
        kept, start = steps, 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if broken(fewer):
                kept = fewer
            else:
                start += size
        size = size if size == 1 and len(kept) < len(steps) else size // 2
        steps = kept
    return steps


def sort_of(broken):
    """A broken promise without names and numbers."""
    return re.sub(r"\S*\d\S*|ann|bob|cat|eve", "", broken)


def search(folder, server, seeds, length=80):
    """What is wrong with the first random schedule with which something is; "" when there is none."""
    for seed in seeds:
        rng = random.Random(seed)
        kind, steps = options(rng), schedule(rng, length)

        found = broken_promise(folder, server, steps, **kind)
        if found:
            steps = shortest(
                lambda fewer: sort_of(broken_promise(folder, server, fewer, **kind)) == sort_of(found), steps
            )
            lines = "\n".join(f"    {step!r}," for step in steps)
            return f"seed {seed}, {kind}: {broken_promise(folder, server, steps, **kind)}\n{lines}"
    return ""
