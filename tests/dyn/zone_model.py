"""A world of sessions that change one zone, in which every step is somebody's decision.

Two sessions: ann's, which two threads use (the second by a sibling), and bob's. Real sessions, zones and
records; the service is the sandbox's, without sockets (`zone_service`). Every call stops before the service
gets it, before its answer goes back, at every lock and at every wait. A schedule is a list of steps, such as
`("do", "ann1", "add", 4)`; one that cannot be taken is skipped, so that any part of a schedule is one too.

The promises:

- a call that succeeded was carried out, an addition or publication once; one that raised at most once, and
  its error does not say that nothing was done when something was;
- what was changed with success and is not published yet is in `pending_changes` if it waits at the service,
  in `lost_changes` if it went with its token; what is published or discarded is in neither;
- a publication that succeeded has published all that was changed before it began;
- answers are those of their calls; nobody waits for ever, or beyond what its calls may take;
- a token is fetched once for each that ended, and a closed session leaves none behind.
"""

import itertools
import json
import warnings
from contextlib import ExitStack, contextmanager, suppress
from unittest import mock
from urllib.parse import urlsplit

from turns import Threading, Turns
from zone_service import ZONE, Service

from sessionkit.errors import Conflict, InvalidRequest, NotFound, RateLimited, SessionKitError
from sessionkit.http import RetryPolicy
from sessionkit.tokens import flight, memory, source
from sessionkit_dyn import DynectSession, changeset, errors
from sessionkit_dyn.calls import rest_path
from sessionkit_dyn.errors import DynectError
from sessionkit_dyn.sandbox import jobs, sessions
from sessionkit_dyn.zones import Zone

TIMEOUT = 100.0
#: How many calls one after the other an action makes at most; as long may it take.
CALLS = {
    "add": 1,
    "update": 2,
    "remove": 2,
    "replace": 1,
    "read": 1,
    "refresh": 1,
    "changes": 1,
    "publish": 1,
    "discard": 1,
    "forget": 0,
}
PEOPLE = ("ann1", "ann2", "bob")
#: Errors that say: this was not done.
REFUSALS = (Conflict, InvalidRequest, NotFound, RateLimited)


class RLock:
    def __init__(self, turns):
        self._turns, self._owner, self._depth = turns, None, 0

    def acquire(self, blocking=True, timeout=-1):
        turns, me = self._turns, self._turns.running
        if self._owner not in (None, me):
            turns.wait(lambda: self._owner is None, float("inf") if timeout < 0 else timeout)
            if self._owner is not None:
                return False
        self._owner, self._depth = me, self._depth + 1
        return True

    def release(self):
        self._depth -= 1
        if not self._depth:
            self._owner = None

    def __enter__(self):
        self.acquire()

    def __exit__(self, *_):
        self.release()


class Locks(Threading):
    """Takes the place of the module `threading`."""

    def RLock(self):  # noqa: N802 - the module's name for it
        return RLock(self._turns)


class Session(DynectSession):
    """A session whose transport is the world."""

    service = None

    def _send_once(self, request, deadline):
        return self.service.carry(request, deadline)


class Op:
    """What somebody does: one call of the object layer."""

    def __init__(self, world, who, action, numbers):
        self.who, self.action, self.numbers = who, action, numbers
        self.family = world.families[who]
        self.begun, self.over, self.error = next(world.moments), None, None
        self.looked = 0

    def __repr__(self):
        return f"{self.who}'s {self.action}"

    @property
    def succeeded(self):
        return self.over is not None and self.error is None


class World:
    def __init__(self):
        self.turns = Turns()
        self.clock = self.turns.clock
        self.service = Service(self)
        self.moments = itertools.count()
        self.ops, self.forgotten = {}, []

    def begin(self):
        Session.service = self.service
        retry = RetryPolicy(jitter=False)
        self.sessions = {
            name: Session.detached(
                "acme", name, f"{name}-secret", host="http://dyn.test", timeout=TIMEOUT, clock=self.clock,
                retry=retry,
            )
            for name in ("ann", "bob")
        }  # fmt: skip
        ann, bob = self.sessions.values()
        self.families = {"ann1": ann, "ann2": ann, "bob": bob}
        users = {"ann1": ann, "ann2": ann.sibling(), "bob": bob}
        self.zones = {who: Zone.of({"zone": ZONE, "serial": 5}, session=users[who]) for who in PEOPLE}

    # Steps

    def step(self, name, *arguments):
        getattr(self, f"do_{name}")(*arguments)
        self.check()

    def do_do(self, who, action, *numbers):
        if who in self.turns.tasks:
            return
        self.ops[who] = op = Op(self, who, action, numbers)

        calls = CALLS.get(action)

        def work():
            if calls is not None:
                self.turns.running.deadline = self.clock.monotonic() + calls * TIMEOUT
            try:
                getattr(self, f"act_{action}")(self.zones[who], *numbers)
            except SessionKitError as error:
                op.error = error
            op.over = next(self.moments)
            self.judge(op)

        self.turns.start(who, work)

    def do_go(self, who, points):
        for _ in range(points):
            self.turns.step(who)

    def do_tick(self):
        self.turns.tick()

    def do_advance(self, seconds):
        self.clock.advance(seconds)

    def do_plan(self, kind):
        """What happens to the next request."""
        self.service.plans.append(kind)

    def do_end(self, user, state):
        sessions.spoil(self.service.db, state, "%", user)

    def do_job(self, style, polls, seconds):
        self.service.api.plans.append(jobs.Plan(1, style=style, polls=polls, seconds=seconds))

    def do_fault(self, kind):
        self.service.dyn.fault(kind, {"zone": ZONE} if kind == "block_zone" else {})

    def do_close(self, user):
        self.turns.start(f"{user}-out", self.sessions[user].close)

    # Actions

    def act_add(self, zone, number, ttl=300):
        record = zone.add_record("www", "A", f"192.0.2.{number}", ttl=ttl)
        self.claim((record.address, record.fqdn) == (f"192.0.2.{number}", f"www.{ZONE}"), "another's answer")
        self.claim(record.ttl == ttl, "a record of another ttl was taken for the new one")

    def find(self, zone, number):
        records = zone.get_node("www").get_all_records_by_type("A")
        return next((record for record in records if record.address == f"192.0.2.{number}"), None)

    def act_update(self, zone, number, other):
        record = self.find(zone, number)
        if record is not None:
            record.update(address=f"192.0.2.{other}")
            self.claim(record.address == f"192.0.2.{other}", "another's answer")

    def act_remove(self, zone, number):
        record = self.find(zone, number)
        if record is not None:
            record.delete()

    def act_replace(self, zone, *numbers):
        records = zone.get_node("www").replace_records("A", [f"192.0.2.{number}" for number in numbers])
        addresses = {record.address for record in records}
        self.claim(addresses == {f"192.0.2.{number}" for number in numbers}, "another's answer")

    def act_read(self, zone):
        for record in zone.get_node("www").get_all_records_by_type("A"):
            self.claim((record.fqdn, record.record_type) == (f"www.{ZONE}", "A"), "another's answer")

    def act_refresh(self, zone):
        self.claim(zone.refresh().serial_style == "increment", "another's answer")

    def act_changes(self, zone):
        zone.get_changes()

    def act_publish(self, zone):
        zone.publish()

    def act_discard(self, zone):
        zone.discard_changes()

    def act_redo(self, zone):
        zone.session.redo_lost_changes(ZONE)

    def act_forget(self, zone):
        self.forgotten += zone.session.forget_lost_changes(ZONE)

    def act_tidy(self, zone):
        zone.get_changes()
        with suppress(DynectError):
            self.act_redo(zone)
        self.act_forget(zone)

    # Promises

    def claim(self, holds, broken):
        if not holds:
            self.turns.complain(broken)

    def judge(self, op):
        """When an action has ended."""
        mine = [effect for effect in self.service.effects if effect.op is op]
        self.judge_once(op, mine)
        if op.error is not None:
            done = [e for e in mine if self.stays(e)]
            definite = isinstance(op.error, REFUSALS) or not getattr(op.error, "sent", True)
            told = op.action == "redo" or not (done and definite)  # it lists what it has not done
            self.claim(told, f"{op.action} was carried out and raised {op.error!r}")
        elif op.action in {"add", "discard"}:
            self.claim(mine or self.found(op), f"{op.action} succeeded and did nothing")
        if op.action == "publish" and op.error is None:
            self.judge_published(op)

    def stays(self, effect):
        if effect.kind == "stage" and effect.settled is None:
            return self.service.alive(effect.token)
        return True

    def found(self, op):
        """Whether it may have found the record of an addition that raised after it was carried out."""
        raised = [e for e in self.service.effects if e.op.error is not None and e.op.numbers == op.numbers]
        return op.action == "add" and any(self.stays(effect) for effect in raised)

    def judge_once(self, op, mine):
        published = [effect for effect in mine if effect.kind == "publish"]
        for effect in published[1:]:  # no harm where it takes only what was being changed meanwhile
            taken = [e.op for e in self.service.effects if e.settled is effect and e.kind == "stage"]
            before = [other for other in taken if other.succeeded and other.over <= op.looked]
            self.claim(taken and not before, "published twice")
        posted = [e for e in mine if e.said[0] == "POST" and op.action == "add"]
        for one, other in itertools.pairwise(posted):
            gone = one.settled is not None and one.settled.number < other.number
            self.claim(gone or one.token != other.token, "posted twice")

    def changed(self, family, before=None):
        """What was changed with success (by what ended before that moment), and stays so."""
        for effect in self.service.effects:
            op = effect.op
            if effect.kind != "stage" or op is None or op.family is not family or not op.succeeded:
                continue
            if effect.again or (before is not None and op.over > before):
                continue
            if not any(self.said(call) == effect.said for call in self.forgotten):
                yield effect

    def judge_published(self, op):
        for effect in self.changed(op.family, op.begun):
            self.claim(
                effect.settled is not None, f"published without what {effect.op.action} changed before"
            )

    def check(self):
        """Between steps."""
        if self.turns.complaint:
            raise AssertionError(self.turns.complaint)
        if not self.turns.tasks:
            for session in self.sessions.values():
                if not session.closed:
                    self.check_changeset(session)
            assert self.service.signed_in <= 2 + len(self.service.refused) + len(self.service.lost_tokens), (
                "signed in more often than tokens ended"
            )

    def said(self, call):
        return (call.method, urlsplit(rest_path(call.uri)).path, json.dumps(call.args or {}))

    def check_changeset(self, session):
        book = session.login.changeset
        pending = [self.said(call) for call in book.pending.get(ZONE, ())]
        lost = [self.said(call) for call in book.lost.get(ZONE, ())]
        for effect in self.changed(session):
            if effect.settled is None and self.service.alive(effect.token):
                known = effect.said in pending and book.token.value == effect.token
                assert known, f"{effect.op.action} waits, and is not in pending_changes"
            elif effect.settled is None:
                known = effect.said in lost or (effect.said in pending and book.token.value == effect.token)
                assert known, f"{effect.op.action} is gone, and not in lost_changes"
            elif effect.settled.op.succeeded and effect.op.over <= effect.settled.op.begun:
                listed = effect.said in pending + lost
                assert not listed, f"{effect.op.action} is {effect.settled.kind}ed, and still listed"

    # The end

    def finish(self):
        """Let everybody come home without more misfortunes; then publish all and look."""
        api = self.service.api
        self.service.plans, api.plans, api.busy, api.limited = [], [], 0, 0
        self.service.db.execute("UPDATE dyn_job SET polls = 0, ready = 0")
        self.turns.settle()
        self.check()
        living = [who for who in ("ann1", "bob") if not self.families[who].closed]
        for action in ("tidy", "publish"):
            for who in living:
                self.do_do(who, action)
            self.turns.settle()
            self.check()
            for who in living:
                assert self.ops[who].succeeded, f"in the end, {action} raised {self.ops[who].error!r}"
        for who in living:
            self.look(self.zones[who])
        for user, session in self.sessions.items():
            self.turns.start(f"{user}-out", session.close)
        self.turns.settle()
        left = {
            row["token"] for row in self.service.rows("SELECT token FROM dyn_session WHERE state = 'active'")
        }
        assert left <= self.service.lost_tokens, "a closed session left its token behind"

    def look(self, zone):
        """What a session sees is what there is."""
        session, seen = zone.session, {}
        assert session.pending_changes == session.lost_changes == {}, "something is listed after all"

        def read():
            seen["serial"] = zone.refresh().serial
            seen["changes"] = zone.get_changes()
            seen["addresses"] = {record.address for record in zone.get_all_records_by_type("A")}

        self.turns.start("look", read)
        self.turns.settle()
        wanted = {"serial": self.service.serial(), "changes": [], "addresses": self.service.published()}
        assert seen == wanted, f"the session sees {seen}, the service has {wanted}"


@contextmanager
def world():
    """A world whose modules take its threads and clock for the real ones."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", errors.DynectChangesLostWarning)
        made = World()
        stack.callback(made.service.db.close)
        for module in (source, flight, memory, changeset):
            stack.enter_context(mock.patch.object(module, "threading", Locks(made.turns)))
        stack.enter_context(made.turns)
        made.begin()
        try:
            yield made
        finally:
            for session in (*made.sessions.values(), made.zones["ann2"].session):
                session.closed = True
