"""What plugins log, and what they warn of."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import ParamSpec

    _P = ParamSpec("_P")

_R = TypeVar("_R")


class LazyLogMessage:
    """A message with {} in it, which is put together only if somebody logs it.

    >>> log.debug(LazyLogMessage("{0} of {total} frames", 3, total=40))

    Args:
        message: As `str.format` takes it.
        args: For it.
        kwargs: For it.
    """

    __slots__ = ("args", "kwargs", "message")

    def __init__(self, message: str, *args: Any, **kwargs: Any) -> None:
        self.message = message
        self.args = args
        self.kwargs = kwargs

    def __str__(self) -> str:
        return self.message.format(*self.args, **self.kwargs)


def deprecation_warning(message: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Have a function warn whoever calls it (`PendingDeprecationWarning`), at the place of the call.

    >>> @deprecation_warning("publish_shot() will go; use publish()")
    ... def publish_shot(shot): ...
    """

    def decorated(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def warning(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            warnings.warn(message, PendingDeprecationWarning, stacklevel=2)
            return function(*args, **kwargs)

        return warning

    return decorated
