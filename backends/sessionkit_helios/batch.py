"""Many requests at once, in order, with what failed told apart from what did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sessionkit.errors import DeadlineExceeded, RequestError, SessionKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sessionkit.http import Call
    from sessionkit.outcome import Exchange
    from sessionkit_helios.session import HeliosSession

T = TypeVar("T")
R = TypeVar("R")

UNANSWERED = (RequestError, DeadlineExceeded)
"""What costs one request of several: the latter when a token did not come in time."""


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
        return f"{self.query}: {(str(self.error) or type(self.error).__name__).splitlines()[0]}"


class PartialFailure(SessionKitError):
    """Some requests of several failed; those that did not are in the result.

    Attributes:
        failed: One `Failure` for each.
    """

    def __init__(self, failed: Sequence[Failure], *, hint: str = "") -> None:
        shown = "".join(f"\n  {failure}" for failure in failed[:5])
        more = f"\n  and {len(failed) - 5} more" if len(failed) > 5 else ""
        super().__init__(
            f"{len(failed)} requests failed:{shown}{more}",
            hint=hint or "the result's retry() asks for these once more",
        )
        self.failed = tuple(failed)


def ask_all(
    session: HeliosSession,
    items: Collection[T],
    call_of: Callable[[T], Call],
    read: Callable[[Exchange], R],
) -> Iterator[R | Failure]:
    """What came for each item, in order, as it comes; several are asked for at once.

    Args:
        session: Who asks.
        items: What for.
        call_of: How an item is asked for.
        read: What an answer means; the errors of requests that it raises are failures, too.
    """
    if not items:
        return
    calls = [call_of(item) for item in items]  # all of them, before what cannot be asked for is met half way
    came = session.perform_all(calls, at_once=min(session.workers, len(items)))
    for exchange, item in zip(came, items, strict=True):
        try:
            if isinstance(exchange, SessionKitError):
                raise exchange
            result: R | Failure = read(exchange)
        except UNANSWERED as error:
            result = Failure(item, error)
        yield result


def result_of(exchange: Exchange) -> Any:
    """The answer's JSON."""
    return exchange.result


class Batch(Generic[T, R]):
    """The results of one request per item, in the items' order.

    >>> batch = collections.add_image(collection_id, assets)
    >>> batch = batch if batch.ok else batch.retry()
    >>> batch.raise_for_failures()

    Attributes:
        items: What was asked for.
    """

    def __init__(
        self,
        session: HeliosSession,
        items: Iterable[T],
        call_of: Callable[[T], Call],
        read: Callable[[Exchange], R] = result_of,
    ) -> None:
        self.items = list(items)
        self._asked = session, call_of, read
        self._outcomes = self._ask(self.items)

    def _ask(self, items: Sequence[T]) -> list[R | Failure]:
        session, call_of, read = self._asked
        return list(ask_all(session, items, call_of, read))

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
        again.items, again._asked = self.items, self._asked  # noqa: SLF001 - its own class
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
