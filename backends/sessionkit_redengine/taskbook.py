"""The tasks of one session, by name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sessionkit_redengine.conditions.reference import task_name
from sessionkit_redengine.errors import TaskExists, TaskNotFound
from sessionkit_redengine.history.state import TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.tasks.base import Task


class TaskBook:
    """Finds tasks by name, keeps them in the order of their making, and settles what a name taken means."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tasks: dict[str, Task] = {}
        self._renamed: dict[str, int] = {}
        self._made = 0
        self._known: dict[str, TaskState] | None = None
        self._lock = threading.RLock()

    def after_fork_in_child(self) -> None:
        """The lock may be held by a thread that the child does not have."""
        self._lock = threading.RLock()

    @property
    def all(self) -> tuple[Task, ...]:
        """All tasks, in the order of their making."""
        return tuple(self._tasks.values())

    def find(self, name: str) -> Task | None:
        """The task of a name, or None."""
        return self._tasks.get(name)

    def get(self, task: Any) -> Task:
        """The task of this name, or made of this function.

        Raises:
            TaskNotFound: when there is none.
        """
        found = self._tasks.get(task if isinstance(task, str) else task_name(task) or "")
        if found is None:
            raise TaskNotFound(f"There is no task {task!r}.", hint=f"there are {_some(self._tasks)}")
        return found

    def __contains__(self, task: Any) -> bool:
        return (task if isinstance(task, str) else task_name(task)) in self._tasks

    def add(self, task: Task) -> bool:
        """Take a task in; whether it was.

        Raises:
            TaskExists: when there is one of this name, and `task_pre_exist` is "raise".
        """
        with self._lock:
            if task.name in self._tasks and not self._make_room(task):
                return False
            if "priority" not in vars(task) and self._session.config.task_priority:
                object.__setattr__(task, "priority", self._session.config.task_priority)
            self._made += 1
            object.__setattr__(task, "order", self._made)
            if "state" not in vars(task):
                object.__setattr__(task, "state", self._remembered(task.name))
            object.__setattr__(task, "_registered", True)
            self._tasks[task.name] = task
        return True

    def _make_room(self, task: Task) -> bool:
        """Do about a name that is taken what the configuration says; whether the task is to be added."""
        policy = self._session.config.task_pre_exist
        if policy == "raise":
            raise TaskExists(
                f"Task name {task.name!r} already exists.",
                hint='give it another name, or set task_pre_exist to "replace", "rename" or "ignore"',
            )
        if policy == "replace":
            # What has been done under this name has been done: the new task does not do it again.
            object.__setattr__(task, "state", self._tasks[task.name].state)
            self._session.remove_task(task.name)
        elif policy == "rename":
            name = task.name
            while task.name in self._tasks:
                self._renamed[name] = self._renamed.get(name, 0) + 1
                object.__setattr__(task, "name", f"{name} - {self._renamed[name]}")
        else:
            object.__setattr__(task, "state", TaskState())
        return policy != "ignore"

    def remove(self, task: Task) -> Task:
        """Take a task out."""
        with self._lock:
            del self._tasks[task.name]
            object.__setattr__(task, "_registered", False)
            if self._known is not None and self._session.history.lasting:
                self._known[task.name] = task.state
        return task

    def remember(self, name: str, state: TaskState) -> Task | None:
        """The task whose record has been read; if there is none yet, the record is kept until it is made."""
        with self._lock:
            task = self._tasks.get(name)
            if task is None and self._known is not None:
                self._known[name] = state
        return task

    def _remembered(self, name: str) -> TaskState:
        """What the history knows of a task; it is asked once for all of them."""
        if self._known is None:
            self._known = self._session.history.states(self._session.name)
        return self._known.pop(name, None) or TaskState()


def _some(names: Mapping[str, Any]) -> str:
    shown = ", ".join(map(repr, list(names)[:8]))
    return (f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown) or "none at all"
