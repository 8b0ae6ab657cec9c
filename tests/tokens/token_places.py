"""What a token source of `token_model` meets: a token service, a store with points, a Redis."""

import math
from contextlib import ExitStack, contextmanager

import redis
from turns import Killed

from sessionkit.errors import DeadlineExceeded, ServerError
from sessionkit.tokens import Token
from sessionkit.tokens.redis import _decoded


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
        error.happened_at, error.task = self.world.clock.monotonic(), self.world.turns.running
        return error

    def find(self, token):
        return token and self.issued[int(token.value.rpartition("-")[2])]

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
        if task in self.world.excused:  # others may find their place in the store taken
            self.world.lose(self.world.turns.tasks.values())
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


class Gate:
    """The way to Redis: a point before each command, and locks that lapse by the world's clock."""

    def __init__(self, world, server):
        self.world = world
        self.client = server.client()
        self.client.flushdb()
        self.lapses_at = {}
        self.seen = {}

    def guarding(self, command):
        def guarded(client, *arguments, **options):
            task = self.world.turns.running
            if client is self.client:
                return command(client, *arguments, **options)
            if task is not None and task.unwinding:
                raise Killed
            self.world.turns.point()
            self.lapse()
            if self.world.down:
                raise redis.ConnectionError("Redis is away")
            if arguments[:1] != ("GET",):
                self.seen.clear()
            answer = command(client, *arguments, **options)
            if answer and "NX" in arguments:
                self.hold(arguments[1], arguments[arguments.index("PX") + 1])
            elif answer and len(arguments) == 7:  # the script that extends a lock
                self.hold(arguments[3], arguments[5])
            return answer

        return guarded

    def hold(self, name, milliseconds):
        self.lapses_at[name] = self.world.clock.monotonic() + milliseconds / 1000

    def lapse(self):
        for name, at in list(self.lapses_at.items()):
            if self.world.clock.monotonic() >= at:
                del self.lapses_at[name]
                if self.client.delete(name):
                    self.world.excuse()

    def stored(self, store, key):
        if key not in self.seen:
            self.seen[key] = _decoded(self.client.get(store._name(key)))
        return self.seen[key]
