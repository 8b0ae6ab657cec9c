"""How a condition names a task: by its name, by the task object, or by the function it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sessionkit_redengine.errors import ParserError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sessionkit_redengine.tasks.base import Task

#: The attribute by which a decorated function remembers its task's name.
MARK = "__redengine_task__"
TaskLike: TypeAlias = "str | Task | Callable[..., Any]"


def task_name(task: TaskLike | None) -> str | None:
    """The name meant; None stays None, "the task whose condition this is".

    Raises:
        ParserError: for anything that is no task.
    """
    if task is None or isinstance(task, str):
        return task
    name = getattr(task, MARK, None) or getattr(task, "name", None)
    if isinstance(name, str):
        return name
    raise ParserError(
        f"{task!r} is no task.", hint="name it, or give the Task object or the decorated function"
    )


def task_key(name: str | None) -> frozenset[Hashable]:
    """The key under which a condition hears of this task's runs."""
    return frozenset((("task", name),))
