"""Many requests at once, in order, with what failed told apart from what did not."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from sessionkit.errors import DeadlineExceeded, RequestError, SessionKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Failure:
    """One request of several that failed.

    Attributes:
        query: What was asked: an id, a name, a page's parameters.
        error: Why there is no answer.
    """

    query: object
    error: Exception

    def __str__(self) -> str:
        return f"{self.query}: {str(self.error).splitlines()[0]}"


class PartialFailure(SessionKitError):
    """Some requests of several failed; those that did not are in the result.

    Attributes:
        failed: One `Failure` for each.
    """

    def __init__(self, failed: Sequence[Failure]) -> None:
        shown = "".join(f"\n  {failure}" for failure in failed[:5])
        more = f"\n  and {len(failed) - 5} more" if len(failed) > 5 else ""
        super().__init__(
            f"{len(failed)} requests failed:{shown}{more}",
            hint="the result's retry() asks for these once more",
        )
        self.failed = tuple(failed)


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """`function` of each item, several at once, results in the items' order as they come.

    At most twice as many items as workers are taken ahead of what has been consumed. What `function` raises
    is raised here.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, "helios") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 2 * workers:
                    yield from _ready(waiting, workers)
            while waiting:
                yield from _ready(waiting, workers)
        finally:
            for future in waiting:
                future.cancel()


def _ready(waiting: deque[Future[R]], workers: int) -> Iterator[R]:
    """The next results, at least one."""
    # Waking for each result takes the processor from those who make them: wait for some to be there.
    waiting[min(workers // 2, len(waiting) - 1)].exception()
    yield waiting.popleft().result()
    while waiting and waiting[0].done():
        yield waiting.popleft().result()


class Batch(Generic[T, R]):
    """The results of one request per item, in the items' order.

    >>> batch = collections.add_image(collection_id, assets)
    >>> batch = batch if batch.ok else batch.retry()
    >>> batch.raise_for_failures()

    Attributes:
        items: What was asked for.
    """

    def __init__(self, function: Callable[[T], R], items: Iterable[T], workers: int) -> None:
        self.items = list(items)
        self._function = function
        self._workers = workers
        self._outcomes: list[R | Failure] = []
        self._outcomes = self._ask(self.items)

    def _ask(self, items: Sequence[T]) -> list[R | Failure]:
        def attempt(item: T) -> R | Failure:
            try:
                return self._function(item)
            except (RequestError, DeadlineExceeded) as error:
                return Failure(item, error)

        return list(in_order(attempt, items, min(self._workers, len(items)))) if items else []

    @property
    def succeeded(self) -> list[R]:
        """The results of those that did not fail."""
        return [outcome for outcome in self._outcomes if not isinstance(outcome, Failure)]

    @property
    def failed(self) -> list[Failure]:
        """What failed, and why."""
        return [outcome for outcome in self._outcomes if isinstance(outcome, Failure)]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    def retry(self) -> Batch[T, R]:
        """Ask once more for what failed, and keep the rest."""
        left = [index for index, outcome in enumerate(self._outcomes) if isinstance(outcome, Failure)]
        again = Batch.__new__(type(self))
        again.items, again._function, again._workers = self.items, self._function, self._workers  # noqa: SLF001 - its own class
        again._outcomes = list(self._outcomes)  # noqa: SLF001 - as above
        for index, outcome in zip(left, self._ask([self.items[index] for index in left]), strict=True):
            again._outcomes[index] = outcome  # noqa: SLF001 - as above
        return again

    def raise_for_failures(self) -> None:
        """Raise `PartialFailure`, naming what failed, if anything did."""
        if self.failed:
            raise PartialFailure(self.failed)

    def __iter__(self) -> Iterator[R]:
        return iter(self.succeeded)

    def __len__(self) -> int:
        return len(self.succeeded)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.items)}: {len(self.failed)} failed>"
