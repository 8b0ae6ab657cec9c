"""`FeatureCollection`: the features a search or a list of ids found, as they come."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from sessionkit import fork
from sessionkit.errors import SessionKitError
from sessionkit_helios.batch import Failure, PartialFailure, ask_all
from sessionkit_helios.features import Feature, Observation, SensorReading
from sessionkit_helios.search import Page, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sessionkit.http import Call
    from sessionkit_helios.session import HeliosSession

F = TypeVar("F", bound=Feature)


class FeatureCollection(Generic[F]):
    """Features in order. Iterating begins with the first page, while later ones are still under way.

    >>> found = Cameras().index(state="Virginia")
    >>> found.total, found.extent                    # known from the first page
    >>> for camera in found: print(camera.city)      # as they come
    >>> found.city, found.coordinates                # one list for each field of a feature
    >>> found = found if not found.failed else found.retry()

    Iterating raises `PartialFailure` where a page is missing; `features` and the lists leave it out, and
    `failed` names it.
    """

    def __init__(self, source: Source, kind: type[F]) -> None:
        self._source = source
        self._kind = kind
        self._loaded: list[Page | Failure] = []
        # One entry for each page: its features; none of one that failed.
        self._made: list[list[F]] = []
        self._pages: Iterator[Page | Failure] | None = source.pages()
        self._broken = ""
        fork.aware(self).after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """A lock that another thread of the parent may have held is of no use to its child."""
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        fork.aware(self).after_fork_in_child()

    @property
    def total(self) -> int:
        """How many match, as the service counted when it was first asked."""
        return self._source.total

    @property
    def aggregations(self) -> Mapping[str, Any]:
        """What was counted with `aggs=`: name -> [{"value": ..., "count": ...}]."""
        return self._source.aggregations

    @property
    def extent(self) -> list[float]:
        """West, south, east, north of the first page; [] when it is empty."""
        return self._source.extent

    @property
    def features(self) -> list[F]:
        """All features, of every page that came; waits for them."""
        self._load_all()
        return [feature for made in self._made for feature in made]

    @property
    def failed(self) -> list[Failure]:
        """The pages, or ids, that failed; waits for all."""
        self._load_all()
        return [page for page in self._loaded if isinstance(page, Failure)]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    def retry(self) -> FeatureCollection[F]:
        """Ask once more for what failed, and keep the rest in its place."""
        self._load_all()
        if isinstance(self._source, _Given) and self._source.parts:
            first, second = self._source.parts
            return first.retry() + second.retry()
        again: FeatureCollection[F] = type(self)(self._source, self._kind)
        again._pages = iter(self._source.arranged(self._repeated()))
        again._load_all()
        return again

    def _repeated(self) -> Iterator[Page | Failure]:
        for page in self._loaded:
            yield from self._source.again(page) if isinstance(page, Failure) else [page]

    def raise_for_failures(self) -> None:
        """Raise `PartialFailure`, naming what failed, if anything did."""
        if self.failed:
            raise PartialFailure(self.failed)

    def to_geojson(self) -> dict[str, Any]:
        """A GeoJSON FeatureCollection; what lies nowhere has no geometry, and what did not come is added."""
        lacking: dict[str, Any] = {"type": "Feature", "geometry": None, "properties": {}}
        found = [{**lacking, **feature.json} for feature in self.features]
        return {"type": "FeatureCollection", "features": found}

    def to_records(self) -> list[dict[str, Any]]:
        """One flat dictionary for each feature."""
        return [feature.to_record() for feature in self.features]

    def to_dataframe(self) -> Any:
        """A pandas table, one row for each feature; pandas must be installed."""
        # Loaded when a table is wanted: it takes longer to import than most programs to run.
        return import_module("pandas").DataFrame.from_records(self.to_records())

    def _reaches(self, index: int) -> bool:
        """Whether there is such a page; waits for it. Any thread may ask."""
        if index < len(self._loaded):
            return True
        with self._lock:
            return index < len(self._loaded) or self._load_next()

    def _load_next(self) -> bool:
        if self._broken:
            raise SessionKitError(
                f"the rest of these never came: {self._broken}", hint="search, or show, once more"
            )
        try:
            page = next(self._pages, None) if self._pages is not None else None
            if page is None:
                self._pages = None
                return False
            self._made.append([] if isinstance(page, Failure) else [self._kind(item) for item in page.items])
            self._loaded.append(page)
        except BaseException as error:  # such as Ctrl-C, after which `_pages` would seem to be at its end
            self._broken = str(error) or type(error).__name__
            raise
        return True

    def _load_all(self) -> None:
        while self._reaches(len(self._loaded)):
            pass

    def __iter__(self) -> Iterator[F]:
        index = 0
        while self._reaches(index):
            page = self._loaded[index]
            if isinstance(page, Failure):
                raise PartialFailure([page])
            yield from self._made[index]
            index += 1

    def __len__(self) -> int:
        return len(self.features)

    @overload
    def __getitem__(self, index: int) -> F: ...
    @overload
    def __getitem__(self, index: slice) -> list[F]: ...
    def __getitem__(self, index: int | slice) -> F | list[F]:
        return self.features[index]

    def __add__(self, other: FeatureCollection[F]) -> FeatureCollection[F]:
        if not isinstance(other, FeatureCollection) or other._kind is not self._kind:
            return NotImplemented
        self._load_all()
        other._load_all()
        # They are kept for `retry` alone: features that are all there need no session.
        parts = () if self.ok and other.ok else (self, other)
        return type(self)(_Given([*self._loaded, *other._loaded], parts), self._kind)

    def __getattr__(self, name: str) -> list[Any]:
        if name.startswith("_") or name not in {*self._kind.fields, "coordinates"}:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return [getattr(feature, name) for feature in self.features]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.total}: {self._kind.__name__}>"


class ObservationCollection(FeatureCollection[Observation]):
    """Observations, and what their sensors say."""

    def readings(self) -> dict[str, list[SensorReading]]:
        """By sensor, in the observations' order."""
        found: dict[str, list[SensorReading]] = {}
        for feature in self.features:
            for reading in feature.readings():
                found.setdefault(reading.sensor, []).append(reading)
        return found


class Shown:
    """The features of some ids, one request each.

    Args:
        session: Who asks.
        ids: Which.
        call_of: How one is asked for.
        read: The feature in an answer.
    """

    def __init__(
        self,
        session: HeliosSession,
        ids: Sequence[str],
        call_of: Callable[[str], Call],
        read: Callable[[Any], dict[str, Any]],
    ) -> None:
        self._session = session
        self._ids = ids
        self._call_of = call_of
        self._read = read
        self.total = len(ids)
        self.aggregations: Mapping[str, Any] = {}
        self.extent: list[float] = []

    def pages(self) -> Iterator[Page | Failure]:
        """One page for each id."""
        return self._ask(self._ids)

    def again(self, failure: Failure) -> Iterable[Page | Failure]:
        """One id once more."""
        return self._ask([str(failure.query)])

    def arranged(self, pages: Iterable[Page | Failure]) -> Iterable[Page | Failure]:
        """As they are."""
        return pages

    def _ask(self, ids: Sequence[str]) -> Iterator[Page | Failure]:
        return ask_all(
            self._session, ids, self._call_of, lambda exchange: Page([self._read(exchange.result)])
        )


class _Given:
    """What is there already: the pages of two collections, and these, if something of them failed."""

    def __init__(self, pages: Sequence[Page | Failure], parts: tuple[FeatureCollection[Any], ...]) -> None:
        self._pages = pages
        self.parts = parts
        self.total = sum(len(page.items) for page in pages if isinstance(page, Page))
        self.aggregations: Mapping[str, Any] = {}
        self.extent: list[float] = []

    def pages(self) -> Iterator[Page | Failure]:
        return iter(self._pages)

    def again(self, failure: Failure) -> Iterable[Page | Failure]:
        return [failure]

    def arranged(self, pages: Iterable[Page | Failure]) -> Iterable[Page | Failure]:
        return pages
