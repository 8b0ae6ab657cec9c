"""Hooks: functions called around what the session does.

A plain function is called before. A generator runs to its `yield` before, and on from there after; around a
task's execution it is sent what the task raised, as `sys.exc_info()` gives it.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Hook = Callable[..., Any]


F = TypeVar("F", bound="Callable[..., Any]")


class Hooks:
    """The hooks of one session, in the order in which they were added."""

    __slots__ = ("scheduler_cycle", "scheduler_shutdown", "scheduler_startup", "task_execute", "task_init")

    def __init__(self) -> None:
        self.task_init: list[Hook] = []
        self.task_execute: list[Hook] = []
        self.scheduler_startup: list[Hook] = []
        self.scheduler_cycle: list[Hook] = []
        self.scheduler_shutdown: list[Hook] = []


class HookDecorators:
    """The decorators by which a session's hooks are added: `@session.hook_startup()`."""

    hooks: Hooks

    def hook_startup(self) -> Callable[[F], F]:
        """Call the function, with the scheduler, when it starts."""
        return _adder(self.hooks.scheduler_startup)

    def hook_shutdown(self) -> Callable[[F], F]:
        """Call the function, with the scheduler, when it ends."""
        return _adder(self.hooks.scheduler_shutdown)

    def hook_scheduler_cycle(self) -> Callable[[F], F]:
        """Call the function, with the scheduler, around each cycle."""
        return _adder(self.hooks.scheduler_cycle)

    def hook_task_init(self) -> Callable[[F], F]:
        """Call the function, with the task, when one is made."""
        return _adder(self.hooks.task_init)

    def hook_task_execute(self) -> Callable[[F], F]:
        """Call the function, with the task, around each run, where it runs."""
        return _adder(self.hooks.task_execute)


def _adder(hooks: list[Hook]) -> Callable[[F], F]:
    def add(hook: F) -> F:
        hooks.append(hook)
        return hook

    return add


@contextmanager
def around(hooks: Iterable[Hook], subject: Any) -> Iterator[None]:
    """Call `hooks` with `subject` around a block; what a hook raises is raised."""
    waiting = [started for hook in hooks if (started := _started(hook, subject)) is not None]
    try:
        yield
    finally:
        raised = sys.exc_info()
        for generator in reversed(waiting):
            _finished(generator, raised)


def _started(hook: Hook, subject: Any) -> Any:
    result = hook(subject)
    if not inspect.isgenerator(result):
        return None
    next(result, None)
    return result


def _finished(generator: Any, raised: Any) -> None:
    try:
        generator.send(raised)
    except StopIteration:
        return
    generator.close()
    raise RuntimeError(f"the hook {generator.__qualname__} yields more than once")
