"""A world of processes with caches, in which every step is somebody's decision.

Real caches, `ResponseCache`, `CachedCalls`, `Memoiser` and `Coherence` (`cache_people`); the service is a
dictionary, a hub is a queue, and the clock stands still. What is under way stops at every point where others
may come between (`cache_turns`). A schedule is a list of steps, such as `("read", "ann", "/etag")`; one that
cannot be taken is skipped, so that any part of a schedule is one too.
"""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from cache_people import COOKIE, PEOPLE, RESOURCES, Process, Service
from cache_turns import TurnLock, Turns
from shrinking import shortest, told

from sessionkit.cache import FileCache, MemoryCache, database, http, layered, memory
from sessionkit.errors import CacheError, ConnectionFailed, ServerError
from sessionkit.events.topics import CONNECTED
from sessionkit.testing import ManualClock


class Door(TurnLock):
    """The lock of a store that may refuse."""

    def __init__(self, world):
        super().__init__(world.turns)
        self._world = world

    def __enter__(self):
        self._world.reach()
        super().__enter__()


class World:
    """Four processes, one service, and what they share."""

    def __init__(self, folder, **kind):
        self.style, self.store, self.layered, self.shared, self.touches = (
            "session",
            "memory",
            True,
            False,
            True,
        )
        self.grace, self.near_entries, self.jumped, self.redis = 0.0, 10, False, None
        vars(self).update(kind)
        self.turns = Turns()
        self.clock = ManualClock()
        self.path = Path(folder) / "cache.db"
        self.refusing = False
        self.opened = []

    def begin(self):
        self.common = MemoryCache(clock=self.clock)
        self.common._lock = Door(self)
        self.service = Service(self)
        self.processes = {name: Process(self, name) for name in PEOPLE}
        if self.redis is not None:
            self.redis.clear()

    def far(self):
        """The cache that processes share, as a newly started one has it."""
        if self.store == "file":
            self.opened.append(FileCache(self.path, clock=self.clock))
            return self.opened[-1]
        return {"memory": self.common, "redis": self.redis, "none": None}[self.store]

    def reach(self):
        """Others may come between before a store is reached, and it may refuse."""
        self.turns.point()
        if self.refusing and self.turns.current is not None:
            raise CacheError("the store is locked")

    # Steps

    def step(self, name, *arguments):
        getattr(self, f"do_{name}")(*arguments)
        for process in self.processes.values():
            assert process.near.statistics.entries <= self.near_entries, "more than the bound"

    def begin_task(self, who, action, *arguments):
        process = self.processes[who]
        if self.turns.of(process) < 4:
            self.turns.begin(process, lambda: getattr(process, action)(*arguments))

    def do_read(self, who, path, control=""):
        self.begin_task(who, "read", path, control if self.style == "session" else "")

    def do_write(self, who, path):
        self.begin_task(who, "write", path)

    def do_clear(self, who, path):
        self.begin_task(who, "clear", path)

    def do_go(self, number, points):
        self.turns.step(number, points)

    def do_deliver(self, who):
        process = self.processes[who]
        if process.queue and not process.handling:
            process.handling, event = True, process.queue.popleft()
            self.turns.begin(process, lambda: process.handle(event))

    def do_change(self, path):
        self.service.change(path)

    def do_cut(self, who):
        """What is announced now is lost."""
        self.processes[who].connected = False
        self.processes[who].queue.clear()

    def do_connect(self, who):
        process = self.processes[who]
        if not process.connected:
            process.connected = True
            process.announce({"topic": CONNECTED})

    def do_kill(self, who):
        """End a process, whatever it is doing, and start it anew."""
        process = self.processes[who]
        self.turns.kill(process)
        process.handling = False
        self.do_cut(who)
        process.start()
        process.known.clear()
        self.do_connect(who)

    def do_down(self, kind):
        self.service.failing = {
            "": None,
            "lost": ConnectionFailed("lost"),
            "5xx": ServerError("", status=503),
        }[kind]

    def do_refuse(self, refusing):
        # A cache that is used as such says so itself, and promises nothing then.
        self.refusing = refusing and self.style == "session"

    def do_advance(self, seconds):
        self.clock.advance(seconds)

    def do_jump(self, seconds):
        if self.jumped:
            self.clock.jump(seconds)

    def do_harm(self, how):
        """Somebody damages or deletes what is shared."""
        if self.store != "file":
            (self.redis or self.common).clear()
        elif self.path.exists():
            getattr(self, f"harm_{how}")()

    def harm_delete(self):
        self.path.unlink()

    def harm_cut_short(self):
        os.truncate(self.path, self.path.stat().st_size // 2)

    def harm_replace(self):
        other = self.path.with_name("other")
        other.write_bytes(b"something else" * 1000)
        other.replace(self.path)

    # The end

    def settle(self):
        """Everything under way ends, what was announced is handled, and everybody looks once more."""
        self.service.failing, self.refusing = None, False
        self.finish()
        for who, process in self.processes.items():
            while process.queue:
                self.step("deliver", who)
                self.finish()
        for path in RESOURCES:
            for process in self.processes.values():
                process.read(path)

    def finish(self):
        while self.turns.step():
            pass

    def check(self):
        for process in self.processes.values():
            for value in process.cache.values():
                text = str(value)
                assert COOKIE not in text, "a cookie was kept"
                assert '"/closed"' not in text or self.style != "session", "no-store was kept"
                assert '"/own"' not in text or not self.shared or self.style != "session", "private was kept"


@contextmanager
def world(**kind):
    with ExitStack() as undo:
        made = World(undo.enter_context(tempfile.TemporaryDirectory()), **kind)
        for module in (http, layered, memory):
            locks = SimpleNamespace(RLock=made.turns.lock)
            undo.enter_context(mock.patch.object(module, "threading", locks))
        doors = [(database.Database, "read"), (database.Database, "write")]
        if made.redis is not None:
            from redis.client import Pipeline, Redis

            doors += [
                (Redis, "execute_command"),
                (Pipeline, "immediate_execute_command"),
                (Pipeline, "execute"),
            ]
        for place, name in doors:
            undo.enter_context(mock.patch.object(place, name, reaching(made, getattr(place, name))))
        made.begin()
        undo.callback(lambda: [cache.close() for cache in made.opened])
        undo.callback(made.turns.kill)
        yield made


def reaching(made, real):
    def reach(*args, **kw):
        made.reach()
        return real(*args, **kw)

    return reach


WEIGHTS = {
    "go": 44,
    "read": 18,
    "write": 5,
    "change": 4,
    "deliver": 10,
    "clear": 1,
    "advance": 3,
    "jump": 1,
    "cut": 0.5,
    "connect": 1,
    "kill": 0.5,
    "down": 1.5,
    "refuse": 1.5,
    "harm": 0.5,
}


def schedule(rng, length):
    """A random list of steps of a few people, on one path or two."""
    paths = rng.sample(sorted(RESOURCES), rng.choice([1, 2]))
    people = rng.sample(sorted(PEOPLE), rng.choice([1, 2, 2, 3, 4]))
    arguments = {
        "go": lambda: (rng.choice([-1, -1, -1, -2, *range(5)]), rng.choice([1, 2, 3, 4, 5, 7, 99, 99])),
        "change": lambda: (rng.choice(paths),),
        "advance": lambda: (rng.choice([1.0, 5.0, 9.0, 25.0]),),
        "jump": lambda: (rng.choice([-40.0, -10.0, 10.0, 40.0]),),
        "down": lambda: (rng.choice(["", "", "", "lost", "5xx"]),),
        "refuse": lambda: (rng.random() < 0.3,),
        "harm": lambda: (rng.choice(["delete", "cut_short", "replace"]),),
        "read": lambda: (rng.choice(people), rng.choice(paths), rng.choice(["", "", "", "", "no-cache"])),
        **dict.fromkeys(("write", "clear"), lambda: (rng.choice(people), rng.choice(paths))),
        **dict.fromkeys(("deliver", "cut", "connect", "kill"), lambda: (rng.choice(people),)),
    }
    names = rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    return [(name, *arguments[name]()) for name in names]


def options(rng, stores):
    """What kind of world."""
    return {
        "style": rng.choice(["session", "session", "session", "own", "memoised"]),
        "store": rng.choice(stores),
        "layered": rng.random() < 0.85,
        "shared": rng.random() < 0.2,
        "touches": rng.random() < 0.5,
        "grace": rng.choice([0.0, 15.0]),
        "near_entries": rng.choice([1, 10]),
        "jumped": rng.random() < 0.2,
    }


def broken_promise(steps, **kind):
    """Which promise is broken when the steps are taken, in a few words; "" when none is."""
    with world(**kind) as made:
        try:
            for step in steps:
                made.step(*step)
            made.settle()
            made.check()
        except AssertionError as error:
            return str(error) or repr(error)
        except Exception as error:
            return f"{error!r} came out"
    return ""


def first_broken(seeds, length=120, stores=("memory",), redis=None):
    """The first seed whose random schedule breaks a promise, its world and steps; None when none does."""
    for seed in seeds:
        rng = random.Random(seed)
        kind, steps = options(rng, stores) | {"redis": redis}, schedule(rng, length)
        if broken_promise(steps, **kind):
            return seed, kind, steps
    return None


def search(seeds, length=120, stores=("memory",), redis=None):
    """What is wrong with that one, in its shortest form; "" when nothing is."""
    found = first_broken(seeds, length, stores, redis)
    if found is None:
        return ""
    seed, kind, steps = found
    steps = shortest(steps, partial(broken_promise, **kind))
    return told(seed, kind, steps, broken_promise(steps, **kind))
