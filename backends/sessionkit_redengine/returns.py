"""What tasks returned the last time they ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_redengine.conditions.reference import task_name

if TYPE_CHECKING:
    from collections.abc import Iterator


class Returns:
    """The latest return value of each task, by the task, its name or its function.

    >>> session.returns["fetch"]
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def __getitem__(self, task: Any) -> Any:
        return self._values[task_name(task) or ""]

    def __setitem__(self, task: Any, value: Any) -> None:
        self._values[task_name(task) or ""] = value

    def __contains__(self, task: Any) -> bool:
        return task_name(task) in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def get(self, task: Any, default: Any = None) -> Any:
        """The value, or `default`."""
        return self._values.get(task_name(task) or "", default)

    def pop(self, task: Any) -> None:
        """Forget a task's value."""
        self._values.pop(task_name(task) or "", None)

    def __repr__(self) -> str:
        return f"Returns({self._values!r})"
