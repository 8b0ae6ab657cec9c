"""A world of processes with caches, in which every step is somebody's decision.

Real caches, `ResponseCache`, `CachedCalls`, `Memoiser` and `Coherence`; the service is a dictionary, a hub is
a queue, and the clock stands still. What is under way stops at every point where others may come between
(`cache_turns`). A schedule is a list of steps, such as `("read", "ann", "/etag")`; one that cannot be taken
is skipped, so that any part of a schedule is one too.

What is promised: once a change is known in a process (by a write of its own that returned, an event that was
handled, a connection made anew, `clear`), whoever asks there from then on gets nothing older.
"""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
from collections import defaultdict, deque
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from cache_turns import TurnLock, Turns

from sessionkit.cache import (
    Coherence,
    FileCache,
    LayeredCache,
    Memoiser,
    MemoryCache,
    ResponseCache,
    SerialisedCache,
    database,
    http,
    layered,
    memory,
    scoped,
)
from sessionkit.errors import CacheError, ConnectionFailed, RequestError, ServerError
from sessionkit.events.topics import CONNECTED
from sessionkit.http import Call, Request, Response
from sessionkit.http.caching import CachedCalls
from sessionkit.outcome import Done, Exchange, Identity
from sessionkit.testing import ManualClock

URL = "https://model.test"
COOKIE = "sid=cookie-12345"
TTL = 20.0
# Path: how the service dates it, its Cache-Control, and for how long an answer is fresh then.
RESOURCES = {
    "/etag": ("etag", "max-age=20", 20.0),
    "/dated": ("last-modified", "", TTL),
    "/plain": ("", "", TTL),
    "/strict": ("etag", "max-age=10, must-revalidate", 10.0),
    "/closed": ("etag", "no-store", 0.0),
    "/own": ("", "private, max-age=20", 20.0),
    "/tongue": ("", "", TTL),
}
PEOPLE = {"ann": ("ann", "en"), "anna": ("ann", "nb"), "ann2": ("ann", "en"), "bob": ("bob", "en")}


class Service:
    """What there is, in which version, and what was said of it."""

    def __init__(self, world):
        self.world = world
        self.versions = dict.fromkeys(RESOURCES, 1)
        self.failing = None
        self.said = {}
        self.confirmed = {}

    def answer(self, call, who):
        """A response; each that has a body has a number of its own, which its validators tell."""
        if self.failing:
            raise self.failing
        path = call.uri
        request = Request(call.method, URL + path)
        if call.method != "GET":
            self.change(path)
            return Response(200, {}, b"null", request.url, request)
        dated, control, _ = RESOURCES[path]
        version, number = self.versions[path], len(self.said)
        asked = (call.headers or {}).get("If-None-Match" if dated == "etag" else "If-Modified-Since")
        kept = None if asked is None else int(asked.split("#")[1])
        if kept is not None and self.said[kept]["version"] == version:
            self.confirmed[kept] = self.world.clock.monotonic()
            return Response(304, {}, b"", request.url, request)
        principal, tongue = PEOPLE[who]
        body = {"path": path, "version": version, "n": number, "for": principal, "tongue": tongue}
        self.said[number] = body
        self.confirmed[number] = self.world.clock.monotonic()
        headers = {"Set-Cookie": COOKIE, "Cache-Control": control, dated or "X": f"v{version}#{number}"}
        headers |= {"Vary": "Accept-Language"} if path == "/tongue" else {}
        return Response(200, headers, json.dumps(body).encode(), request.url, request)

    def change(self, path):
        self.versions[path] += 1
        for process in self.world.processes.values():
            process.announce({"topic": "changed", "path": path})


class Process:
    """A session-like user of caches, who listens to a hub: what it does, and what it must not see."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.principal, self.tongue = PEOPLE[name]
        self.known = defaultdict(int)
        self.queue = deque()
        self.connected = True
        self.handling = False
        self.start()

    def start(self):
        world, self.handlers = self.world, []
        self.near = MemoryCache(world.near_entries, clock=world.clock)
        self.far = world.far()
        layers = [cache for cache in (self.near if world.layered else None, self.far) if cache is not None]
        self.cache = LayeredCache(layers) if len(layers) > 1 else layers[0] if layers else self.near
        identity = Identity("model", self.principal, URL)
        if world.style == "session":
            self.answers = self.held = ResponseCache(
                self.cache,
                identity,
                ttl=TTL,
                stale_if_error=world.grace,
                shared=world.shared,
                headers={"Accept-Language": self.tongue},
                touches=(lambda call: [f"^GET {call.uri}$"]) if world.touches else None,
                clock=world.clock,
            )
        else:
            self.held = SerialisedCache(scoped(self.cache, identity, shared=world.shared))
            self.memoiser = Memoiser(self.held)
        Coherence(self, self.held, self.mapping, subscription="topic=changed")

    def mapping(self, event):
        path = event["path"]
        whole = {"session": f"GET {path}", "own": path}.get(self.world.style)
        return [re.compile(re.escape(path)) if whole is None or self.world.touches else whole]

    def __cache_key__(self):
        return self.principal, self.tongue

    # The hub

    def subscribe(self, subscription, callback):
        self.handlers.append((subscription, callback))
        return str(len(self.handlers))

    def announce(self, event):
        if self.connected:
            self.queue.append(event)

    def handle(self, event):
        with self.learning([event["path"]] if "path" in event else RESOURCES):
            for subscription, callback in self.handlers:
                if subscription == f"topic={event['topic']}":
                    callback(event)
        self.handling = False

    @contextmanager
    def learning(self, paths):
        """Whoever asks after this gets nothing older than what there is now."""
        versions = dict(self.world.service.versions)
        yield
        for path in paths:
            self.known[path] = max(self.known[path], versions[path])

    # What it does

    def ask(self, call):
        """The service's answer, on which others may come between both ways."""
        self.world.turns.point()
        try:
            return self.world.service.answer(call, self.name)
        finally:
            self.world.turns.point()

    def read(self, path, control=""):
        world, least, begun = self.world, self.known[path], self.world.clock.monotonic()
        try:
            value, how = getattr(self, f"read_{world.style}")(path, control)
        except RequestError:
            return
        what = f"{self.name} read {path} ({how}) in version {value['version']}"
        assert value["path"] == path, f"{what}: of {value['path']}"
        assert world.shared or value["for"] == self.principal, f"{what}: of {value['for']}"
        varies = path == "/tongue" and world.style != "own"
        assert not varies or value["tongue"] == self.tongue, f"{what}: in another language"
        assert value["version"] >= least, f"{what} and knew of {least}"
        assert not (control and how == "kept"), f"{what} and wanted a new answer"
        if world.style == "session":
            self.check_age(value, how, begun, what)

    def check_age(self, value, how, begun, what):
        _, control, fresh = RESOURCES[value["path"]]
        confirmed = self.world.service.confirmed[value["n"]]
        if how == "kept" and not self.world.jumped:
            assert begun - confirmed < fresh, f"{what}, {begun - confirmed} s old"
        if how == "in its place":
            assert value["version"] >= self.known[value["path"]], f"{what}, which had been dropped"
            age, grace = self.world.clock.monotonic() - confirmed, self.world.grace
            assert grace, f"{what}, which nobody wanted"
            assert "must-revalidate" not in control, f"{what}, which the service forbids"
            assert age <= fresh + grace or self.world.jumped, f"{what}, {age} s old"

    def read_session(self, path, control):
        how = ["kept"]

        def perform(call, _timeout):
            how[0] = "in its place"
            response = self.ask(call)
            how[0] = "confirmed" if response.status == 304 else "answered"
            return Exchange(response.body and response.json(), response, ())

        call = Call("GET", path, headers={"Cache-Control": control} if control else None)
        return self.calls(perform).perform(call, None).result, how[0]

    def calls(self, perform):
        def process(response, _call):
            return Done(response.json())

        session = SimpleNamespace(responses=self.answers, check_open=lambda: None, process=process)
        return CachedCalls(session, perform)

    def read_own(self, path, _control):
        """As the documentation of `set_within` shows it."""
        try:
            return self.held.get(path), "kept"
        except KeyError:
            epoch = self.held.epoch()
            value = self.fetch(path)
            self.held.set_within(epoch, path, value)
            return value, "answered"

    def read_memoised(self, path, _control):
        return self.memoiser.call(self.fetch, (path,)), "memoised"

    def fetch(self, path):
        return self.ask(Call("GET", path)).json()

    def write(self, path):
        try:
            self.write_session(path) if self.world.style == "session" else self.write_own(path)
        except RequestError:
            return

    def write_session(self, path):
        call, told = Call("PUT", path), []

        def perform(call, _timeout):
            response = self.ask(call)
            told.append(self.world.service.versions[path])
            return Exchange(None, response, ())

        self.calls(perform).perform(call, None)
        self.known[path] = max(self.known[path], *told)

    def write_own(self, path):
        self.ask(Call("PUT", path))
        self.clear(path)

    def clear(self, path):
        with self.learning([path]):
            if self.world.style != "session":
                self.held.advance()
            self.held.clear(re.escape(path))


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
        for name in ("read", "write"):
            undo.enter_context(mock.patch.object(database.Database, name, reaching(made, name)))
        made.begin()
        undo.callback(lambda: [cache.close() for cache in made.opened])
        undo.callback(made.turns.kill)
        yield made


def reaching(made, name):
    real = getattr(database.Database, name)

    def reach(self, task):
        made.reach()
        return real(self, task)

    return reach


WEIGHTS = {
    "go": 50,
    "read": 16,
    "write": 5,
    "change": 4,
    "deliver": 12,
    "clear": 1,
    "advance": 5,
    "jump": 2,
    "cut": 0.5,
    "connect": 1,
    "kill": 0.5,
    "down": 2,
    "refuse": 1.5,
    "harm": 0.5,
}


def schedule(rng, length):
    """A random list of steps of a few people, on one path or two."""
    paths = rng.sample(sorted(RESOURCES), rng.choice([1, 1, 2]))
    people = rng.sample(sorted(PEOPLE), rng.choice([1, 2, 3, 4]))
    arguments = {
        "go": lambda: (rng.randrange(12), rng.choice([1, 1, 2, 3, 5, 8, 99])),
        "change": lambda: (rng.choice(paths),),
        "advance": lambda: (rng.choice([1.0, 5.0, 9.0, 15.0, 25.0]),),
        "jump": lambda: (rng.choice([-40.0, -10.0, 10.0, 40.0]),),
        "down": lambda: (rng.choice(["", "", "lost", "5xx"]),),
        "refuse": lambda: (rng.random() < 0.4,),
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
        "layered": rng.random() < 0.7,
        "shared": rng.random() < 0.2,
        "touches": rng.random() < 0.5,
        "grace": rng.choice([0.0, 15.0]),
        "near_entries": rng.choice([2, 10]),
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


def shortest(steps, **kind):
    """The steps without which the promise holds."""
    size = len(steps)
    while size:
        kept, start = steps, 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if broken_promise(fewer, **kind):
                kept = fewer
            else:
                start += size
        size = size if size == 1 and len(kept) < len(steps) else size // 2
        steps = kept
    return steps


def search(seeds, length=120, stores=("memory", "memory", "memory", "file", "none")):
    """What is wrong with the first random schedule with which something is; "" when there is none."""
    for seed in seeds:
        rng = random.Random(seed)
        kind, steps = options(rng, stores), schedule(rng, length)
        if broken_promise(steps, **kind):
            steps = shortest(steps, **kind)
            lines = "\n".join(f"    {step!r}," for step in steps)
            return f"seed {seed}, {kind}: {broken_promise(steps, **kind)}\n{lines}"
    return ""
