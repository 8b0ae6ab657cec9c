"""Finding the subscribers of an event without asking each of them.

An expression such as `topic=shot.new and data.project=hero` can only match events that have these two
values. `required` finds such equalities; the index files each subscriber under them, so that one
dictionary look-up per combination of *fields* (not per subscriber) finds all candidates. Expressions
that require nothing are asked every time.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit.events.expression import And, Condition, Expression, Or
from sessionkit.events.predicate import Getter, Predicate, getter, number
from sessionkit.events.subscription import subscription_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sessionkit.events.subscriber import Subscriber

_logger = logging.getLogger("sessionkit.events")

_MOST_ALTERNATIVES = 64
_WORDS = {"true": (True,), "false": (False,)}


class Field(NamedTuple):
    """A field that must have a value, or (with a length) must begin with one."""

    name: str
    length: int | None


Requirement = dict[Field, str]
"""The values without which an expression cannot match."""


class Requirements(NamedTuple):
    """What an expression requires: one of `alternatives`, and nothing besides when `complete`."""

    alternatives: list[Requirement]
    complete: bool


def required(node: Expression) -> Requirements | None:
    """The values of which an event must have one combination to match `node`, if that can be said."""
    if isinstance(node, Condition):
        return _of_condition(node)
    if isinstance(node, And):
        return _of_all([required(part) for part in node.nodes])
    if isinstance(node, Or):
        return _of_any([required(part) for part in node.nodes])
    return None


def _of_condition(condition: Condition) -> Requirements | None:
    if condition.operator != "=":
        return None
    if condition.value.endswith("*"):
        prefix = condition.value[:-1]
        return Requirements([{Field(condition.field, len(prefix)): prefix}], complete=True)
    value = condition.value
    return Requirements([{Field(condition.field, None): value}], complete=_canonical_text(value) is value)


def _of_all(parts: list[Requirements | None]) -> Requirements | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    single = [part for part in known if len(part.alternatives) == 1]
    if not single:
        smallest = min(known, key=lambda part: len(part.alternatives))
        return Requirements(smallest.alternatives, complete=False)
    merged: Requirement = {}
    for part in single:
        for field, value in part.alternatives[0].items():
            merged.setdefault(field, value)
    fields = sum(len(part.alternatives[0]) for part in single)
    complete = len(single) == len(parts) and len(merged) == fields and all(part.complete for part in single)
    return Requirements([merged], complete)


def _of_any(parts: list[Requirements | None]) -> Requirements | None:
    alternatives: list[Requirement] = []
    complete = True
    for part in parts:
        if part is None:
            return None
        alternatives.extend(part.alternatives)
        complete = complete and part.complete
    return Requirements(alternatives, complete) if len(alternatives) <= _MOST_ALTERNATIVES else None


def _canonical_text(text: str) -> object:
    """A key that the text shares with every value equal to it; the text itself if only that text is."""
    value = number(text)
    if value is not None:
        return value
    return _WORDS.get(text.lower(), text)


def _canonical(value: Any) -> object:
    """The key of an event's value; None, which no text has, for what is never equal."""
    if isinstance(value, str):
        return _canonical_text(value)
    if isinstance(value, bool):
        return _WORDS["true" if value else "false"]
    return value if isinstance(value, (int, float)) else None


class Entry:
    """A subscriber in the index.

    Attributes:
        test: What is left to ask of a candidate; None when its place in the index says it all.
        active: False once it was removed, also for a dispatch that is under way.
    """

    __slots__ = ("active", "callback", "metadata", "order", "repeated", "subscriber", "test")

    def __init__(self, subscriber: Subscriber, serial: int) -> None:
        self.subscriber = subscriber
        self.callback = subscriber.callback
        self.metadata = subscriber.metadata
        self.order = (subscriber.priority, serial)
        self.test: Predicate | None = subscriber.subscription.predicate
        self.repeated = False
        self.active = True


_Entries = tuple[Entry, ...]


def _order(entry: Entry) -> tuple[int, int]:
    return entry.order


def _with(entries: _Entries, entry: Entry) -> _Entries:
    if entry in entries:  # "n=10 or n=10.0" leads here twice
        return entries
    return tuple(sorted((*entries, entry), key=_order))


class _Shape:
    """All entries that require values of the same fields."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self._getters: list[tuple[Getter, int | None]] = [(getter(f.name), f.length) for f in fields]
        self._table: dict[tuple[object, ...], _Entries] = {}

    def key(self, requirement: Requirement) -> tuple[object, ...]:
        return tuple(
            requirement[field] if field.length is not None else _canonical_text(requirement[field])
            for field in self.fields
        )

    def add(self, requirement: Requirement, entry: Entry) -> None:
        key = self.key(requirement)
        self._table[key] = _with(self._table.get(key, ()), entry)

    def remove(self, requirement: Requirement, entry: Entry) -> None:
        key = self.key(requirement)
        left = tuple(other for other in self._table.get(key, ()) if other is not entry)
        if left:
            self._table[key] = left
        else:
            self._table.pop(key, None)

    def __len__(self) -> int:
        return len(self._table)

    def candidates(self, event: Mapping[str, Any]) -> _Entries:
        key = []
        for get, length in self._getters:
            value = get(event)
            if length is None:
                key.append(_canonical(value))
            elif isinstance(value, str):
                key.append(value[:length])
            else:
                return ()
        return self._table.get(tuple(key), ())


class _Shapes:
    """An index over any fields; `others` are the entries that require none."""

    def __init__(self) -> None:
        self._by_fields: dict[tuple[Field, ...], _Shape] = {}
        self._shapes: tuple[_Shape, ...] = ()
        self.others: _Entries = ()

    def add(self, requirement: Requirement, entry: Entry) -> None:
        if not requirement:
            self.others = _with(self.others, entry)
            return
        fields = tuple(sorted(requirement, key=repr))
        shape = self._by_fields.setdefault(fields, _Shape(fields))
        shape.add(requirement, entry)
        self._shapes = tuple(self._by_fields.values())

    def remove(self, requirement: Requirement, entry: Entry) -> None:
        if not requirement:
            self.others = tuple(other for other in self.others if other is not entry)
            return
        fields = tuple(sorted(requirement, key=repr))
        shape = self._by_fields.get(fields)
        if shape is None:
            return
        shape.remove(requirement, entry)
        if not shape:
            del self._by_fields[fields]
            self._shapes = tuple(self._by_fields.values())

    def __bool__(self) -> bool:
        return bool(self.others or self._shapes)

    def candidates(self, event: Mapping[str, Any]) -> _Entries:
        found = self.others
        for shape in self._shapes:
            more = shape.candidates(event)
            if more:
                found = _merged(found, more) if found else more
        return found


def _merged(one: _Entries, other: _Entries) -> _Entries:
    together = sorted((*one, *other), key=_order)
    if any(entry.repeated for entry in together):
        together = list({entry.order: entry for entry in together}.values())
    return tuple(together)


_TOPIC = Field("topic", None)


def _topics(needs: Requirements | None) -> set[str]:
    alternatives = needs.alternatives if needs is not None else []
    return {requirement[_TOPIC] for requirement in alternatives if _TOPIC in requirement}


class Index:
    """Subscribers, found by event; iteration never waits for a change and never sees half of one.

    >>> index = Index()
    >>> index.add(Subscriber("topic=shot.new", print))
    >>> [entry.subscriber for entry in index.matching(Event("shot.new").fields)]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serial = 0
        self._topics: dict[str, _Shapes] = {}
        self._anywhere = _Shapes()
        self._entries: dict[int, Entry] = {}

    def add(self, subscriber: Subscriber) -> None:
        """File `subscriber`; it comes after those of its priority that are there."""
        with self._lock:
            self._serial += 1
            entry = self._entries[id(subscriber)] = Entry(subscriber, self._serial)
            needs = required(subscriber.subscription.expression)
            if needs is not None and needs.complete:
                entry.test = None
            places = list(self._places(needs))
            entry.repeated = len(places) > 1
            for shapes, requirement in places:
                shapes.add(requirement, entry)

    def remove(self, subscriber: Subscriber) -> None:
        """Forget `subscriber`; a dispatch that is under way does not call it any more."""
        with self._lock:
            entry = self._entries.pop(id(subscriber))
            entry.active = False
            needs = required(subscriber.subscription.expression)
            for shapes, requirement in self._places(needs):
                shapes.remove(requirement, entry)
            for topic in _topics(needs):
                if not self._topics.get(topic, True):
                    del self._topics[topic]

    def _places(self, needs: Requirements | None) -> Iterable[tuple[_Shapes, Requirement]]:
        for requirement in needs.alternatives if needs is not None else [{}]:
            rest = dict(requirement)
            topic = rest.pop(_TOPIC, None)
            yield self._anywhere if topic is None else self._topics.setdefault(topic, _Shapes()), rest

    def listens(self, topic: str) -> bool:
        """Whether an event of this topic could match anything."""
        return topic in self._topics or bool(self._anywhere)

    def matching(self, event: Mapping[str, Any]) -> Sequence[Entry]:
        """The entries whose subscription and whose subscriber's metadata match `event`, in calling order."""
        found = self._anywhere.candidates(event) if self._anywhere else ()
        topic = event.get("topic")
        shapes = self._topics.get(topic) if isinstance(topic, str) else None
        if shapes is not None:
            more = shapes.candidates(event)
            found = _merged(found, more) if found and more else found or more
        if not found:
            return found
        matching = [entry for entry in found if entry.test is None or entry.test(event)]
        target = event.get("target")
        return _targeted(matching, target) if target else matching


def _targeted(entries: list[Entry], target: str) -> list[Entry]:
    try:
        addressed = subscription_of(target).predicate
    except ValueError as error:
        _logger.warning("an event whose target cannot be read reaches nobody: %s", error)
        return []
    return [entry for entry in entries if addressed(entry.metadata)]
