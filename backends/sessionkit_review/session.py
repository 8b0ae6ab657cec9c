"""`ReviewSession`: a session with a review server (ftrack)."""

from __future__ import annotations

import getpass
import json
import logging
import os
import re
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit.cache import Cache, StringKeyMaker, scoped
from sessionkit.config import Setting, resolve
from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit.events import Event, EventHub
from sessionkit.paths import expanded
from sessionkit_review import encoding
from sessionkit_review.coherence import Connecting, Following, Members
from sessionkit_review.commit import Committer
from sessionkit_review.decoding import Decoder
from sessionkit_review.entity import Entity
from sessionkit_review.errors import MultipleResultsFound, ServerCompatibilityError
from sessionkit_review.expression import condition, criterion
from sessionkit_review.factory import Types
from sessionkit_review.flags import Flags
from sessionkit_review.identity import EntityMap, as_key
from sessionkit_review.loading import Loader
from sessionkit_review.plugins import discover, plugin_paths as paths_of
from sessionkit_review.protocol import KeyAuth, ReviewProtocol, checked_headers
from sessionkit_review.query import QueryResult
from sessionkit_review.remote import RemoteOperations
from sessionkit_review.schemas import SchemaCache, default_folder
from sessionkit_review.select import Select
from sessionkit_review.store import EntityStore
from sessionkit_review.symbols import CREATED, DELETED, MODIFIED
from sessionkit_review.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sessionkit.cache import KeyMaker
    from sessionkit.secrets import Secret
    from sessionkit_review.encoding import Strategy
    from sessionkit_review.operations import Operations

log = logging.getLogger(__name__)

OLDEST: tuple[int, ...] = (3, 3, 11)
"""The oldest server that is understood."""


class ReviewSession(RemoteOperations, ReviewProtocol):
    """A session with a review server.

        with ReviewSession("https://studio.example", api_key, "jenkins") as session:
            for task in session.query('Task where status.name is "Pending review"'):
                task["description"] = "Seen."
            session.commit()

    Entities are loaded when they are asked for, exist once per session, and are changed here until
    `commit` sends all changes as one transaction. A session may be shared by threads; a `sibling` has
    entities and changes of its own.

    Args:
        server_url: The server; `$FTRACK_SERVER` when not given.
        api_key: The user's key, kept as a secret; `$FTRACK_API_KEY` (or `$FTRACK_APIKEY`) when not given.
        api_user: The user; `$FTRACK_API_USER` or who is logged in on this machine when not given.
        auto_populate: Load a missing attribute when it is read; see `auto_populating`.
        plugin_paths: Folders of plugins; `$FTRACK_EVENT_PLUGIN_PATH` when not given.
        cache: Keeps entities between sessions: a `Cache`, or a function that makes one (or None) of the
            session. What is here in memory always comes first.
        cache_key_maker: Makes that cache's keys; a `StringKeyMaker` when not given.
        auto_connect_event_hub: Connect the event hub, in the background, and have events handled there.
        schema_cache_path: Folder for schemas; `$FTRACK_API_SCHEMA_CACHE_PATH` or the user's cache directory
            when not given; False for none.
        plugin_arguments: Passed to each plugin's `register`, as far as it takes them.
        timeout: Seconds for a call as a whole.
        cookies: Sent with every request.
        headers: Sent with every request.
        strict_api: Have the server send exactly what was asked for, and errors with their HTTP status.
        batch_loading: Load a missing attribute for all entities that came together, in one call.
        options: See `HttpEngine`.

    Raises:
        ConfigurationError: an argument that cannot work, or one that is missing.
        CredentialsRefused: the server does not know the user or the key.
        ServerCompatibilityError: the server is too old.
    """

    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("server_url", env=("FTRACK_SERVER",), required=True),
        Setting("api_key", env=("FTRACK_API_KEY", "FTRACK_APIKEY"), secret=True, required=True),
        Setting("api_user", env=("FTRACK_API_USER",)),
        Setting("schema_cache_path", env=("FTRACK_API_SCHEMA_CACHE_PATH",)),
    )

    def __init__(
        self,
        server_url: str | None = None,
        api_key: str | Secret | None = None,
        api_user: str | None = None,
        auto_populate: bool = True,
        plugin_paths: Iterable[str | os.PathLike[str]] | None = None,
        cache: Cache | Callable[[Any], Cache | None] | None = None,
        cache_key_maker: KeyMaker[Any] | None = None,
        auto_connect_event_hub: bool = False,
        schema_cache_path: str | os.PathLike[str] | bool | None = None,
        plugin_arguments: Mapping[str, Any] | None = None,
        timeout: float = 60.0,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        strict_api: bool = False,
        *,
        batch_loading: bool = True,
        **options: Any,
    ) -> None:
        given = {"server_url": server_url, "api_key": api_key, "api_user": api_user}
        given["schema_cache_path"] = schema_cache_path if schema_cache_path is not True else None
        known = {name: value.value for name, value in resolve(self.settings, given).items()}
        if not isinstance(strict_api, bool):
            raise ConfigurationError(f"strict_api is True or False, not {strict_api!r}")
        user = known["api_user"] or getpass.getuser()
        self._auto_populate, self._batch_loading = auto_populate, batch_loading
        self._schema_folder = known["schema_cache_path"]
        self._cookies = checked_headers("cookies", cookies)
        self._own_headers = {
            "ftrack-strict-api": str(strict_api).lower(),
            **checked_headers("headers", headers),
        }
        self.cache_key_maker: KeyMaker[Any] = cache_key_maker or StringKeyMaker()
        self._cache_given: Cache | None = None
        self._connecting: Connecting | None = None
        sent = dict(self._own_headers)
        if self._cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        self._key_auth = KeyAuth(known["api_key"], user)
        self._api_key = known["api_key"]
        super().__init__(
            known["server_url"], auth=self._key_auth, timeout=timeout, headers=sent, principal=user, **options
        )
        self._begin(cache, paths_of(plugin_paths, os.environ), plugin_arguments, auto_connect_event_hub)

    def _begin(
        self,
        cache: Cache | Callable[[Any], Cache | None] | None,
        paths: Sequence[Any],
        plugin_arguments: Mapping[str, Any] | None,
        connect: bool,
    ) -> None:
        self._server_information = self.query_server_information()
        check_version(self._server_information)
        kept = cache if cache is None or isinstance(cache, Cache) else cache(self)
        if kept is not None:
            self._cache_given = self.shared("cache", lambda: kept)
            self.entity_store = self._make_store()
        if paths:
            discover(paths, [self], plugin_arguments)
        if connect:
            self._connecting = Connecting(self.event_hub)
        self._announce_topic("ftrack.api.session.configure-location")
        self._announce_topic("ftrack.api.session.ready")

    def _announce_topic(self, topic: str) -> None:
        """Tell the subscribers of this session's hub, now."""
        if self._hub is not None and self._hub.enabled:
            self._hub.publish(Event(topic, data={"session": self}), synchronous=True)

    def reset_own_state(self) -> None:
        """Entities, changes and switches of this session's own."""
        super().reset_own_state()
        self.flags = Flags(auto_populate=self._auto_populate)
        self.client_token = uuid.uuid4().hex
        self.entities = EntityMap()
        self.unit = UnitOfWork(self)
        self.loader = Loader(self, together=self._batch_loading)
        self.decoder = Decoder(self)
        self.entity_store = None if self._cache_given is None else self._make_store()
        self._committer = Committer(self, self._dropped)
        members: Members = self.shared("members", Members)
        members.add(self)

    entity_store: EntityStore | None

    def _make_store(self) -> EntityStore:
        assert self._cache_given is not None
        return EntityStore(self, scoped(self._cache_given, self.identity), self.cache_key_maker)

    def _dropped(self, entities: Iterable[Entity]) -> None:
        if self.entity_store is not None:
            for entity in entities:
                self.entity_store.drop(entity.entity_type, entity.primary_key)

    # --- who and where ---

    @property
    def server_url(self) -> str:
        """The server's URL."""
        return self.base_url

    @property
    def api_user(self) -> str:
        """Who is signed in."""
        return self.principal

    @property
    def api_key(self) -> str:
        """The user's key."""
        return str(self._api_key)

    @property
    def server_information(self) -> dict[str, Any]:
        """What the server said of itself when the session began; a copy."""
        return dict(self._server_information)

    @property
    def types(self) -> Types:
        """The server's entity types by name."""
        types: Types = self.shared("types", self._make_types)
        return types

    @property
    def schemas(self) -> list[Mapping[str, Any]]:
        """The server's entity types, as it describes them."""
        return self.types.schemas

    def _make_types(self) -> Types:
        parts = self._family.parts
        return Types(self._load_schemas(), lambda: parts.get("hub"))

    def _load_schemas(self) -> Any:
        version = str(self._server_information.get("schema_hash") or "")
        cache = None
        if self._schema_folder is not False and version:
            folder = expanded(self._schema_folder) if self._schema_folder else default_folder()
            cache = SchemaCache(Path(folder), self.base_url)
        schemas = cache.load(version) if cache is not None else None
        if schemas is None:
            schemas = self.read_operations([{"action": "query_schemas"}])[0]
            if cache is not None and isinstance(schemas, list):
                cache.save(version, schemas)
        return schemas

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
        """Forget what the server said of these; it is asked again when they are read. Changes made here stay."""
        for entity in entities:
            self._dropped([entity])
            self.unit.expire(entity)

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
            identifying_keys: By which of them it is found; by all when None.

        Raises:
            MultipleResultsFound: when there are several.
            ConfigurationError: when it cannot be told by these.
        """
        names = list(data if identifying_keys is None else identifying_keys)
        kind = self.types[entity_type]
        unfit = [n for n in names if n not in data or kind.attributes[n].kind not in {"scalar", "reference"}]
        if unfit or not names:
            raise ConfigurationError(
                f"a {entity_type} cannot be told by {', '.join(unfit) or 'nothing'}",
                hint="identifying_keys are names of values or references that are in data",
            )
        where = " and ".join(condition(name, data[name]) for name in names)
        found = self.query(
            f"select {', '.join(dict.fromkeys([*kind.default_projections, *names]))} "
            f"from {entity_type} where {where}"
        )._few(2)  # noqa: SLF001 - the package's own
        if len(found) > 1:
            raise MultipleResultsFound(
                f"several {entity_type} have the same {', '.join(names)}", hint="name more identifying_keys"
            )
        entity = found[0] if found else self.create(entity_type, data)
        if found:
            for name, value in data.items():
                if entity[name] != value:
                    entity[name] = value
        self.commit()
        return entity

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
        self._committer.commit()

    def rollback(self) -> None:
        """Take back all changes that are not committed."""
        self._committer.rollback()

    def reset(self) -> None:
        """Forget everything: changes that were not committed, and all entities."""
        self.rollback()
        with self.unit.lock:
            self.entities.clear()
        self._announce_topic("ftrack.api.session.reset")
        self._announce_topic("ftrack.api.session.configure-location")

    def merge(self, value: Any) -> Any:
        """Entities of another session as entities of this one, with the values they have there.

        Args:
            value: An entity, or a list or dictionary with entities in it.
        """
        return self.decode(encoding.encode(value, "set_only"))

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
        results: list[Any] = self.decode_value(self.send_operations(data, timeout=timeout))
        return results

    def encode(self, data: Any, entity_attribute_strategy: Strategy | str = "set_only") -> str:
        """`data` as JSON, entities with the attributes that the strategy chooses; see `encoding.encode`."""
        return encoding.encode(data, entity_attribute_strategy)

    def decode(self, text: str | bytes) -> Any:
        """What `text` says, entities and dates decoded; entities become this session's.

        Raises:
            UnexpectedResponse: when it makes no sense.
        """
        try:
            raw = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise UnexpectedResponse(f"this is no JSON: {error}") from error
        return self.decode_value(raw)

    def decode_value(self, value: Any, *, regroup: bool = True) -> Any:
        """Like `decode`, for what was JSON; lists and dictionaries are changed in place."""
        return self.decoder.decode(value, regroup=regroup)

    def entity_reference(self, entity: Entity) -> dict[str, Any]:
        """An entity's type and primary key, by which the server knows it."""
        return encoding.reference(entity)

    # --- events ---

    def _make_hub(self) -> EventHub:
        hub = self._hub_factory(self) if self._hub_factory is not None else self._default_hub()
        Following(hub, self.shared("members", Members))
        return hub

    def _default_hub(self) -> EventHub:
        return EventHub(
            self.base_url,
            self.principal,
            self.api_key,
            headers=self._own_headers,
            cookies=self._cookies,
            verify=self.verify,
            cert=self.cert,
            proxies=self.proxies,  # type: ignore[arg-type]  # the hub takes what HttpEngine takes
        )

    @property
    def event_hub_error(self) -> Exception | None:
        """Why the hub, which is being connected in the background, is not; None if nothing is wrong."""
        return None if self._connecting is None else self._connecting.error

    def wait_for_event_hub(self, timeout: float = 10.0) -> bool:
        """Wait until the hub that is being connected in the background is; whether it is."""
        return self._connecting is not None and self._connecting.wait(timeout)

    def on_close(self) -> None:
        """Drop connections; what was not committed is lost, so say so."""
        if self._connecting is not None and not self._is_sibling:
            self._connecting.stop()
        super().on_close()
        if len(self.recorded_operations):
            log.warning("%s was closed with %d changes not committed", self, len(self.recorded_operations))


def check_version(information: Mapping[str, Any]) -> None:
    """Refuse a server that is too old.

    Raises:
        ServerCompatibilityError: when it is, or does not say.
    """
    version = information.get("version") if isinstance(information, dict) else None
    if not version:
        raise ServerCompatibilityError("the server does not tell its version")
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", str(version))
    if numbers and tuple(map(int, numbers.groups())) < OLDEST:
        raise ServerCompatibilityError(
            f"the server's version is {version}",
            hint=f"{'.'.join(map(str, OLDEST))} is the oldest that works",
        )
