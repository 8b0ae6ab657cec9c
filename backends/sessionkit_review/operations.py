"""What was recorded and waits to be committed: one object for each creation, change and deletion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sessionkit_review.identity import as_key
from sessionkit_review.symbols import CREATED, DELETED, MODIFIED, NOT_SET, Symbol

if TYPE_CHECKING:
    from sessionkit_review.entity import Key


class Operation:
    """Something to be done on the server.

    Attributes:
        entity_type: The type of the entity that it is done to.
        entity_key: Its primary key.
    """

    __slots__ = ("entity_key", "entity_type")

    state: Symbol = NOT_SET

    def __init__(self, entity_type: str, entity_key: Any) -> None:
        self.entity_type = entity_type
        values = entity_key.values() if isinstance(entity_key, Mapping) else entity_key
        self.entity_key: Key = as_key(values if isinstance(values, str) else list(values))

    @property
    def identity(self) -> tuple[str, Key]:
        """Which entity."""
        return (self.entity_type, self.entity_key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.entity_type} {self.entity_key}>"


class CreateEntityOperation(Operation):
    """Create an entity.

    Attributes:
        entity_data: Its values by attribute.
    """

    __slots__ = ("entity_data",)

    state = CREATED

    def __init__(self, entity_type: str, entity_key: Any, entity_data: Mapping[str, Any]) -> None:
        super().__init__(entity_type, entity_key)
        self.entity_data = dict(entity_data)


class UpdateEntityOperation(Operation):
    """Change one attribute of an entity.

    Attributes:
        attribute_name: Which.
        old_value: What it was.
        new_value: What it is to be.
    """

    __slots__ = ("attribute_name", "new_value", "old_value")

    state = MODIFIED

    def __init__(
        self, entity_type: str, entity_key: Any, attribute_name: str, old_value: Any, new_value: Any
    ) -> None:
        super().__init__(entity_type, entity_key)
        self.attribute_name = attribute_name
        self.old_value = old_value
        self.new_value = new_value


class DeleteEntityOperation(Operation):
    """Delete an entity."""

    __slots__ = ()

    state = DELETED


_RANK = {MODIFIED: 1, CREATED: 2, DELETED: 3}


class Operations:
    """The recorded operations, oldest first, and what they make of each entity.

    >>> session.recorded_operations.push(DeleteEntityOperation("Task", [task_id]))
    """

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._operations: list[Operation] = []
        self._states: dict[tuple[str, Key], Symbol] = {}
        for operation in operations:
            self.push(operation)

    def push(self, operation: Operation) -> None:
        """Record one more."""
        self._operations.append(operation)
        identity = operation.identity
        known = self._states.get(identity)
        if known is None or _RANK[operation.state] > _RANK[known]:
            self._states[identity] = operation.state

    def pop(self) -> Operation:
        """Take back the latest.

        Raises:
            IndexError: when there is none.
        """
        latest = self._operations[-1]
        self._keep(self._operations[:-1])
        return latest

    def clear(self) -> None:
        """Take back all."""
        self._keep([])

    def discard(self, operations: Iterable[Operation]) -> None:
        """Forget these: they have been carried out, or are taken back."""
        gone = {id(operation) for operation in operations}
        self._keep([each for each in self._operations if id(each) not in gone])

    def _keep(self, operations: list[Operation]) -> None:
        fresh = Operations(operations)
        self._operations, self._states = fresh._operations, fresh._states

    def state(self, entity_type: str, key: Key) -> Symbol:
        """CREATED, MODIFIED, DELETED, or NOT_SET when nothing waits for this entity."""
        return self._states.get((entity_type, key), NOT_SET)

    def states(self) -> dict[tuple[str, Key], Symbol]:
        """The state of each entity that something waits for."""
        return dict(self._states)

    def __iter__(self) -> Iterator[Operation]:
        return iter(list(self._operations))

    def __len__(self) -> int:
        return len(self._operations)

    def __getitem__(self, index: int) -> Operation:
        return self._operations[index]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._operations!r}>"
