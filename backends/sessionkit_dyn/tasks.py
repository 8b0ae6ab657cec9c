"""Tasks: what the service does by itself, such as distributing a published zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit.clock import Deadline
from sessionkit_dyn import errors
from sessionkit_dyn.calls import path
from sessionkit_dyn.resource import Resource, ask, mapping, odd, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_dyn.session import DynectSession

#: States in which nothing more will happen.
ENDED: Final = frozenset({"complete", "failed", "canceled"})
_POLL: Final = 2.0


class Task(Resource):
    """A task of the service; read when one of its attributes is, and again by `refresh()`.

    >>> task = zone.publish()
    >>> task.wait(timeout=60).status
    'complete'

    Its attributes are what the service says of it, numbers as they come: `name`, `customer_name`,
    `zone_name`, `status` (ready, running, waiting, complete, failed, canceled, stalled), `step_count`,
    `total_steps`, `blocking`, `message`, `debug`, `created_ts`, `modified_ts`, `args`.

    Args:
        task_id: Its number.
        session: The session to use instead of the current one.
    """

    __slots__ = ("_data", "task_id")

    def __init__(self, task_id: int | str, *, session: DynectSession | None = None) -> None:
        super().__init__(session)
        self.task_id = int(task_id)
        self._data: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        # Only for names that are nowhere else: what the service tells of a task.
        if name.startswith("_"):
            raise AttributeError(name)
        if self._data is None:
            self.refresh()
        try:
            return self._data[name]  # type: ignore[index]  # refresh() leaves a mapping
        except KeyError:
            raise AttributeError(f"task {self.task_id} has no {name!r}") from None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen, as far as was read last."""
        return self.status in ENDED

    def refresh(self) -> Task:
        """Read it again; returns itself."""
        self._data = mapping(ask(self.session, "GET", path("Task", self.task_id)), "task")
        return self

    def cancel(self) -> None:
        """Stop it, if it has not ended."""
        ask(self.session, "DELETE", path("Task", self.task_id))
        self._data = None

    def wait(self, timeout: float = 300.0, progress: Callable[[Task], None] | None = None) -> Task:
        """Wait until it has ended, however it ends; returns itself.

        Args:
            timeout: Seconds to wait at most.
            progress: Called with the task each time it has not ended.

        Raises:
            DynectQueryTimeout: it had not ended in time.
        """
        deadline = Deadline.after(timeout, self.session.clock)
        while not self.refresh().ended:
            if progress is not None:
                progress(self)
            if deadline.remaining() <= _POLL:
                raise errors.DynectQueryTimeout(
                    f"task {self.task_id} was still {self.status} after {timeout:g} s",
                    hint="it goes on; wait for it again",
                )
            deadline.sleep(_POLL)
        return self

    def __repr__(self) -> str:
        state = "" if self._data is None else f" {self._data.get('name')} {self._data.get('status')}"
        return f"<Task {self.task_id}{state}>"


def get_tasks(
    *,
    name: str | None = None,
    zone_name: str | None = None,
    status: str | None = None,
    session: DynectSession | None = None,
) -> list[Task]:
    """The account's tasks.

    Args:
        name: Only tasks of this name, such as "PublishZone".
        zone_name: Only tasks of this zone.
        status: Only "done" or "notdone" ones.
        session: The session to use instead of the current one.
    """
    wanted = {"name": name, "zone_name": zone_name, "status": status}
    given = {key: value for key, value in wanted.items() if value is not None}
    found = []
    for row in rows(ask(session, "GET", "/Task/", given), "tasks"):
        try:
            task = Task(row["task_id"], session=session)
        except (KeyError, TypeError, ValueError):
            raise odd("task", "a number", row.get("task_id")) from None
        task._data = row  # noqa: SLF001 - made here
        found.append(task)
    return found
