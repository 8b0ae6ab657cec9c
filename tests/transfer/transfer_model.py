"""Downloads of several processes into one folder, in which every step is somebody's decision.

Real downloads (`Fetch`, `PartFile`) ask a real session, and that asks `scripted_files` over sockets. `turns`
lets one of them go on at a time, from one point to the next: before a request, a piece of its answer, and
each thing that is done to the disk. A schedule is a list of steps, such as `("run", "ann", 3)`; one that
cannot be taken is skipped, so that any part of a schedule is one too. Files have some dozens of bytes; what
the product takes for small, much and a piece is scaled down to that.
"""

import os
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

from files_service import Files
from scripted_files import Version, md5
from transfer_disk import Disk
from turns import Turns

from sessionkit.errors import SessionKitError
from sessionkit.http import RetryPolicy
from sessionkit.http.stream import Stream
from sessionkit.transfer import Damaged, Download, fetch, part
from sessionkit.transfer.fetch import Fetch, Options
from sessionkit.transfer.progress import Meter

PIECE = 32
SCALED_PART = {"_HELD": 24, "_NOTED_AT_ONCE": 64}
SCALED_FETCH = {"_WORTHWHILE": 48, "_BACKOFF": RetryPolicy(base=0)}
PEOPLE = ("ann", "bob", "cat")
NAMES = ("a", "b")
ATTEMPTS = 3
MOST_REQUESTS = 60
FOREIGN = b"something else"
WRONG = "md5:" + "0" * 32


def is_sure(item):
    """Whether a download knows its file's checksum, and takes no damaged one for it."""
    return item.checksum not in {None, "etag"}


def is_strong(answer):
    """What somebody accepts."""
    return not answer.headers.get("etag", "").startswith("W/")


class Person:
    """A process that downloads one file at a time."""

    def __init__(self, name):
        self.name = name
        self.stop = threading.Event()
        self.files = set()
        self.name_wanted = ""


class World:
    """Three processes, a folder and a service."""

    def __init__(self, turns, folder, server, session):
        self.turns, self.folder, self.server, self.session = turns, folder, server, session
        self.people = {name: Person(name) for name in PEOPLE}
        self.full = False
        self.disturbed = 0
        self.killed = set()
        self.history = {name: [] for name in NAMES}
        self.foreign = {name: {FOREIGN} for name in NAMES}
        self.placed = dict.fromkeys(NAMES, 0)
        for name in NAMES:
            self.do_change(name, 100, "md5")
        turns.watch = self.watch

    # What there is

    def at(self, name):
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def beside(self, name):
        """What is left of downloads of a file."""
        return sorted(each.name for each in os.scandir(self.folder) if each.name.startswith(f"{name}."))

    def contents(self, name, versions, checked):
        """What a file may be when it is of one of these versions; who checks nothing may get a forgery."""
        forged = name in self.server.forged and not checked
        return {each.content for each in versions} | {each.corrupt for each in versions if forged}

    def loners(self, name):
        """Who is at work on a file."""
        return [
            task
            for task in self.turns.tasks.values()
            if task.process.name_wanted in {name, "latest"} and not task.over
        ]

    def state(self):
        return self.disturbed, self.server.planned, self.server.latest

    # What must hold

    def watch(self):
        """A part is the beginning of what its note says, whenever a process may be killed."""
        for name in NAMES:
            beside = self.beside(name)
            for left in beside:
                if f"{left}.etag" not in beside:
                    continue
                said, got = (self.folder / f"{left}.etag").read_text(), (self.folder / left).read_bytes()
                for version in self.history[name]:
                    whole = self.contents(name, [version], checked=False)
                    if version.etag == said and not any(each.startswith(got) for each in whole):
                        self.turns.complain(f"{left} is noted as {said}, which does not begin so")

    def watch_placing(self, path, item, since):
        """A file got its name."""
        got, name = path.read_bytes(), path.name
        self.placed[name] += 1
        who = self.turns.running.name
        if got not in self.contents(name, self.history[name], is_sure(item)):
            self.turns.complain(f"{who} put {name} in place, which is no version of it")
        elif got not in self.contents(name, self.history[name][since[name] :], is_sure(item)):
            self.turns.complain(f"{who} put {name} in place in a version that was no more")
        self.watch_promise(name, got, item, who)

    def watch_promise(self, name, got, item, who):
        if item.size is not None and len(got) != item.size:
            self.turns.complain(f"{who}'s {name} has not the size it must have")
        wanted = (item.checksum or "").partition(":")[2]
        if wanted and md5(got) != wanted:
            self.turns.complain(f"{who}'s {name} has not the checksum it must have")

    def watch_record(self, record, person, item, before):
        """A download ended."""
        who, name = person.name, person.name_wanted
        alone = before["state"] == self.state() and before["alone"]
        if record.state == "failed" and not isinstance(record.error, SessionKitError):
            self.turns.complain(f"{who}'s download failed with {record.error!r}")
        if record.state == "failed" and alone and not (self.full or before["blocked"] or before["wrong"]):
            self.turns.complain(f"{who}'s download of {name} failed without a reason: {record.error}")
        if isinstance(record.error, Damaged) and (sent := self.server.sent.get(who)) is not None:
            fits = item.size in {None, len(sent.content)}
            if fits and item.checksum in {None, "etag", f"md5:{md5(sent.content)}"}:
                self.turns.complain(f"{who} was sent {name} as it must be, and found it damaged")
        if record.path is not None:
            name = record.path.name
            self.watch_success(record, who, name, item, before)
            if alone:
                self.watch_thrift(record, who, before[name], item)
        elif record.state == "failed" and name in NAMES and not self.others_at(name) - {who}:
            left = self.beside(name)
            if name not in self.killed and left not in ([], [f"{name}.part", f"{name}.part.etag"]):
                self.turns.complain(f"{who}'s failure left {left}")

    def others_at(self, name):
        return {task.name for task in self.loners(name)}

    def watch_success(self, record, who, name, item, before):
        got = self.at(name)
        if got is None or record.size != len(got):
            if self.placed[name] == before[name]["placed"] + (record.state == "fetched"):
                self.turns.complain(f"{who} was told of {name}, which is not there so")
            return
        if record.state == "present" and self.placed[name] == before[name]["placed"]:
            if before["existing"] == "replace":
                self.turns.complain(f"{who} wanted {name} anew")
            if before["existing"] == "check":
                self.watch_promise(name, got, item, who)
                known = item.size is not None and not item.checksum
                if not known and got not in self.contents(name, self.history[name], is_sure(item)):
                    self.turns.complain(f"{who} was told that {name} is right, and it is not")
        if not self.others_at(name) - {who}:
            self.killed.discard(name)
            if left := self.beside(name):
                self.turns.complain(f"{who}'s success left {left}")

    def watch_thrift(self, record, who, before, item):
        """Nobody else did anything meanwhile."""
        name = record.path.name
        if before["whole"] and record.state == "fetched":
            self.turns.complain(f"{who} fetched {name}, which was whole and there")
        most = 0 if record.state == "present" else max(1, record.size - before["carried"])
        if record.received > most:
            self.turns.complain(f"{who} received {record.received} bytes of {name}, {most} were missing")

    def look(self, item, options, name):
        """What a download begins with."""
        found = {
            "state": self.state(),
            "alone": not any(self.others_at(each) - {self.turns.running.name} for each in NAMES),
            "existing": options["existing"],
            "wrong": item.checksum == WRONG or (item.size or 0) > 900,
            "blocked": any((self.folder / each).is_dir() for each in NAMES),
        }
        for each in NAMES:
            now, got, note = self.history[each][-1], self.at(each), self.folder / f"{each}.part.etag"
            same = (
                note.exists()
                and each not in self.server.forged
                and note.read_text() == now.etag
                and now.kind in {"md5", "own"}
            )
            left = self.folder / f"{each}.part"
            sized = item.size is not None and not item.checksum and name == each
            sure = sized or is_sure(item) or now.kind == "md5"
            found[each] = {
                "whole": got == now.content and sure and options["existing"] != "replace",
                "carried": left.stat().st_size if same and left.exists() else 0,
                "placed": self.placed[each],
            }
        return found

    # A download

    def item(self, who, name, size, checksum):
        now = self.history[name if name in NAMES else self.server.latest][-1]
        sums = {"right": f"md5:{md5(now.content)}", "wrong": WRONG}
        return Download(
            f"/{name}",
            self.folder / name if name in NAMES else self.folder,
            size={None: None, "right": len(now.content), "wrong": 999}[size],
            checksum=sums.get(checksum, checksum),
            name=None if name in NAMES else lambda answer: answer.url,
            headers={"X-Who": who, **({"X-Checked": "1"} if checksum in {"right", "wrong"} else {})},
        )

    def download(self, person, name, existing="check", size=None, checksum=None, accept=None):
        """What `do_all` does with each task."""
        person.name_wanted = name
        item = self.item(person.name, name, size, checksum)
        self.disturbed += 1
        before = self.look(item, {"existing": existing}, name)
        person.watch = partial(
            self.watch_placing, item=item, since={each: len(self.history[each]) - 1 for each in NAMES}
        )
        told, asked = [], self.server.asked
        meter = Meter(told.append, 1, self.turns.clock)
        options = Options(existing, accept and is_strong, ATTEMPTS, None, True, self.turns.clock)
        task = Fetch(self.session, item, options, meter, person.stop)
        came = None
        if task.call is not None:
            try:
                came = self.session.perform(task.call)
            except SessionKitError as error:
                came = error
        record = task.finish(came)
        self.watch_record(record, person, item, before)
        meter.finish()
        counted = (told[-1].bytes, told[-1].fetched, told[-1].present, told[-1].failed)
        right = [record.state == each for each in ("fetched", "present", "failed")]
        if record.state != "cancelled" and counted != (record.size * right[0], *right):
            self.turns.complain(f"{person.name} was told of {told[-1]}, and had {record}")
        if before["alone"] and self.server.asked - asked > MOST_REQUESTS:
            self.turns.complain(f"{person.name} asked {self.server.asked - asked} times for {name}")
        person.name_wanted = ""

    # Steps

    def step(self, name, *arguments):
        getattr(self, f"do_{name}")(*arguments)
        self.watch()
        assert not self.turns.complaint, self.turns.complaint

    def do_get(self, who, name, *options):
        if who not in self.turns.tasks:
            person = self.people[who] = Person(who)
            self.turns.start(who, partial(self.download, person, name, *options), person)
            self.turns.step(who)

    def do_run(self, who, times=1):
        for _ in range(times):
            self.turns.step(who)

    def do_tick(self):
        self.turns.tick()

    def do_plan(self, kind, cut=None):
        self.server.plans.append((kind, cut))

    def do_change(self, name, size, kind):
        self.do_serve(name, Version(name, len(self.history[name]), size, kind))

    def do_back(self, name):
        self.do_serve(name, self.history[name][max(0, len(self.history[name]) - 2)])

    def do_serve(self, name, version):
        self.history[name].append(version)
        self.server.now[name] = version
        self.disturbed += 1

    def do_latest(self, name):
        self.server.latest = name

    def do_stop(self, who):
        self.people[who].stop.set()
        self.disturbed += 1

    def do_kill(self, who):
        if who in self.turns.tasks:
            person = self.people[who]
            self.killed.update(NAMES if person.name_wanted == "latest" else {person.name_wanted})
            self.turns.kill(person)
            for file in person.files:
                os.close(file)
            self.disturbed += 1

    def do_plant(self, name, what):
        """Put something there, while nobody is at work."""
        path, parted = self.folder / name, self.folder / f"{name}.part"
        if self.turns.tasks or path.is_dir():
            return
        if what in {"foreign", "older", "torn"}:
            first = self.history[name][0].content
            path.write_bytes({"foreign": FOREIGN, "older": first, "torn": first[:50]}[what])
            self.foreign[name].add(path.read_bytes())
        elif what == "folder":
            path.unlink(missing_ok=True)
            path.mkdir()
        elif what == "part":
            parted.write_bytes(FOREIGN)
            Path(f"{parted}.etag").unlink(missing_ok=True)
        else:
            parted.write_bytes(FOREIGN)
            Path(f"{parted}.etag").write_text('"foreign"')

    def do_tidy(self, name):
        """Somebody removes what is in the file's place."""
        path = self.folder / name
        if not self.turns.tasks:
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)

    def do_full(self):
        self.full = True
        self.disturbed += 1

    def do_space(self):
        self.full = False
        self.disturbed += 1

    # The end

    def finish(self):
        """When all is well again, one more attempt brings each file, whatever happened before."""
        self.turns.settle()
        self.server.plans.clear()
        self.step("space")
        for name in NAMES:
            if (self.folder / name).is_dir():
                self.do_tidy(name)
            self.step("get", "ann", name, "check", None, "etag" if name == "a" else None)
            self.turns.settle()
            assert not self.turns.complaint, self.turns.complaint
            forgeries = self.contents(name, self.history[name][-1:], checked=False)
            assert self.at(name) in forgeries, f"{name} is not what it should be in the end"
            assert not self.beside(name), f"{self.beside(name)} are left in the end"


@contextmanager
def world(folder, server):
    """A world in which nobody moves yet."""

    class Asking(Files):
        def perform(self, call, **options):
            turns.point()
            return super().perform(call, **options)

    class Pieces(Stream):
        def __iter__(self):
            for chunk in super().__iter__():
                for start in range(0, len(chunk), PIECE):
                    turns.point()
                    yield chunk[start : start + PIECE]

    with ExitStack() as undo:
        turns = Turns()
        retry = RetryPolicy(base=0)
        session = undo.enter_context(Asking.detached(server.url, timeout=5, retry=retry, proxies=False))
        server.reset()
        folder.mkdir(exist_ok=True)
        made = World(turns, folder, server, session)
        undo.enter_context(mock.patch.multiple(part, **Disk(made).patched(), **SCALED_PART))
        undo.enter_context(mock.patch.multiple(fetch, Stream=Pieces, **SCALED_FETCH))
        undo.enter_context(turns)
        yield made
        for task in list(turns.tasks.values()):
            made.do_kill(task.name)
        for left in folder.iterdir():
            left.rmdir() if left.is_dir() else left.unlink()
