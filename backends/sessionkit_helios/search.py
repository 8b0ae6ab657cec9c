"""Searches of any length: pages fetched ahead, in order, and split where the service's window ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit.http import Call
from sessionkit_helios.batch import UNANSWERED, Failure, ask_all
from sessionkit_helios.parameters import time_of, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sessionkit.outcome import Exchange
    from sessionkit_helios.session import HeliosSession

PAGE = 100
LAST_SKIP = 4000
"""The service gives nothing beyond this position; a longer search is split."""

_WORLD = (-180.0, -90.0, 180.0, 90.0)
_SMALLEST_BOX = 1e-6  # degrees; what lies closer together than this is not told apart
_PARTS = 256
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Page:
    """One answer of a search.

    Attributes:
        items: The features, as they came.
        total: How many match in all.
        aggregations: What was counted: name -> [{"value": ..., "count": ...}].
        bbox: West, south, east, north of the page, or [].
        skipped: What came before the items and was to be left out.
    """

    items: list[Any]
    total: int = 0
    aggregations: Mapping[str, Any] = field(default_factory=dict)
    bbox: list[float] = field(default_factory=list)
    skipped: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Query:
    """A page of a search, or with `whole` all of it: parameters, and the positions wanted."""

    parameters: Mapping[str, str]
    skip: int = 0
    limit: int = PAGE
    whole: bool = False

    def at(self, skip: int, limit: int) -> Query:
        """Another page of the same."""
        return Query(self.parameters, skip, limit)

    def narrowed(self, **parameters: str) -> Query:
        """All of a part of it."""
        return Query({**self.parameters, **parameters}, 0, self.limit, whole=True)

    def __str__(self) -> str:
        shown = "&".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{shown}&limit={self.limit}&skip={self.skip}"


class Source(Protocol):
    """Where the features of a collection come from.

    Attributes:
        total: How many there are.
        aggregations: What was counted of them.
        extent: West, south, east, north of the first page, or [].
    """

    total: int
    aggregations: Mapping[str, Any]
    extent: list[float]

    def pages(self) -> Iterator[Page | Failure]:
        """All pages in order; in the place of one that failed, why."""

    def again(self, failure: Failure) -> Iterable[Page | Failure]:
        """What failed, once more."""

    def arranged(self, pages: Iterable[Page | Failure]) -> Iterable[Page | Failure]:
        """Pages of which some came later, as `pages` would have given them."""


class Search:
    """One search of one API; asks for its first page at once.

    Args:
        session: Who asks.
        api: "cameras", "observations", ...
        parameters: Encoded; without `limit` and `skip`.
        limit: Entries of a page.
        skip: Entries to leave out at the beginning.

    Raises:
        RequestError: there is no first page.
        ConfigurationError: `limit` or `skip` cannot be.
    """

    def __init__(
        self, session: HeliosSession, api: str, parameters: Mapping[str, str], limit: int, skip: int
    ) -> None:
        if not 0 <= limit <= PAGE or skip < 0:
            raise ConfigurationError(f"limit={limit} is not from 0 to {PAGE}, or skip={skip} is below 0")
        self._session = session
        self._api = api
        split: Callable[[Query], Sequence[Query]]
        split, order = {
            "observations": (self._by_time, "time"),
            "collections": (self._by_creation, "created_at"),
        }.get(api, (_by_place, None))
        self._split = split
        self._unsorted = parameters.get("sort") not in {None, order}
        self._query = Query(parameters, skip, limit)
        self._first = self.ask(Query(parameters, min(skip, LAST_SKIP), limit))
        self.total = self._first.total
        self.aggregations = self._first.aggregations
        self.extent = self._first.bbox
        # Where all entries lie at one point, or instant, each window of them takes as many parts as splitting
        # can make. A service that has more says so of whatever it is asked.
        self._most_parts = _PARTS * (self.total // LAST_SKIP + 1)
        self._parts_left = self._most_parts

    def ask(self, query: Query) -> Page:
        """One page.

        Raises:
            RequestError: there is no answer, or none that makes sense.
        """
        return self._page_of(self._session.perform(self._call(query)))

    def _call(self, query: Query) -> Call:
        return Call("GET", f"/{self._api}", {**query.parameters, "limit": query.limit, "skip": query.skip})

    def _page_of(self, exchange: Exchange) -> Page:
        return _page(exchange.result, self._api)

    def pages(self) -> Iterator[Page | Failure]:
        """All pages in order; in the place of one that failed, why."""
        query = self._query
        if query.limit == 0 or self.total <= query.skip:
            return iter(())
        if _reachable(query, self.total):
            return self.arranged(chain([self._first], self._rest(query, self.total)))
        return self.arranged(self._part(query.narrowed()))

    def again(self, failure: Failure) -> Iterable[Page | Failure]:
        """The page, or the part of the search, that failed."""
        assert isinstance(failure.query, Query)
        self._parts_left = self._most_parts
        return self._part(failure.query) if failure.query.whole else [self._attempt(failure.query)]

    def arranged(self, pages: Iterable[Page | Failure]) -> Iterator[Page | Failure]:
        """The pages, each entry once; those of a search that was split, sorted as was asked."""
        split = not _reachable(self._query, self.total)
        if split and self._unsorted:
            pages = self._sorted(pages)
        seen: set[str] = set()
        # The service leaves out what is to be skipped, but not of the parts of a split search.
        left_out, before = (self._query.skip, 0) if split else (0, self._query.skip)
        found, whole = before, True
        for page in pages:
            if isinstance(page, Failure):
                whole = False
                yield page
                continue
            # What lies on the border of two parts is in both; what comes anew moves others to the next page.
            items = [item for item in (*page.skipped, *page.items) if not _known(item, seen)]
            found += len(items)
            yield Page(items[left_out:], skipped=items[:left_out])
            left_out = max(0, left_out - len(items))
        if whole and found < self.total and found < (total := self._counted_anew()):
            missing = UnexpectedResponse(f"only {found:,} of {total:,} entries were found")
            yield Failure(replace(self._query, skip=before, whole=True), missing)

    def _counted_anew(self) -> int:
        """How many match by now: what went away meanwhile is not missing."""
        try:
            return self.ask(Query(self._query.parameters, 0, 1)).total
        except UNANSWERED:
            return self.total

    def _sorted(self, pages: Iterable[Page | Failure]) -> Iterator[Page | Failure]:
        """One page of everything, sorted as the service would have."""
        key = self._query.parameters["sort"]
        found: list[Any] = []
        for page in pages:
            if isinstance(page, Failure):
                yield page
            else:
                found += (*page.skipped, *page.items)

        def value(item: Any) -> tuple[bool, str]:
            got = _about(item).get(key)
            return got is not None, str(got)

        yield Page(sorted(found, key=value, reverse=_is_descending(self._query)))

    def _attempt(self, query: Query) -> Page | Failure:
        try:
            return self.ask(query)
        except UNANSWERED as error:
            return Failure(query, error)

    def _rest(self, query: Query, total: int) -> Iterator[Page | Failure]:
        """The pages after the first."""
        step = query.limit
        queries = [query.at(skip, min(step, total - skip)) for skip in range(query.skip + step, total, step)]
        return ask_all(self._session, queries, self._call, self._page_of)

    def _part(self, query: Query) -> Iterator[Page | Failure]:
        """All pages of a part, split further where it is still too long."""
        if self._parts_left == 0:
            yield Failure(query, UnexpectedResponse(f"{self._most_parts:,} parts do not hold {self.total:,}"))
            return
        self._parts_left -= 1
        try:
            first = self.ask(query)
            parts = () if _reachable(query, first.total) else self._split(query)
        except UNANSWERED as error:
            yield Failure(query, error)
            return
        if parts:
            yield from chain.from_iterable(map(self._part, parts))
            return
        end = min(first.total, LAST_SKIP // query.limit * query.limit + query.limit)
        yield first
        yield from self._rest(query, end)
        if first.total > end:
            self._parts_left = max(0, self._parts_left - end // query.limit)
            beyond = UnexpectedResponse(f"only {end:,} of {first.total:,} entries can be reached")
            yield Failure(query.at(end, query.limit), beyond)

    def _by_time(self, query: Query) -> Sequence[Query]:
        return self._halves(query, "time_min", "time_max", "time") or _by_place(query)

    def _by_creation(self, query: Query) -> Sequence[Query]:
        return self._halves(query, "created_at_min", "created_at_max", "created_at")

    def _halves(self, query: Query, low: str, high: str, key: str) -> Sequence[Query]:
        """The same for the earlier and the later half; in the order the search is sorted in."""
        begin = time_of(query.parameters.get(low)) or self._edge(query, key, "asc")
        end = time_of(query.parameters.get(high)) or self._edge(query, key, "desc")
        if begin is None or end is None or end - begin < 2 * _MILLISECOND:
            return ()
        middle = begin + (end - begin) // 2
        middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
        halves = (
            query.narrowed(**{low: time_text(begin), high: time_text(middle)}),
            query.narrowed(**{low: time_text(middle + _MILLISECOND), high: time_text(end)}),
        )
        descending = _is_descending(query) and query.parameters.get("sort") == key
        return halves[::-1] if descending else halves

    def _edge(self, query: Query, key: str, direction: str) -> datetime | None:
        """The first or last instant of what matches."""
        edge = Query({**query.parameters, "sort": key, "sort_dir": direction}, 0, 1)
        items = self.ask(edge).items
        if not items:
            return None
        return time_of(_about(items[0]).get(key))


def _is_descending(query: Query) -> bool:
    return query.parameters.get("sort_dir", "").lower() == "desc"


def _by_place(query: Query) -> Sequence[Query]:
    """The same for the quarters of its box, or for its two sides of the antimeridian."""
    west, south, east, north = _box(query.parameters.get("bbox"))
    if west > east:
        return _in_boxes(query, (west, south, 180.0, north), (-180.0, south, east, north))
    if max(east - west, north - south) < _SMALLEST_BOX:
        return ()
    x, y = (west + east) / 2, (south + north) / 2
    return _in_boxes(
        query, (west, y, x, north), (x, y, east, north), (west, south, x, y), (x, south, east, y)
    )


def _in_boxes(query: Query, *boxes: tuple[float, ...]) -> Sequence[Query]:
    return [query.narrowed(bbox=",".join(map(repr, box))) for box in boxes]


def _box(text: str | None) -> tuple[float, float, float, float]:
    if text is None:
        return _WORLD
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigurationError(f"bbox={text} is not west, south, east, north") from None
    return west, south, east, north


def _reachable(query: Query, total: int) -> bool:
    """Whether the last page of `total` entries begins within the window."""
    return query.skip + (total - 1 - query.skip) // query.limit * query.limit <= LAST_SKIP


def _about(item: Any) -> dict[str, Any]:
    """Where the fields of a feature, or of a collection, are."""
    found = item.get("properties", item)
    return found if isinstance(found, dict) else {}


def _known(item: Any, seen: set[str]) -> bool:
    identifier = item.get("id") or item.get("_id")
    if not isinstance(identifier, str):
        return False
    known = identifier in seen
    seen.add(identifier)
    return known


def _page(answer: Any, api: str) -> Page:
    """A page from the answer's JSON.

    Raises:
        UnexpectedResponse: it is none.
    """
    try:
        if "results" in answer:
            items, about = answer["results"], answer
        else:
            items, about = answer["features"], answer["properties"]
        total = about["total"]
        if (
            isinstance(items, list)
            and isinstance(total, int)
            and all(isinstance(item, dict) for item in items)
        ):
            return Page(items, total, about.get("aggs") or {}, answer.get("bbox") or [])
    except (KeyError, TypeError, AttributeError):
        pass
    raise UnexpectedResponse(f"the answer is no list of {api}", hint="is api_url the Helios API?")
