"""`ReviewCore`: asking for entities, changing them, and what goes over the wire for that."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit.events import Event
from sessionkit_review import encoding
from sessionkit_review.collection import KeyValues
from sessionkit_review.entity import Entity, known
from sessionkit_review.errors import (
    DuplicateEntryError,
    InvalidArgument,
    MultipleResultsFound,
    UnknownAttribute,
)
from sessionkit_review.expression import criterion
from sessionkit_review.identity import as_key
from sessionkit_review.news import Asked
from sessionkit_review.protocol import ReviewProtocol
from sessionkit_review.query import QueryResult
from sessionkit_review.select import Select
from sessionkit_review.symbols import CREATED, DELETED, MODIFIED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sessionkit_review.commit import Committer
    from sessionkit_review.custom_attributes import Configurations
    from sessionkit_review.decoding import Decoder
    from sessionkit_review.factory import Types
    from sessionkit_review.flags import Flags
    from sessionkit_review.identity import EntityMap
    from sessionkit_review.loading import Loader
    from sessionkit_review.news import News
    from sessionkit_review.operations import Operations
    from sessionkit_review.store import EntityStore
    from sessionkit_review.unit import UnitOfWork


class ReviewCore(ReviewProtocol):
    """What a review session does with entities; `ReviewSession` is made of this.

    Attributes:
        entities: Those that are here.
        unit: What was changed here.
        flags: What each thread may set for itself.
        entity_store: What outlives the session, if there is a cache for it.
        news: What changed of late.
    """

    entities: EntityMap
    unit: UnitOfWork
    flags: Flags
    loader: Loader
    decoder: Decoder
    entity_store: EntityStore | None
    news: News
    committer: Committer
    custom_attributes: Configurations

    @property
    def types(self) -> Types:
        """The server's entity types by name."""
        raise NotImplementedError  # the session's

    # --- asking ---

    def query(self, expression: str, page_size: int = 500) -> QueryResult:
        """The entities that a query finds; nothing is asked before they are used.

        >>> session.query('select name, status.name from Task where project.name is "lighthouse"')

        Args:
            expression: In the server's query language. Never put values of others into it: see `select`.
            page_size: How many are asked for at once.
        """
        return QueryResult(self, expression, page_size)

    def select(self, entity_type: str, *projections: str) -> Select:
        """A query built of values, which are quoted safely; see `Select`.

        >>> session.select("Task", "name").where(status__name="Done", project=project).order_by("name")
        """
        _ = self.types[entity_type]
        return Select(self, entity_type, projections)

    def get(  # type: ignore[override]  # an entity is got here, not a URI
        self, entity_type: str, entity_key: str | Sequence[str] | Mapping[str, str]
    ) -> Entity | None:
        """The entity of that type and key, or None. One that is here is not asked for.

        Args:
            entity_type: Its type.
            entity_key: Its primary key; several values in order, or by attribute.

        Raises:
            UnknownEntityType: when there is no such type.
            ConfigurationError: when the key has another number of values than the type's.
        """
        kind = self.types[entity_type]
        names = kind.primary_key_attributes
        if entity_key is None:
            raise InvalidArgument(f"the key of a {entity_type} is {' and '.join(names)}, not None")
        values = [entity_key] if isinstance(entity_key, (str, int)) else entity_key
        if isinstance(values, dict) and set(values) == set(names):
            values = [values[name] for name in names]
        if len(values) != len(names) or isinstance(values, dict):
            raise ConfigurationError(f"the key of a {entity_type} is {' and '.join(names)}")
        key = as_key(list(values))
        found = self.entities.get(entity_type, key)
        if found is None and self.entity_store is not None:
            self.entity_store.load(entity_type, list(map(str, values)))
            found = self.entities.get(entity_type, key)
        return found or self.query(f"{entity_type} where {criterion(names, [key])}").first()

    def populate(self, entities: Entity | Iterable[Entity], projections: str | Sequence[str]) -> None:
        """Load attributes of entities that are here already, all in one call.

        >>> session.populate(tasks, "status.name, parent.name")

        What is here already is not asked for again; what was changed here stays.
        """
        self.loader.populate([entities] if isinstance(entities, Entity) else entities, projections)

    def refresh(self, *entities: Entity) -> None:
        """Forget what the server said of these, and ask again when they are read; changes made here stay."""
        self.drop_copies(entities)
        for entity in entities:
            self.unit.expire(entity)

    def drop_copies(self, entities: Iterable[Entity]) -> None:
        """Have no copy of these in the cache that outlives the session."""
        if self.entity_store is not None and (gone := list(entities)):
            self.entity_store.drop((entity.entity_type, entity.primary_key) for entity in gone)

    # --- changing ---

    def create(
        self, entity_type: str, data: Mapping[str, Any] | None = None, reconstructing: bool = False
    ) -> Entity:
        """A new entity, which exists here now and on the server after `commit`.

        Args:
            entity_type: Its type.
            data: Its values; the schema's defaults fill in others.
            reconstructing: It exists on the server already, and these are its values there.

        Raises:
            UnknownEntityType, UnknownAttribute, ConfigurationError: when it cannot be.
        """
        return self.unit.create(self.types[entity_type], data or {}, reconstructing=reconstructing)

    def ensure(
        self, entity_type: str, data: Mapping[str, Any], identifying_keys: Iterable[str] | None = None
    ) -> Entity:
        """The entity with these values: found, and changed where it differs, or else created; and committed.

        Args:
            entity_type: Its type.
            data: Its values.
            identifying_keys: By which of them it is found; by all when there are none.

        Raises:
            MultipleResultsFound: when there are several.
            UnknownAttribute: when one of them is not in `data`; a KeyError.
            ConfigurationError: when it cannot be told by these.
        """
        names = list(identifying_keys or data)
        kind = self.types[entity_type]
        if unknown := [name for name in names if name not in data]:
            raise UnknownAttribute(f"data does not say what {', '.join(unknown)} of the {entity_type} is")
        unfit = [n for n in names if kind.attributes[n].kind not in {"scalar", "reference"}]
        if unfit or not names:
            raise ConfigurationError(
                f"a {entity_type} cannot be told by {', '.join(unfit) or 'nothing'}",
                hint="identifying_keys are names of values or references",
            )
        # What the found one has is compared with all of `data`, and comes along at once.
        compared = [name for name in data if kind.attributes[name].kind in {"scalar", "reference"}]
        asked = self.select(entity_type, *dict.fromkeys([*kind.default_projections, *compared]))
        found = asked.where(**{name: data[name] for name in names}).limit(2).all()
        if len(found) > 1:
            raise MultipleResultsFound(
                f"several {entity_type} have the same {', '.join(names)}", hint="name more identifying_keys"
            )
        entity = found[0] if found else self.create(entity_type, data)
        if found:
            for name, value in data.items():
                if entity[name] != value:
                    entity[name] = value
        try:
            self.commit()
        except DuplicateEntryError:
            # Somebody else may have made it since it was asked for; then it is found now.
            if found or len(asked.where(**{name: data[name] for name in names}).limit(2).all()) != 1:
                raise
            self._withdraw(entity)
            return self.ensure(entity_type, data, names)
        return entity

    def _withdraw(self, entity: Entity) -> None:
        """Take back the creation of an entity, and the values by key that it was given."""
        with self.unit.lock:
            held = [value for value in known(entity).values() if isinstance(value, KeyValues)]
            for each in [*(item for value in held for item in value.collection), entity]:
                self.unit.withdraw(each)

    def delete(self, entity: Entity) -> None:  # type: ignore[override]  # an entity, not a URI
        """Have an entity deleted by the next `commit`."""
        self.unit.delete(entity)

    def commit(self) -> None:
        """Send all changes, as one transaction.

        What other threads change meanwhile waits for the next commit. When it fails, everything stays as
        it was: commit again, or roll back. Where it cannot be known whether the server had carried out a
        commit that failed, the next one finds out first; nothing is done twice.

        Raises:
            ServerError: the server refused; then nothing was changed there.
            RequestError: no answer came, or one that makes no sense.
        """
        self.committer.commit()

    def rollback(self) -> None:
        """Take back all changes that are not committed."""
        self.committer.rollback()

    def reset(self) -> None:
        """Forget everything: changes that were not committed, and all entities."""
        self.rollback()
        with self.unit.lock:
            self.entities.clear()
        self.custom_attributes.clear()
        self.tell("ftrack.api.session.configure-location", session=self)
        self.tell("ftrack.api.session.reset", session=self)

    def tell(self, topic: str, **data: Any) -> list[Any]:
        """Tell those who subscribed on this session's own hub, now and nobody else; what they answered."""
        if self._hub is None or not self._hub.enabled:
            return []
        return self._hub.publish(Event(topic, data=data), synchronous=True) or []

    def merge(self, value: Any) -> Any:
        """Entities of another session as entities of this one, with the values they have there.

        Args:
            value: An entity, or a list or dictionary with entities in it.
        """
        return self.decode_value(encoding.expanded(value))

    # --- the unit of work ---

    @property
    def recorded_operations(self) -> Operations:
        """What waits to be committed."""
        return self.unit.operations

    @property
    def created(self) -> list[Entity]:
        """The entities that the next commit creates."""
        return self.unit.in_state(CREATED)

    @property
    def modified(self) -> list[Entity]:
        """The entities that the next commit changes."""
        return self.unit.in_state(MODIFIED)

    @property
    def deleted(self) -> list[Entity]:
        """The entities that the next commit deletes."""
        return self.unit.in_state(DELETED)

    @property
    def auto_populate(self) -> bool:
        """Whether this thread loads missing attributes when they are read."""
        return self.flags.auto_populate

    @auto_populate.setter
    def auto_populate(self, value: bool) -> None:
        self.flags.auto_populate = value

    @property
    def record_operations(self) -> bool:
        """Whether changes made by this thread are to be committed."""
        return self.flags.record_operations

    @record_operations.setter
    def record_operations(self, value: bool) -> None:
        self.flags.record_operations = value

    @contextmanager
    def auto_populating(self, auto_populate: bool) -> Iterator[None]:
        """Inside the block, and in this thread only, load missing attributes or do not."""
        before, self.auto_populate = self.auto_populate, auto_populate
        try:
            yield
        finally:
            self.auto_populate = before

    @contextmanager
    def operation_recording(self, record_operations: bool) -> Iterator[None]:
        """Inside the block, and in this thread only, record changes or do not."""
        before, self.record_operations = self.record_operations, record_operations
        try:
            yield
        finally:
            self.record_operations = before

    # --- the wire ---

    def call(self, data: Sequence[Mapping[str, Any]], *, timeout: float | None = None) -> list[Any]:
        """Send operations as they are, and return their results with entities and dates decoded.

        For what has no method here:

        >>> session.call([{"action": "query", "expression": "select count(id) from Task group by status_id"}])

        Raises:
            ServerError: the server refused.
        """
        asked = self.asked()
        results: list[Any] = self.decode_value(self.send_operations(data, timeout=timeout), asked=asked)
        return results

    def encode(self, data: Any, entity_attribute_strategy: str = "set_only") -> str:
        """`data` as JSON, entities with the attributes that the strategy chooses; see `encoding.encode`."""
        return encoding.encode(data, entity_attribute_strategy)

    def decode(self, string: str | bytes) -> Any:
        """What `string` says, entities and dates decoded; entities become this session's.

        Raises:
            UnexpectedResponse: when it makes no sense.
        """
        try:
            raw = json.loads(string)
        except (ValueError, TypeError, RecursionError) as error:
            raise UnexpectedResponse(f"this is no JSON: {error}") from error
        return self.decode_value(raw)

    def decode_value(self, value: Any, *, regroup: bool = True, asked: Asked | None = None) -> Any:
        """Like `decode`, for what was JSON; lists and dictionaries are changed in place.

        Args:
            value: What it was.
            regroup: See `Decoder.decode`.
            asked: When the server was asked for it, if it was: see `asked()`.
        """
        return self.decoder.decode(value, regroup=regroup, asked=asked or self.asked())

    def asked(self) -> Asked:
        """This moment, for an answer that will have been asked for now: what changes until it comes, it may
        not know.
        """
        return Asked(self.news.number, None if self.entity_store is None else self.entity_store.epoch())

    def entity_reference(self, entity: Entity) -> dict[str, Any]:
        """An entity's type and primary key, by which the server knows it."""
        return encoding.reference(entity)
