"""Committing: one batch at a time, carried out once, whatever happens on the way.

A batch is one transaction on the server. When no answer comes, or one that makes no sense, nobody here can
know whether it was carried out; the batch is then in doubt. Everything stays as it was, and the next commit
begins by looking: what the batch was to create is there, or what it was to delete is gone, exactly if it
was carried out.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sessionkit.errors import RequestError, ResponseTooLarge, UnexpectedResponse
from sessionkit.errors import ServerError as ServerFailed
from sessionkit_review.batch import changes_of
from sessionkit_review.encoding import key_values
from sessionkit_review.errors import DuplicateEntryError, MissingEntity, ServerError
from sessionkit_review.expression import criterion
from sessionkit_review.identity import as_tuple
from sessionkit_review.news import Changed, catch_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionkit_review.batch import Change
    from sessionkit_review.entity import Entity
    from sessionkit_review.news import Asked
    from sessionkit_review.operations import Operation
    from sessionkit_review.session import ReviewSession


class Committer:
    """Commits one session's changes.

    Args:
        on_deleted: Called with the entities that are gone.
    """

    def __init__(self, session: ReviewSession, on_deleted: Callable[[list[Entity]], None]) -> None:
        self._session = session
        self._on_deleted = on_deleted
        self.lock = threading.RLock()
        self._doubtful: list[Operation] | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the latest commit failed in such a way that it may have been carried out."""
        return self._doubtful is not None

    def commit(self) -> None:
        """Send what was recorded up to now, and take in what the server made of it."""
        with self.lock:
            retried = self._resolve()
            operations = self._session.unit.snapshot()
            changes = changes_of(operations)
            if not changes:
                # What was created and deleted again has come to nothing, and is done with.
                self._on_deleted(self._session.unit.settle(operations))
                return
            asked = self._session.asked()
            try:
                results = self._send(operations, changes)
            except (DuplicateEntryError, MissingEntity):
                # A batch that was late rather than lost may have arrived since it was looked for.
                if not retried or not self._was_carried_out(retried):
                    raise
                self._on_deleted(self._session.unit.settle(retried))
                self.commit()
                return
            self._settle(operations, changes, results, asked)

    def rollback(self) -> None:
        """Forget what was recorded; what is in doubt is asked for anew."""
        with self.lock:
            doubtful, self._doubtful = self._doubtful, None
            self._session.unit.rollback()
            self._refresh(doubtful or [])

    def _send(self, operations: list[Operation], changes: list[Change]) -> list[Any]:
        payload = [change.payload() for change in changes]
        try:
            results: list[Any] = self._session.send_operations(payload)
            if len(results) != len(changes) or not all(isinstance(each, dict) for each in results):
                raise UnexpectedResponse(
                    f"{len(changes)} operations were answered by {len(results)} results",
                    hint="commit again: it finds out whether these were carried out",
                )
        except RequestError as error:
            if _leaves_doubt(error):
                self._doubtful = operations
            raise
        return results

    def _settle(
        self, operations: list[Operation], changes: list[Change], results: list[Any], asked: Asked
    ) -> None:
        session = self._session
        with session.unit.lock:
            gone = session.unit.settle(operations)
            deleted = {change.identity for change in changes if change.action == "delete"}
            for change, result in zip(changes, results, strict=True):
                data = result.get("data")
                if change.identity not in deleted and isinstance(data, dict):
                    keys = session.types[change.entity_type].primary_key_attributes
                    whole = {"__entity_type__": change.entity_type, **key_values(keys, change.key), **data}
                    session.decoder.decode(whole)
            catch_up(session, asked)
            written = [change for change in changes if change.action != "create"]
            for change in written:
                # Answers to other threads may be on their way.
                session.news.add(
                    Changed((change.entity_type,), as_tuple(change.key), change.action == "delete")
                )
        if session.entity_store is not None and written:
            session.entity_store.drop((change.entity_type, as_tuple(change.key)) for change in written)
        self._on_deleted(gone)

    def _resolve(self) -> list[Operation] | None:
        """Find out what became of a batch in doubt; returns its operations if they are to be sent again."""
        doubtful = self._doubtful
        if doubtful is None:
            return None
        carried_out = self._was_carried_out(doubtful)
        self._doubtful = None
        if not carried_out:
            return doubtful
        gone = self._session.unit.settle(doubtful)
        self._refresh(doubtful)
        self._on_deleted(gone)
        return None

    def _was_carried_out(self, operations: list[Operation]) -> bool:
        changes = changes_of(operations)
        for action, sign in (("create", True), ("delete", False)):
            for change in changes:
                if change.action == action:
                    return self._exists(change) is sign
        return False  # changes of values alone mean the same when they are made twice

    def _exists(self, change: Change) -> bool:
        keys = self._session.types[change.entity_type].primary_key_attributes
        where = criterion(keys, [change.key])
        expression = f"select {', '.join(keys)} from {change.entity_type} where {where} limit 1"
        found = self._session.read_operations([{"action": "query", "expression": expression}])
        return bool(found[0].get("data"))

    def _refresh(self, operations: Sequence[Operation]) -> None:
        """What the server made of these was not heard: read it again when it is asked for."""
        self._session.news.add(None)
        for operation in operations:
            entity = self._session.entities.get(operation.entity_type, operation.entity_key)
            if entity is not None:
                self._session.unit.expire(entity)
            if operation.entity_type == "Metadata":
                # Who has it, or has it no more.
                for owner in self._session.entities.find(operation.entity_key[0]):
                    self._session.unit.expire(owner)


def _leaves_doubt(error: RequestError) -> bool:
    """Whether a call that ended with `error` may have been carried out."""
    if isinstance(error, ServerError):
        return False  # the server itself says that it was not
    if error.status is None:
        return error.sent
    return isinstance(error, (UnexpectedResponse, ResponseTooLarge, ServerFailed)) or error.status == 408
