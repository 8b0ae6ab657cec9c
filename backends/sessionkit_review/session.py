"""`ReviewSession`: a session with a review server (ftrack)."""

from __future__ import annotations

import getpass
import logging
import os
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit.cache import Cache, StringKeyMaker, scoped
from sessionkit.config import Setting, resolve
from sessionkit.errors import ConfigurationError
from sessionkit.events import EventHub
from sessionkit.paths import expanded
from sessionkit_review.coherence import Connecting, Following, Members
from sessionkit_review.commit import Committer
from sessionkit_review.components import ComponentOperations
from sessionkit_review.custom_attributes import Configurations
from sessionkit_review.decoding import Decoder
from sessionkit_review.errors import InvalidArgument, ServerCompatibilityError
from sessionkit_review.factory import Types
from sessionkit_review.flags import Flags
from sessionkit_review.identity import EntityMap
from sessionkit_review.loading import Loader
from sessionkit_review.locations.server import ServerAccessor
from sessionkit_review.news import News
from sessionkit_review.plugins import discover, folders_of
from sessionkit_review.protocol import KeyAuth, checked_headers
from sessionkit_review.schemas import SchemaCache, default_folder
from sessionkit_review.storage import ACTIVATE, Activation
from sessionkit_review.store import EntityStore
from sessionkit_review.unit import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sessionkit.cache import KeyMaker
    from sessionkit.secrets import Secret

log = logging.getLogger(__name__)

OLDEST: tuple[int, ...] = (3, 3, 11)
"""The oldest server that is understood."""


class ReviewSession(ComponentOperations):
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
        InvalidArgument: an argument that cannot work, or one that is missing; a TypeError.
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
        plugin_paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str] | None = None,
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
        given: dict[str, Any] = {"server_url": server_url, "api_key": api_key, "api_user": api_user}
        given["schema_cache_path"] = schema_cache_path if schema_cache_path is not True else None
        known = self._known(given)
        if not isinstance(strict_api, bool):
            raise InvalidArgument(f"strict_api is True or False, not {strict_api!r}")
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
        self._begin(cache, folders_of(plugin_paths, os.environ), plugin_arguments, auto_connect_event_hub)

    def _known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Who and where, from the arguments and the environment."""
        try:
            return {name: value.value for name, value in resolve(self.settings, given).items()}
        except ConfigurationError as error:
            raise InvalidArgument(error.message, hint=error.hint) from error

    def _begin(
        self,
        cache: Cache | Callable[[Any], Cache | None] | None,
        paths: Sequence[Any],
        plugin_arguments: Mapping[str, Any] | None,
        connect: bool,
    ) -> None:
        self._server_information = self.query_server_information()
        check_version(self._server_information)
        if cache is not None and not isinstance(cache, Cache) and not callable(cache):
            raise InvalidArgument(f"cache is a Cache, or a function that makes one, not {cache!r}")
        kept = cache if cache is None or isinstance(cache, Cache) else cache(self)
        if kept is not None:
            self._cache_given = self.shared("cache", lambda: kept)
            self.entity_store = self._make_store()
        if paths:
            discover(paths, [self], plugin_arguments)
        if connect:
            self._connecting = Connecting(self.event_hub)
        self.tell(ACTIVATE, storage_scenario=self._server_information.get("storage_scenario"))
        self.tell("ftrack.api.session.configure-location", session=self)
        self.tell("ftrack.api.session.ready", session=self)

    def reset_own_state(self) -> None:
        """Entities, changes and switches of this session's own."""
        super().reset_own_state()
        self.flags = Flags(auto_populate=self._auto_populate)
        self.client_token = uuid.uuid4().hex
        self.entities = EntityMap()
        self.unit = UnitOfWork(self)
        self.news = News()
        self.loader = Loader(self, together=self._batch_loading)
        self.decoder = Decoder(self)
        self.entity_store = None if self._cache_given is None else self._make_store()
        self.custom_attributes = Configurations(self)
        self.committer = Committer(self, self.drop_copies)
        members: Members = self.shared("members", Members)
        members.add(self)

    def _make_store(self) -> EntityStore:
        assert self._cache_given is not None
        return EntityStore(self, scoped(self._cache_given, self.identity), self.cache_key_maker)

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
        version = str(self._server_information.get("schema_hash") or "")
        cache = None
        if self._schema_folder is not False and version:
            folder = expanded(self._schema_folder) if self._schema_folder else default_folder()
            cache = SchemaCache(Path(folder), self.base_url)
        kept = cache.load(version) if cache is not None else None
        schemas = self.read_operations([{"action": "query_schemas"}])[0] if kept is None else kept
        types = Types(schemas, lambda: parts.get("hub"))
        if kept is None and cache is not None:
            cache.save(version, schemas)  # not before it is known that they make sense
        return types

    def server_accessor(self) -> ServerAccessor:
        """The storage of the server's own location."""
        return ServerAccessor(self)

    # --- events ---

    def _make_hub(self) -> EventHub:
        hub = self._hub_factory(self) if self._hub_factory is not None else self._default_hub()
        members: Members = self.shared("members", Members)
        Following(hub, members)
        Activation(hub, members)
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
            proxies=self.proxies,
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
