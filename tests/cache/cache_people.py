"""Who uses caches in the world of `cache_model`: processes with a session and a hub; and whom they ask.

What is promised: once a change is known in a process (by a write of its own that returned, an event that was
handled, a connection made anew, `clear`), whoever asks there from then on gets nothing older; nobody gets
what is another's, or older than its time.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from contextlib import contextmanager
from types import SimpleNamespace

from sessionkit.cache import (
    Coherence,
    LayeredCache,
    Memoiser,
    MemoryCache,
    ResponseCache,
    SerialisedCache,
    scoped,
)
from sessionkit.errors import RequestError
from sessionkit.http import Call, Request, Response
from sessionkit.http.caching import CachedCalls
from sessionkit.outcome import Done, Exchange, Identity

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
            value, how, least = getattr(self, f"read_{world.style}")(path, control, least)
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
            age, grace = self.world.clock.monotonic() - confirmed, self.world.grace
            assert grace, f"{what}, which nobody wanted"
            assert "must-revalidate" not in control, f"{what}, which the service forbids"
            assert age <= fresh + grace or self.world.jumped, f"{what}, {age} s old"

    # Each tells the value, where it is from, and how old a version of it may be.

    def read_session(self, path, control, least):
        how = ["kept", least]

        def perform(call, _timeout):
            try:
                response = self.ask(call)
            except RequestError:
                how[:] = "in its place", self.known[path]
                raise
            how[0] = "confirmed" if response.status == 304 else "answered"
            return Exchange(response.body and response.json(), response, ())

        call = Call("GET", path, headers={"Cache-Control": control} if control else None)
        return self.calls(perform).perform(call, None).result, *how

    def calls(self, perform):
        def process(response, _call):
            return Done(response.json())

        session = SimpleNamespace(responses=self.answers, check_open=lambda: None, process=process)
        return CachedCalls(session, perform)

    def read_own(self, path, _control, least):
        """As the documentation of `set_within` shows it."""
        try:
            return self.held.get(path), "kept", least
        except KeyError:
            epoch = self.held.epoch()
            value = self.fetch(path)
            self.held.set_within(epoch, path, value)
            return value, "answered", least

    def read_memoised(self, path, _control, least):
        return self.memoiser.call(self.fetch, (path,)), "memoised", least

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
