"""Query results: asked for when they are used, page by page, the next page while this one is worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit_review.errors import MultipleResultsFound, NoResultFound
from sessionkit_review.expression import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_review.core import ReviewCore
    from sessionkit_review.entity import Entity

Page = dict[str, Any]


class QueryResult(Sequence["Entity"]):
    """The results of a query, in its order.

    >>> for task in session.query("select name, status.name from Task"): ...
    >>> session.query('Project where name is "lighthouse"').one()

    Args:
        session: Who asks.
        expression: The query; one without "select" gets the entity type's default projections.
        page_size: How many results are asked for at once.
    """

    def __init__(self, session: ReviewCore, expression: str, page_size: int = 500) -> None:
        if page_size < 1:
            raise ConfigurationError(f"page_size must be at least 1, not {page_size}")
        self._session = session
        self._asked = read(expression, _Projections(session))
        self._page_size = page_size
        self._lock = threading.RLock()
        self._results: list[Entity] = []
        self._next: int | None = self._asked.offset
        self._ahead: _Ahead | None = None

    @property
    def expression(self) -> str:
        """What is asked, without offset and limit."""
        return self._asked.text

    def all(self) -> list[Entity]:
        """All results."""
        self._reach(None)
        return list(self._results)

    def one(self) -> Entity:
        """The only result.

        Raises:
            NoResultFound, MultipleResultsFound: when there is none, or more.
            ConfigurationError: when the query has an offset or limit, with which this cannot be told.
        """
        if self._asked.limit is not None or self._asked.offset:
            raise ConfigurationError("one() needs a query without limit and offset")
        found = self._few(2)
        if not found:
            raise NoResultFound(f"nothing was found by: {self.expression}")
        if len(found) > 1:
            raise MultipleResultsFound(
                f"more than one was found by: {self.expression}", hint="use first(), or ask more exactly"
            )
        return found[0]

    def first(self) -> Entity | None:
        """The first result, or None.

        Raises:
            ConfigurationError: when the query has a limit.
        """
        if self._asked.limit is not None:
            raise ConfigurationError("first() needs a query without limit")
        return next(iter(self._few(1)), None)

    def _few(self, count: int) -> list[Entity]:
        if self._results or self._next is None:
            self._reach(count)
            return self._results[:count]
        page = self._decoded(self._fetch(self._asked.offset, count))
        found: list[Entity] = page["data"]
        return found

    def __len__(self) -> int:
        self._reach(None)
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entity]: ...
    def __getitem__(self, index: int | slice) -> Entity | list[Entity]:
        if isinstance(index, slice):
            bounds = (index.start or 0, -1 if index.stop is None else index.stop)
            backwards = index.step is not None and index.step < 0
            self._reach(None if backwards or min(bounds) < 0 else max(bounds))
        else:
            self._reach(None if index < 0 else index + 1)
        return self._results[index]

    def __iter__(self) -> Iterator[Entity]:
        index = 0
        while True:
            if index >= len(self._results):
                self._reach(index + 1)
                if index >= len(self._results):
                    return
            if index == len(self._results) - self._page_size // 2:
                self._look_ahead()
            yield self._results[index]
            index += 1

    # --- pages ---

    def _reach(self, count: int | None) -> None:
        """Have at least `count` results here, or all."""
        with self._lock:
            while self._next is not None and (count is None or len(self._results) < count):
                ahead, self._ahead = self._ahead, None
                page = ahead.result() if ahead is not None else self._fetch(*self._bounds())
                begin, self._next = self._next, self._following(page)
                if count is None:
                    self._look_ahead()
                try:
                    self._results.extend(self._decoded(page)["data"])
                except BaseException:
                    self._next, self._ahead = begin, None
                    raise

    def _bounds(self) -> tuple[int, int]:
        assert self._next is not None
        if self._asked.limit is None:
            return self._next, self._page_size
        return self._next, min(self._page_size, self._asked.offset + self._asked.limit - self._next)

    def _following(self, page: Page) -> int | None:
        """Where the page after `page` begins, if there is one."""
        following = ((page.get("metadata") or {}).get("next") or {}).get("offset")
        if not isinstance(following, int) or following <= (self._next or 0) or not page["data"]:
            return None
        end = None if self._asked.limit is None else self._asked.offset + self._asked.limit
        return following if end is None or following < end else None

    def _look_ahead(self) -> None:
        with self._lock:
            if self._ahead is None and self._next is not None:
                bounds = self._bounds()
                self._ahead = _Ahead(lambda: self._fetch(*bounds))

    def _fetch(self, offset: int, limit: int) -> Page:
        if limit < 1:
            return {"data": [], "asked": self._session.asked()}
        operation = {"action": "query", "expression": self._asked.page(offset, limit)}
        asked = self._session.asked()
        page = self._session.read_operations([operation])[0]
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise UnexpectedResponse("the server answered a query without data")
        if not all(isinstance(row, dict) for row in page["data"]):
            raise UnexpectedResponse("the server answered a query with what are no entities")
        if not isinstance(page.get("metadata") or {}, dict) or not isinstance(
            (page.get("metadata") or {}).get("next") or {}, dict
        ):
            raise UnexpectedResponse("the server answered a query with metadata that make no sense")
        page["asked"] = asked
        return page

    def _decoded(self, page: Page) -> Page:
        self._session.decode_value(page["data"], asked=page["asked"])
        return page

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.expression!r}, {len(self._results)} results so far>"


class _Projections:
    """What is selected of an entity type when a query does not say."""

    def __init__(self, session: ReviewCore) -> None:
        self._session = session

    def __getitem__(self, entity_type: str) -> Sequence[str]:
        return self._session.types[entity_type].default_projections


class _Ahead:
    """A page that is fetched in the background; nobody waits for one that is not used."""

    def __init__(self, fetch: Callable[[], Page]) -> None:
        self._fetch = fetch
        self._page: Page | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sessionkit-review-page", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._page = self._fetch()
        except BaseException as error:  # noqa: BLE001 - it is raised where the page is used
            self._error = error

    def result(self) -> Page:
        """The page; what went wrong with it is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._page is not None
        return self._page
