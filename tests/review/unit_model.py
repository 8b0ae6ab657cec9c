"""A session's unit of work beside dictionaries that say what it must show and what the server must have.

A schedule is a list of steps, such as `("set", 0, "bid", 1)`; one that cannot be taken is skipped, so that
any part of a schedule is one too. `ann` is the session that is checked; `bob` is another process that changes
the same shots, and `eve` is asked what the server has.
"""

from __future__ import annotations

import copy
import uuid

from sessionkit.errors import RequestError
from sessionkit.events import Event
from sessionkit_review import NOT_SET
from sessionkit_review.errors import InvalidState, ServerError, ValidationError
from sessionkit_review.sandbox.changes import update_event

ABSENT = "absent"
ANY = "any"
SLOTS = 5
PLAIN = ("description", "bid", "status", "parent", "scopes")
KEYS = (*PLAIN, "meta k", "meta l", "fstart")
LOST = {"lost_reply": True, "truncate": True, "reset": False, "html": False}
"""Faults, and whether the server has done its work by then."""
EVERYTHING = (
    "select id, description, bid, status_id, parent_id, scopes.id, metadata.key, metadata.value,"
    " custom_attributes.key, custom_attributes.value from Shot where id in ({})"
)


class Studio:
    """What all examples share: the sessions, and what never changes."""

    def __init__(self, box, open_session):
        self.box = box
        self.ann, self.bob, self.eve = (open_session() for _ in range(3))
        self.hub = self.ann.event_hub
        self.told = []
        box.service("review")._tell = lambda *known: self.told.append(update_event(*known))
        self.project = self.eve.query("Project").first()["id"]
        self.status = [each["id"] for each in self.eve.query("Status")][:3]
        self.scopes = [each["id"] for each in self.eve.query("Scope")][:2]
        while len(self.scopes) < 2:
            self.scopes.append(self.eve.create("Scope", {"name": f"scope {len(self.scopes)}"})["id"])
        self.eve.commit()


class World:
    """One example: five shots, of which two exist."""

    def __init__(self, studio):
        self.studio = studio
        self.ids = [str(uuid.uuid4()) for _ in range(SLOTS)]
        for session in (studio.ann, studio.bob, studio.eve):
            session.reset()
        self.db = {}
        self.waiting = []
        self.older = {}
        self.lost = []
        self.meddled = self.mixed = False  # bob changed what is in doubt; or what ann changed too
        self.strange = set()
        for slot in (0, 1):
            self.fill(studio.bob, slot, {"description": "old", "bid": 1.0, "meta k": "old"})
        studio.bob.commit()
        studio.told.clear()
        self.learn()

    # --- values ---

    def given(self, session, key, value):
        """A value of the model as one of a session: 0 and None are the project as a parent."""
        if key == "status":
            return session.get("Status", self.studio.status[value])
        if key == "parent":
            return self.parent(session, value)
        if key == "scopes":
            return [session.get("Scope", self.studio.scopes[each]) for each in sorted(value)]
        return value

    def parent(self, session, value):
        if value is None:
            return session.get("Project", self.studio.project)
        return session.get("Shot", self.ids[value])

    def seen(self, entity, key):
        """What an entity shows."""
        if key.startswith("meta"):
            return entity["metadata"].get(key[5:], ABSENT)
        if key == "fstart":
            return entity["custom_attributes"]["fstart"]
        value = entity[key]
        if value is NOT_SET or value is None:
            return value
        if key == "status":
            return self.index(self.studio.status, value["id"])
        if key == "parent":
            return self.index(self.ids, value["id"])
        return frozenset(self.studio.scopes.index(each["id"]) for each in value) if key == "scopes" else value

    @staticmethod
    def index(known, identifier):
        return known.index(identifier) if identifier in known else None

    def put(self, entity, key, value):
        if key.startswith("meta"):
            if value is ABSENT:
                entity["metadata"].pop(key[5:], None)
            else:
                entity["metadata"][key[5:]] = value
        elif key == "fstart":
            entity["custom_attributes"]["fstart"] = value
        else:
            entity[key] = self.given(entity.session, key, value)

    def fill(self, session, slot, values):
        """Create a shot."""
        data = {key: self.given(session, key, value) for key, value in values.items() if key in PLAIN}
        data.setdefault("parent", self.given(session, "parent", None))
        entity = session.create("Shot", {"id": self.ids[slot], "name": self.ids[slot], **data})
        for key, value in values.items():
            if key not in PLAIN:
                self.put(entity, key, value)

    def server(self):
        """What the server has."""
        eve = self.studio.eve
        eve.reset()
        found = {}
        for entity in eve.query(EVERYTHING.format(", ".join(self.ids))):
            row = {key: self.seen(entity, key) for key in KEYS if key not in {"status", "parent"}}
            row["status"] = self.index(self.studio.status, entity["status_id"])
            row["parent"] = self.index(self.ids, entity["parent_id"])
            found[self.ids.index(entity["id"])] = row
        return found

    def learn(self):
        self.db = self.server()

    # --- the model ---

    def applied(self, operations):
        """The server's shots after `operations`, and whether it may have refused them."""
        db, refused = copy.deepcopy(self.db), False
        created = {op[1] for op in operations if op[0] == "create"}
        passing = created & {op[1] for op in operations if op[0] == "delete"}
        gone = set()
        for what, slot, *rest in operations:
            if what == "quiet" or slot in passing or slot in gone:
                continue
            if what == "create":
                refused |= slot in db
                db[slot] = {"meta k": ABSENT, "meta l": ABSENT, **dict.fromkeys(("fstart", "status"), ANY)}
                db[slot] |= {"description": ANY, "bid": ANY, "parent": None, "scopes": frozenset(), **rest[0]}
            elif slot not in db:
                refused = True
            elif what == "delete":
                gone.add(slot)
                for each in self.below(db, slot):
                    del db[each]
            else:
                db[slot][rest[0]] = rest[1]
        return db, refused or any(row["parent"] not in {None, *db} for row in db.values())

    @staticmethod
    def below(db, slot):
        """A shot, and those that go with it."""
        found = [slot]
        for each in found:
            found += [other for other, row in db.items() if row["parent"] == each]
        return found

    def shown(self, slot, key):
        """What ann may see."""
        for what, other, *rest in reversed(self.waiting):
            if other == slot and what in {"set", "quiet"} and rest[0] == key:
                return {rest[1]}
            if other == slot and what == "create":
                if key in rest[0]:
                    return {rest[0][key]}
                empty = {"parent": None, "scopes": frozenset(), "fstart": ANY}
                return {empty.get(key, ABSENT if key.startswith("meta") else NOT_SET)}
        return {self.db[slot][key], *self.older.get((slot, key), ())}

    def states(self):
        found = {}
        rank = {"set": 1, "create": 2, "delete": 3}
        for what, slot, *rest in self.waiting:
            if what != "quiet" and not (what == "set" and rest[0] not in PLAIN):
                found[slot] = max(found.get(slot, 0), rank[what])
        return found

    def entity(self, slot):
        """ann's shot; None where there is none, or none that the model is sure of."""
        created = ("create", slot) in {op[:2] for op in self.waiting}
        if slot not in self.db and not created:
            return None
        return self.studio.ann.get("Shot", self.ids[slot])

    def deleted(self, slot):
        return ("delete", slot) in self.waiting

    def fresh(self, slot, keys=KEYS):
        for key in keys:
            self.older.pop((slot, key), None)

    # --- steps of ann ---

    def step(self, name, *arguments):
        getattr(self, f"do_{name}")(*arguments)
        self.check()

    def do_create(self, slot, values):
        if slot in self.db or self.states().get(slot, 0) > 1 or not self.fits(slot, values):
            return
        try:
            self.fill(self.studio.ann, slot, values)
        except InvalidState:
            assert slot in self.strange, "a shot that is not there is said to be"
            return
        self.strange.discard(slot)
        self.waiting.append(("create", slot, values))

    def fits(self, slot, values):
        """Whether the parent is one that can be."""
        above = values.get("parent")
        return above is None or (above < slot and self.entity(above) is not None)

    def do_set(self, slot, key, value):
        entity = self.entity(slot)
        if entity is None or not self.fits(slot, {key: value}):
            return
        if value is ABSENT and self.seen(entity, key) is ABSENT:
            return
        self.put(entity, key, value)
        self.waiting.append(("set", slot, key, value))

    def do_scope(self, slot, scope):
        """Append or remove a scope."""
        entity = self.entity(slot)
        if entity is None or self.seen(entity, "scopes") is NOT_SET:
            return
        item = self.studio.ann.get("Scope", self.studio.scopes[scope])
        (entity["scopes"].remove if item in entity["scopes"] else entity["scopes"].append)(item)
        self.waiting.append(("set", slot, "scopes", self.seen(entity, "scopes")))

    def do_quiet(self, slot, value):
        """Change something without recording it."""
        if slot not in self.db or slot in self.strange or self.states().get(slot, 0) > 1:
            return
        with self.studio.ann.operation_recording(False):
            self.entity(slot)["description"] = value
        self.waiting.append(("quiet", slot, "description", value))

    def do_revert(self, slot, key):
        entity = self.entity(slot)
        if entity is None or key not in PLAIN or self.lost:
            return
        del entity[key]
        if ("create", slot) not in {op[:2] for op in self.waiting}:
            dropped = [op for op in self.waiting if op[0] in {"set", "quiet"} and op[1:3] == (slot, key)]
            self.waiting = [op for op in self.waiting if op not in dropped]

    def do_delete(self, slot):
        entity = self.entity(slot)
        if entity is not None:
            self.studio.ann.delete(entity)
            self.waiting.append(("delete", slot))

    def do_read(self, slot, populate):
        entity = self.entity(slot)
        if entity is None:
            return
        with self.studio.ann.auto_populating(populate):
            for key in KEYS if populate else ("description", "bid", "status"):
                value, may = self.seen(entity, key), self.shown(slot, key)
                if self.deleted(slot) and slot not in self.db:
                    continue
                unknown = value is NOT_SET and not populate
                assert unknown or ANY in may or value in may, f"{slot}.{key} is {value!r}, not {may}"

    def do_query(self, slot):
        expression = (
            EVERYTHING.format(self.ids[slot]).replace("status_id", "status").replace("parent_id", "parent")
        )
        found = self.studio.ann.query(expression).all()
        assert [each["id"] for each in found] == ([self.ids[slot]] if slot in self.db else [])
        self.fresh(slot)

    def do_populate(self, slot):
        entity = self.entity(slot)
        if entity is not None:
            self.studio.ann.populate(entity, "description, status.name, scopes.id, metadata.value")

    def do_refresh(self, slot):
        entity = self.entity(slot)
        if entity is not None:
            self.studio.ann.refresh(entity)
            self.fresh(slot)

    def do_merge(self, slot):
        if slot in self.db:
            self.studio.eve.reset()
            expression = EVERYTHING.format(self.ids[slot]).replace("parent_id", "parent")
            theirs = self.studio.eve.query(expression).one()
            mine = self.studio.ann.merge(theirs)
            assert mine is self.studio.ann.entities.get("Shot", self.ids[slot])
            self.fresh(slot, [key for key in KEYS if key != "status"])

    def do_rollback(self):
        self.studio.ann.rollback()
        for _, slot, *_ in self.lost:
            self.fresh(slot)
        self.waiting, self.lost, self.meddled, self.mixed = [], [], False, False

    def do_reset(self):
        self.studio.ann.reset()
        self.waiting, self.lost, self.older, self.meddled, self.mixed = [], [], {}, False, False
        self.strange.clear()

    def do_commit(self, fault=""):
        done = self.lost if any(op[0] != "set" or op[2].startswith("meta") for op in self.lost) else []
        operations = self.waiting[len(done) :] if not self.meddled else self.waiting
        expected, unsure = self.applied(operations)
        unsure |= self.meddled
        fault = "" if self.lost else fault
        before = self.pending()
        error = self.tried(fault)
        assert error is None or self.pending() == before, "a commit that failed changed what waits"
        if error is None:
            self.committed(expected, unsure)
        elif isinstance(error, ServerError) and error.exception:
            assert unsure or self.mixed, f"a commit was refused for no reason: {error}"
            self.do_reset()
            self.learn()
        else:
            assert fault, f"a commit failed for no reason: {error}"
            self.failed(fault, expected, unsure or self.mixed)

    def tried(self, fault):
        """Commit; what went wrong."""
        if fault:
            self.studio.box.fault(fault, path="/api")
        try:
            self.studio.ann.commit()
        except RequestError as error:
            return error
        finally:
            self.studio.box._on_loop(self.studio.box.faults.clear)
        return None

    def failed(self, fault, expected, unsure):
        """Nothing was heard of a commit."""
        if LOST[fault] and unsure:
            self.do_reset()
            self.learn()
        elif LOST[fault]:
            self.lost = list(self.waiting)
            self.compare(expected)
        else:
            assert self.server() == self.db, "a commit that did not arrive was carried out"

    def committed(self, expected, unsure):
        touched = {op[1:3] for op in self.waiting if op[0] == "set"}
        for what, slot, *_ in [*self.waiting, *self.lost]:
            if what == "create" or self.lost:
                self.fresh(slot)
            if what == "delete":
                assert self.studio.ann.entities.get("Shot", self.ids[slot]) is None, "a deleted one is here"
        for pair in touched:
            self.older.pop(pair, None)
        self.strange |= set(self.db) - set(expected)
        self.waiting = [op for op in self.waiting if op[0] == "quiet" and op[1:3] not in touched]
        self.waiting = [op for op in self.waiting if op[1] in expected]
        self.lost, self.meddled, self.mixed = [], False, False
        if unsure:
            self.learn()
        else:
            self.compare(expected)

    def compare(self, expected):
        found = self.server()
        assert found.keys() == expected.keys(), f"the server has {sorted(found)}, not {sorted(expected)}"
        for slot, row in found.items():
            for key, value in row.items():
                want = expected[slot][key]
                assert want is ANY or want == value, f"the server has {slot}.{key} as {value!r}, not {want!r}"
        self.db = found

    def pending(self):
        return [id(each) for each in self.studio.ann.recorded_operations]

    def do_refused(self):
        """A batch with something in it that the server does not take."""
        if self.lost or self.applied(self.waiting)[1]:
            return
        wrong = self.studio.ann.create("ReviewSessionInvitee", {"name": "Nobody"})
        before = self.pending()
        try:
            self.studio.ann.commit()
        except ValidationError:
            assert self.pending() == before, "a commit that failed changed what waits"
            self.studio.ann.delete(wrong)
        else:
            raise AssertionError("the server took what it must refuse")
        assert self.server() == self.db, "a part of a batch was carried out"

    # --- steps of bob ---

    def do_theirs(self, slot, key, value):
        if slot in self.db and (key != "parent" or value is None or (value in self.db and value < slot)):
            self.meddle()
            self.put(self.studio.bob.get("Shot", self.ids[slot]), key, value)
            self.bobs()

    def do_their_delete(self, slot):
        if slot in self.db:
            self.meddle()
            self.studio.bob.delete(self.studio.bob.get("Shot", self.ids[slot]))
            self.bobs()

    def meddle(self):
        self.studio.bob.reset()
        self.meddled = self.meddled or bool(self.lost)

    def bobs(self):
        self.studio.bob.commit()
        before = self.db
        self.learn()
        for slot, row in before.items():
            for key, value in row.items():
                if slot not in self.db:
                    self.strange.add(slot)
                elif self.db[slot][key] != value:
                    self.older.setdefault((slot, key), set()).add(value)
        self.mixed = self.mixed or bool(self.waiting)

    def do_hear(self):
        """The events of what happened reach ann."""
        told = list(self.studio.told)
        self.studio.told.clear()
        for event in told:
            self.studio.hub.publish(Event(event["topic"], data=event["data"]), synchronous=True)
        if told:
            for slot, key in list(self.older):
                if key != "scopes":
                    self.older.pop((slot, key))

    # --- always ---

    def check(self):
        ann = self.studio.ann
        states = self.states()
        for state, name in ((1, "modified"), (2, "created"), (3, "deleted")):
            found = [self.ids.index(e["id"]) for e in getattr(ann, name) if e.entity_type == "Shot"]
            want = {slot for slot, each in states.items() if each == state}
            assert set(found) - self.strange == want - self.strange, f"{name}: {found}, not {want}"
            assert len(set(found)) == len(found), f"{name} has one twice"

    def end(self):
        """Everything that waits is committed, or refused, and ann reads what the server has."""
        self.do_commit()
        self.do_commit()
        for slot in range(SLOTS):
            self.do_refresh(slot)
            self.do_read(slot, True)


def run(studio, schedule):
    world = World(studio)
    for step in schedule:
        world.step(*step)
    world.end()
