"""Entities in a cache that outlives the session: as text, under keys that every process makes alike."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionkit.errors import CacheError, SessionKitError
from sessionkit_review.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit.cache import Cache, KeyMaker
    from sessionkit_review.core import ReviewCore
    from sessionkit_review.entity import Entity

log = logging.getLogger(__name__)


class EntityStore:
    """Keeps what a session received in the cache that it was given. A cache that fails costs time only.

    Args:
        session: Whose entities.
        cache: Where; what belongs to one user is not shown to another.
        key_maker: Makes a key of an entity's type and primary key.
    """

    def __init__(self, session: ReviewCore, cache: Cache, key_maker: KeyMaker[Any]) -> None:
        self._session = session
        self.cache = cache
        self._key_maker = key_maker

    def key(self, entity_type: str, key: Iterable[str]) -> Any:
        """The key of an entity."""
        return self._key_maker.key((entity_type, list(key)))

    def epoch(self) -> Any:
        """What is another once something has been dropped, by whichever process."""
        try:
            return self.cache.epoch()
        except CacheError as error:
            log.warning("the cache of entities cannot be read: %s", error)
            return object()

    def keep(self, entities: Iterable[Entity], epoch: Any) -> None:
        """Keep entities as they came from the server; bare references are not worth it.

        Args:
            entities: What came.
            epoch: What `epoch` was when the server was asked: what was dropped since is not put back.
        """
        try:
            for entity in entities:
                if len(entity._data) > len(entity.primary_key_attributes):  # noqa: SLF001 - the package's own
                    key = self.key(entity.entity_type, entity.primary_key)
                    self.cache.set_within(epoch, key, encode(entity, "persisted_only"))
        except CacheError as error:
            log.warning("entities could not be kept in the cache: %s", error)

    def fetch(self, entity: Entity) -> bool:
        """Complete an entity by what is kept of it; whether there was something."""
        return self.load(entity.entity_type, entity.primary_key)

    def load(self, entity_type: str, key: Iterable[str]) -> bool:
        """Bring an entity into the session, if it is kept; whether it was."""
        try:
            text = self.cache.get(self.key(entity_type, key))
        except (KeyError, CacheError):
            return False
        try:
            self._session.decoder.decode(json.loads(text))
        except (SessionKitError, ValueError, TypeError) as error:
            # Written by another version, or for another schema.
            log.warning("a cached entity could not be read and was dropped: %s", error)
            self.drop([(entity_type, key)])
            return False
        return True

    def drop(self, identities: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Keep no copy of these entities, and none that is on its way."""
        try:
            self.cache.advance()
            for entity_type, key in identities:
                with suppress(KeyError):
                    self.cache.remove(self.key(entity_type, key))
        except CacheError as error:
            log.warning("a cached entity could not be dropped: %s", error)

    def clear(self) -> None:
        """Keep nothing."""
        try:
            self.cache.advance()
            self.cache.clear()
        except CacheError as error:
            log.warning("cached entities could not be dropped: %s", error)
