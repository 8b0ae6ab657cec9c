"""Token sources of several threads and processes, in which every step is somebody's decision.

Real sources (`TokenSource`, `Flight`) with real stores (memory, a file with its locks, Redis with its) ask a
token service of a few lines. `turns` lets one of their threads go on at a time, from one point to the next:
before and after a lock is taken, the store is read or written, the service is asked, a call is answered. A
schedule is a list of steps, such as `("run", "ann1", 3)`: ann's first thread begins a call, or goes on
with it for three points. A step that cannot be taken is skipped, so that any part of a schedule is one too.
"""

import errno
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

import filelock
import redis
from token_places import Gate, Service, Watched
from turns import EPSILON, Killed, Turns

from sessionkit import files
from sessionkit.clock import Deadline
from sessionkit.errors import DeadlineExceeded, ServerError
from sessionkit.tokens import (
    FileTokenStore,
    MemoryTokenStore,
    RedisTokenStore,
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
LOCK_TTL, POLL = 6.0, 0.25
LONGEST_PAUSE = 5.0
ADVISORY, ADVISORY_SHARE = 300.0, 0.25


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

    @property
    def tasks(self):
        return [task for task in self.world.turns.tasks.values() if task.process is self]

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
        outages = world.outages
        signed_out = {world.service.find(token) for token in (self.source.current, world.stored(self.key))}
        signed_out.discard(None)
        for record in signed_out:
            record.revoked = True
        signed_out.update(record for record in world.service.issued if record.process is self)
        world.lose(self.tasks)
        world.turns.point()
        self.source.forget()
        world.lose(self.tasks)
        if outages == world.outages and not (world.full or world.down):  # else it stays: a warning says so
            self.forgotten |= signed_out


class World:
    """Four processes, their store and their token service."""

    def __init__(self, turns, folder, server, *, kind="memory", lifetime=100.0, skew=0.0, exclusive=False):
        self.turns = turns
        self.clock = self.turns.clock
        self.kind, self.lifetime, self.skew, self.exclusive = kind, lifetime, skew, exclusive
        self.path = folder / "tokens.json"
        self.url = server and server.socket_url
        self.gate = Gate(self, server) if kind == "redis" else None
        self.stores = []
        self.memory = MemoryTokenStore()
        self.read = None, {}
        self.service = Service(self)
        self.lost = 0
        self.full = self.down = self.jumped = False
        self.outages = 0
        self.excused, self.unkept = set(), set()
        self.holders = {}
        self.newest = dict.fromkeys(KEYS.values())
        self.processes = {name: Process(self, name) for name in KEYS}
        turns.watch = self.watch

    def new_store(self):
        if self.kind == "memory":
            return self.memory
        if self.kind == "file":
            return FileTokenStore(self.path, clock=self.clock)
        self.stores.append(RedisTokenStore(self.url, lock_ttl=LOCK_TTL, clock=self.clock))
        return self.stores[-1]

    def stored(self, key):
        """What is in the store."""
        if self.kind == "memory":
            return self.memory._tokens.get(key)
        if self.kind == "redis":
            return self.gate.stored(self.stores[0], key)
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

    def lose(self, tasks=()):
        """Whatever was issued so far, or will be to these tasks, may be lost."""
        self.lost = len(self.service.issued)
        self.unkept.update(tasks)

    def watch_lock_timeout(self, key):
        task, holder = self.turns.running, self.holders.get(key)
        patience = LOCK_TTL if self.kind == "redis" else 0.0
        if holder is not None and self.clock.monotonic() > holder.killed_at + patience + 2 * POLL:
            self.turns.complain(f"{task.name} waited for {holder.name}, which is dead")
        if task.deadline is None or self.clock.monotonic() < task.deadline:
            self.excuse()

    def watch_request(self, task, process):
        if task in self.excused or self.down:
            return
        others = [
            other.name
            for other, record in self.service.asking.items()
            if record.process.key == process.key and other not in self.excused
        ]
        if others:
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
        teller = getattr(error, "task", self.turns.running)
        if teller.over_at < began and error.happened_at + LONGEST_PAUSE < deadline.at:
            self.turns.complain(f"{name} was told of an error of an earlier request")
        if isinstance(error, DeadlineExceeded) and now == began:
            self.turns.complain(f"{name} did not wait at all, and was told: {error}")

    def watch(self):
        """What must hold after each step."""
        stored = {key: self.service.find(self.stored(key)) for key in self.newest}
        for key, now in stored.items():
            if now is not None and self.newest[key] is not None and now.number < self.newest[key].number:
                self.turns.complain(f"{now.token.value} took the place of a newer one in the store")
        self.newest = stored
        for process in self.processes.values():
            self.watch_process(process, stored[process.key])

    def watch_process(self, process, stored):
        now, last = self.service.find(process.source._held.token), process.held
        process.held = now
        # What was on its way into the store gets there, and is removed by the same thread.
        if stored in process.forgotten and not process.tasks:
            self.turns.complain(f"{stored.token.value} was forgotten, and is in the store again")
        if now in process.forgotten:
            self.turns.complain(f"{now.token.value} was forgotten, and {process.name} has it again")
        own = now is not None and last is not None and now.process is last.process is process
        if own and now.number < last.number and now is not stored:
            self.turns.complain(f"{now.token.value} took the place of a newer one in {process.name}")

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
                self.turns.start(who, partial(process.call, patience), process, deadline)
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
        if self.kind == "file" and not self.path.is_dir():
            self.path.unlink(missing_ok=True)
            if content is not None:
                self.path.write_bytes(content)
            self.newest = dict.fromkeys(self.newest)
            self.lose()

    def do_full(self):
        self.full = True
        self.outages += 1
        self.lose()

    def do_block(self):
        """Somebody puts something in the file's place that can be neither read nor written."""
        if self.kind == "file" and not self.path.is_dir():
            self.do_damage(None)
            self.path.mkdir()
            self.do_full()

    def do_space(self):
        self.full = False
        if self.path.is_dir():
            self.path.rmdir()
        self.lose()

    def do_down(self):
        self.down = True
        self.outages += 1
        self.excuse()

    def do_up(self):
        self.down = False
        self.excuse()

    # The end

    def finish(self):
        self.turns.settle()
        self.step("space")
        self.step("up")
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
            undo.enter_context(mock.patch.object(module, "_POLL", POLL))
        made = World(turns, folder, server, **options)
        undo.enter_context(mock.patch.object(file, "replacing", made.replacing))
        undo.enter_context(mock.patch.object(files.os, "fsync"))
        if made.gate is not None:
            undo.enter_context(made.gate.client)
            pipeline = redis.client.Pipeline
            for kind, name in (
                (redis.Redis, "execute_command"),
                (pipeline, "immediate_execute_command"),
                (pipeline, "execute"),
            ):
                undo.enter_context(mock.patch.object(kind, name, made.gate.guarding(getattr(kind, name))))
        undo.enter_context(turns)
        yield made
        made.do_space()
        for left in folder.iterdir():
            left.unlink()
        for store in made.stores:
            store.close()
