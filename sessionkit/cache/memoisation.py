"""Functions that need not be called twice with the same arguments."""

from __future__ import annotations

import copy
import functools
import inspect
import threading
import types
import uuid
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from sessionkit.cache.keys import KeyMaker, ObjectKeyMaker
from sessionkit.cache.memory import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import ParamSpec

    from sessionkit.cache.base import Cache

    _P = ParamSpec("_P")
_R = TypeVar("_R")

_local_functions: weakref.WeakKeyDictionary[Callable[..., Any], str] = weakref.WeakKeyDictionary()
_lock = threading.RLock()


class Memoiser:
    """Calls functions and keeps what they returned, by function and arguments.

    Arguments are the same however they are passed: by position, by name or by default. A method counts
    per object: the object is one of its arguments. Threads that ask for the same at the same time, the
    first time, each call the function. What a function returned after its cache was told of a change
    (`advance`, `Coherence`) that came while it ran is not kept.

    Args:
        cache: Where results are kept; a `MemoryCache` when None.
        key_maker: Makes the keys; an `ObjectKeyMaker` when None.
        return_copies: Whether each caller gets a deep copy of its own, free to be changed.

    >>> memoiser = Memoiser()
    >>> memoiser.call(sorted, ([2, 1],))
    [1, 2]
    """

    def __init__(
        self,
        cache: Cache | None = None,
        key_maker: KeyMaker[str] | KeyMaker[bytes] | None = None,
        return_copies: bool = True,
    ) -> None:
        self.cache = MemoryCache() if cache is None else cache
        self.key_maker = ObjectKeyMaker() if key_maker is None else key_maker
        self.return_copies = return_copies

    def call(
        self,
        function: Callable[..., _R],
        args: Sequence[Any] = (),
        kw: Mapping[str, Any] | None = None,
    ) -> _R:
        """What `function(*args, **kw)` returns, or returned earlier.

        Raises:
            TypeError: when the arguments do not fit the function.
            ConfigurationError: when no key can be made of one of them.
            CacheError: when the cache cannot be used.
        """
        target: Callable[..., _R] = function
        if isinstance(function, types.MethodType):
            target, args = function.__func__, (function.__self__, *args)
        return self._call(inspect.signature(target), target, tuple(args), dict(kw or {}))

    def _call(
        self,
        signature: inspect.Signature,
        function: Callable[..., _R],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> _R:
        bound = signature.bind(*args, **kw)
        bound.apply_defaults()
        key = self.key_maker.key(function, *_beyond_name(function), dict(bound.arguments))
        try:
            value: _R = self.cache.get(key)
        except KeyError:
            epoch = self.cache.epoch()
            value = function(*args, **kw)
            self.cache.set_within(epoch, key, value)
        return copy.deepcopy(value) if self.return_copies else value


def _beyond_name(function: Callable[..., Any]) -> list[str]:
    """What tells `function` from others of its name and module: its place, and for local ones themselves."""
    place: str = getattr(function, "__qualname__", "")
    if "<" not in place:
        return [] if place == getattr(function, "__name__", "") else [place]
    # Lambdas and closures of one place differ in ways no name shows, and mean nothing to another process.
    with _lock:
        return [place, _local_functions.setdefault(function, uuid.uuid4().hex)]


def memoise_decorator(memoiser: Memoiser) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """A decorator whose functions keep their results in `memoiser`.

    >>> remember = memoise_decorator(Memoiser(MemoryCache(ttl=60)))
    >>> @remember
    ... def area(width, height=1):
    ...     return width * height
    >>> area(3), area(height=1, width=3)
    (3, 3)
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def memoised(*args: _P.args, **kw: _P.kwargs) -> _R:
            return memoiser._call(signature, function, args, kw)  # noqa: SLF001 -- the same module

        return memoised

    return decorate


memoiser = Memoiser()
memoise = memoise_decorator(memoiser)
"""Keeps a function's results for this process: the latest 10,000 of all functions so decorated."""
