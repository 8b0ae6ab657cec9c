"""Redis streams in memory: with a clock, a log whose end can be forgotten, and connections that can be cut.

It knows the commands that hubs use, in redis-py's words; `test_redis_model.py` compares it with a real Redis.
"""

from collections import OrderedDict
from itertools import takewhile
from types import SimpleNamespace

import redis

BEGAN = 1_700_000_000_000
WRITES = {"xadd", "xgroup_create", "xreadgroup", "xack", "xautoclaim", "xclaim", "xtrim", "xdel", "delete"}
GROWING = {"xadd", "xgroup_create"}
REFUSALS = {
    "READONLY": (redis.exceptions.ReadOnlyError, WRITES),
    "OOM": (redis.exceptions.OutOfMemoryError, GROWING),
    "MISCONF": (redis.ResponseError, WRITES),
    "LOADING": (redis.BusyLoadingError, None),
    "NOAUTH": (redis.AuthenticationError, None),
}


def number(text):
    milliseconds, _, serial = text.partition("-")
    return int(milliseconds), int(serial or 0)


def text(entry_id):
    return f"{entry_id[0]}-{entry_id[1]}"


class Stream:
    def __init__(self):
        self.entries = OrderedDict()
        self.last = (0, 0)
        self.groups = {}


class Group:
    def __init__(self, last):
        self.last = last
        self.pending = {}  # identifier -> (consumer, when it was given out)


class Streams:
    """What is stored: each method is a command, told what time it is."""

    def __init__(self):
        self.streams = {}

    def xadd(self, now, key, fields, id="*", maxlen=None, approximate=True):  # noqa: A002 - redis-py's name
        stream = self.streams.setdefault(key, Stream())
        entry_id = max((now, 0), (stream.last[0], stream.last[1] + 1)) if id == "*" else number(id)
        if entry_id <= stream.last:
            raise redis.ResponseError(
                "The ID specified in XADD is equal or smaller than the target stream top item"
            )
        stream.entries[entry_id], stream.last = dict(fields), entry_id
        if maxlen is not None:
            self.xtrim(now, key, maxlen)
        return text(entry_id)

    def xtrim(self, _now, key, maxlen, approximate=True):
        stream, dropped = self.streams.get(key, Stream()), 0
        while len(stream.entries) > maxlen:
            stream.entries.popitem(last=False)
            dropped += 1
        return dropped

    def xdel(self, _now, key, entry_id):
        return int(self.streams.get(key, Stream()).entries.pop(number(entry_id), None) is not None)

    def delete(self, _now, key):
        return int(self.streams.pop(key, None) is not None)

    def xlen(self, _now, key):
        return len(self.streams.get(key, Stream()).entries)

    def xrange(self, _now, key, min="-", max="+", count=None):  # noqa: A002 - redis-py's names
        low, high = (0, 0) if min == "-" else number(min), (2**63, 0) if max == "+" else number(max)
        entries = self.streams.get(key, Stream()).entries
        found = [(text(i), fields) for i, fields in entries.items() if low <= i <= high]
        return found[:count]

    def xrevrange(self, now, key, max="+", count=None):  # noqa: A002 - redis-py's name
        return self.xrange(now, key, max=max)[::-1][:count]

    def ping(self, _now):
        return True

    def xread(self, _now, places, count=None, block=None):
        found = [[key, self._after(key, number(last))[:count]] for key, last in places.items()]
        return [each for each in found if each[1]]

    def xgroup_create(self, _now, key, group, id="$", mkstream=False):  # noqa: A002 - redis-py's name
        if key not in self.streams and not mkstream:
            raise redis.ResponseError("The XGROUP subcommand requires the key to exist")
        stream = self.streams.setdefault(key, Stream())
        if group in stream.groups:
            raise redis.ResponseError("BUSYGROUP Consumer Group name already exists")
        stream.groups[group] = Group(stream.last if id == "$" else number(id))
        return True

    def xreadgroup(self, now, group, consumer, places, count=None):
        ((key, after),) = places.items()
        entries, known = self._group(key, group)
        if after != ">":
            mine = [i for i, (who, _) in sorted(known.pending.items()) if who == consumer]
            found = [(text(i), entries.get(i)) for i in mine if i > number(after)][:count]
            return [[key, [(i, fields or {}) for i, fields in found]]]
        found = self._after(key, known.last)[:count]
        for entry_id, _ in found:
            known.last = number(entry_id)
            known.pending[known.last] = (consumer, now)
        return [[key, found]] if found else []

    def xack(self, _now, key, group, entry_id):
        known = self.streams.get(key, Stream()).groups.get(group)
        return int(known is not None and known.pending.pop(number(entry_id), None) is not None)

    def xautoclaim(self, now, key, group, consumer, min_idle_time, start_id="0-0", count=100):
        entries, known = self._group(key, group)
        rest = [i for i in sorted(known.pending) if i >= number(start_id)]
        found = []
        for entry_id in rest[:count]:
            if now - known.pending[entry_id][1] >= min_idle_time:
                known.pending[entry_id] = (consumer, now)
                found.append((text(entry_id), entries[entry_id]) if entry_id in entries else (None, None))
        return [text(rest[count]) if rest[count:] else "0-0", found]

    def xpending_range(self, _now, key, group, _min, _max, count, consumername):
        _, known = self._group(key, group)
        mine = [i for i, (who, _) in sorted(known.pending.items()) if who == consumername]
        return [{"message_id": text(entry_id)} for entry_id in mine[:count]]

    def xclaim(self, now, key, group, consumer, _idle, ids, justid):
        _, known = self._group(key, group)
        mine = [number(entry_id) for entry_id in ids if number(entry_id) in known.pending]
        known.pending.update(dict.fromkeys(mine, (consumer, now)))
        return [text(entry_id) for entry_id in mine]

    def xinfo_consumers(self, _now, _key, _group):
        return []

    def client_id(self, _now):
        return 1

    def client_unblock(self, _now, _client):
        return 1

    def _after(self, key, place):
        entries = self.streams.get(key, Stream()).entries
        return [(text(i), entries[i]) for i in [*takewhile(lambda i: i > place, reversed(entries))][::-1]]

    def _group(self, key, group):
        stream = self.streams.get(key)
        if stream is None or group not in stream.groups:
            raise redis.ResponseError("NOGROUP No such key or consumer group")
        return stream.entries, stream.groups[group]


class Server:
    """A Redis that can be told what goes wrong.

    Attributes:
        behind: Seconds by which its clock is.
        refusal: How it refuses what; a name of `REFUSALS`.
        faults: By command, what happens at its next use: "before" or "after" (the connection is lost before
            or after the command was obeyed), "interrupt" (after it), or a name of `REFUSALS`.
    """

    def __init__(self, clock):
        self.clock = clock
        self.behind = 0.0
        self.refusal = ""
        self.faults = {}
        self.log = []
        self.data = Streams()
        self.life = 0

    def now(self):
        return BEGAN + int((self.clock.monotonic() - self.behind) * 1000)

    def crash(self, forgotten=0):
        """Start again without the last commands of the log."""
        self.life += 1
        del self.log[len(self.log) - forgotten :]
        self.data = Streams()
        for _, now, commands in self.log:
            for name, arguments, options in commands:
                getattr(self.data, name)(now, *arguments, **options)

    def exchange(self):
        """Have another Redis behind the address."""
        self.life += 1
        self.log, self.data = [], Streams()

    def serve(self, client, commands):
        """Obey commands, all or none."""
        if client.life != self.life:
            raise redis.ConnectionError("lost")
        names = {name for name, *_ in commands}
        fault = next((self.faults.pop(name) for name in sorted(names) if name in self.faults), self.refusal)
        if fault in REFUSALS:
            kind, refused = REFUSALS[fault]
            if refused is None or names & refused:
                raise kind(fault)
        if fault == "before":
            client.life = -1
            raise redis.ConnectionError("before")
        answers = self.obey(*commands)
        if fault == "interrupt":
            raise KeyboardInterrupt
        if fault == "after":
            client.life = -1
            raise redis.ConnectionError("after")
        return answers

    def obey(self, *commands):
        """Do as somebody says whom nothing hinders."""
        now = self.now()
        answers = [
            getattr(self.data, name)(now, *arguments, **options) for name, arguments, options in commands
        ]
        if WRITES & {name for name, *_ in commands}:
            self.log.append((self.clock.monotonic(), now, commands))
        return answers


class Client:
    """One connection, which is never made again once it is lost."""

    def __init__(self, server):
        self.server = server
        self.life = server.life
        self.connection_pool = SimpleNamespace(disconnect=self.close)
        self.client_id()

    def __getattr__(self, name):
        return lambda *arguments, **options: self.server.serve(self, [(name, arguments, options)])[0]

    def pipeline(self, *, transaction):
        return Pipeline(self)

    def close(self):
        self.life = -1


class Pipeline:
    def __init__(self, client):
        self.client = client
        self.commands = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __getattr__(self, name):
        return lambda *arguments, **options: self.commands.append((name, arguments, options))

    def execute(self):
        return self.client.server.serve(self.client, self.commands) if self.commands else []
