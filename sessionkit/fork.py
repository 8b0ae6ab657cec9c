"""What a forked child must forget.

A child inherits its parent's sockets, and locks in whatever state another thread had them. Objects that
own either register here; after a fork, in the child, `after_fork_in_child()` is called on each that lives.
"""

from __future__ import annotations

import logging
import os
import weakref
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)


class ForkAware(Protocol):
    """An object with sockets, locks or threads of its own."""

    def after_fork_in_child(self) -> None:
        """Replace locks by new ones and drop sockets without a word on the wire.

        Runs in the child before any other Python code. It must not take a lock that the parent may
        have held, nor wait.
        """


_T = TypeVar("_T", bound=ForkAware)
# Plain references keyed by id: a WeakSet guards its iteration with state that a fork may catch half done.
_living: dict[int, weakref.ref[ForkAware]] = {}


def aware(obj: _T) -> _T:
    """Have `obj.after_fork_in_child()` called in every child forked from now on; holds `obj` weakly.

    Returns `obj`, so that it reads as part of an assignment: `self._pool = fork.aware(Pool())`.
    """
    key = id(obj)
    _living[key] = weakref.ref(obj, lambda _: _living.pop(key, None))
    return obj


def _after_fork_in_child() -> None:
    for reference in list(_living.values()):
        obj = reference()
        if obj is not None:
            try:
                obj.after_fork_in_child()
            except Exception:
                # One that fails must not leave the locks of all others as they are.
                log.exception("%s did not start anew in a forked child", type(obj).__name__)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
