"""The search language: a request's parameters, checked, as conditions in SQL.

Each API has a table of its fields and one of its ways to narrow a search; a new parameter is a line there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sessionkit_helios.sandbox import geo, times
from sessionkit_helios.sandbox.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.requests import Request

LAST_SKIP = 4000
_MOST = 100
_MOST_VALUES = 10

_PLACE = ("state", "country", "city", "region")


def _property(name: str) -> str:
    return f"json_extract(document, '$.properties.{name}')"


# What can be sorted by and counted, as SQL over one stored row.
FIELDS: dict[str, dict[str, str]] = {
    "alerts": {
        name: _property(name)
        for name in (
            "event",
            "severity",
            "urgency",
            "certainty",
            "category",
            "status",
            "country",
            "effective",
            "expires",
            "updated",
        )
    },
    "cameras": {name: _property(name) for name in (*_PLACE, "provider", "description", "direction", "video")},
    "observations": {name: _property(name) for name in (*_PLACE, "camera_id", "time")},
    "recordings": {name: _property(name) for name in (*_PLACE, "camera_id", "created_at", "name")},
    "collections": {"name": "name", "created_at": "created", "updated_at": "updated"},
}
# What is sorted by a column with an index, to the same effect.
_INDEXED = {
    ("observations", "time"): "time",
    ("alerts", "effective"): "time",
    ("recordings", "created_at"): "time",
}
_DAY = f"substr({_property('time')}, 1, 10) || 'T00:00:00.000Z'"
_STATES = "EXISTS (SELECT 1 FROM json_each(document, '$.properties.states') WHERE value = ? COLLATE NOCASE)"
_SENSOR = re.compile(r"sensors\[(\w+)\](?:\[(data|prev)\])?(?:\[(min|max)\])?")
_COMPARE = {None: "=", "min": ">=", "max": "<="}


class Parameters(dict[str, str]):
    """A request's parameters by name, wherever they came from; lists joined by commas."""

    @classmethod
    async def of(cls, request: Request) -> Parameters:
        """Those of the query string, and of a form or JSON body.

        Raises:
            ApiError: 400 for a body that is not what its Content-Type says.
        """
        found = cls()
        found.add(parse_qsl(request.url.query, keep_blank_values=True))
        body = await request.body()
        if not body:
            return found
        if request.headers.get("content-type", "").startswith("application/json"):
            found.add(_flat(_json(body)))
        else:
            found.add(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        return found

    def add(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take in pairs; those ending in `[]` and those given twice become lists."""
        for name, value in pairs:
            key = name.removesuffix("[]")
            self[key] = f"{self[key]},{value}" if key in self and name.endswith("[]") else value

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 0 to `most`.

        Raises:
            ApiError: 400 when it is not.
        """
        text = self.get(name, str(default))
        if not text.isascii() or not text.isdigit() or int(text) > most:
            raise ApiError(400, f"{name} must be a whole number from 0 to {most}, not {text!r}.")
        return int(text)


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise ApiError(400, f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return value


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(item, dict):
            yield from _flat(item, name)
        elif isinstance(item, list):
            yield name, ",".join(str(part) for part in item)
        elif item is not None:
            yield name, str(item)


@dataclass
class Query:
    """One search, ready for SQL: `where` with its `values`, and the other parts of the SELECT."""

    kind: str
    limit: int
    skip: int
    order: str
    aggregations: list[str]
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    @property
    def where(self) -> str:
        """All conditions in one."""
        return " AND ".join(self.conditions) or "1"

    def need(self, condition: str, *values: Any) -> None:
        """Narrow the search."""
        self.conditions.append(condition)
        self.values.extend(values)


Narrow = Callable[[Query, Parameters, str], None]


def parse(kind: str, given: Parameters) -> Query:
    """The search that `given` describes in the API `kind`.

    Raises:
        ApiError: 400, naming the parameter that cannot be.
    """
    query = Query(
        kind,
        limit=given.number("limit", 10, _MOST),
        skip=given.number("skip", 0, LAST_SKIP),
        order=_order(kind, given),
        aggregations=_aggregations(kind, given),
    )
    if kind != "collections":
        query.need("kind = ?", kind)
    for name, narrow in _NARROWING[kind].items():
        if given.get(name):
            _guarded(narrow, query, given, name)
    if kind == "observations":
        for name in given:
            if name.startswith("sensors["):
                _guarded(_sensor, query, given, name)
    return query


def _guarded(narrow: Narrow, query: Query, given: Parameters, name: str) -> None:
    try:
        narrow(query, given, name)
    except (ValueError, OverflowError) as error:
        raise ApiError(400, f"{name}={given[name]} cannot be understood.") from error


def _order(kind: str, given: Parameters) -> str:
    name = given.get("sort") or ""
    if not name:
        return "sequence"
    direction = (given.get("sort_dir") or "asc").upper()
    if name not in FIELDS[kind] or direction not in {"ASC", "DESC"}:
        raise ApiError(400, f"sort={name} {direction.lower()}: {kind} sort by {', '.join(FIELDS[kind])}.")
    return f"{_INDEXED.get((kind, name), FIELDS[kind][name])} {direction}, sequence"


def _aggregations(kind: str, given: Parameters) -> list[str]:
    names = [name for name in given.get("aggs", "").split(",") if name]
    possible = {"tags"} if kind == "collections" else {*FIELDS[kind], *_LISTS.get(kind, ())}
    unknown = [name for name in names if name not in possible]
    if unknown:
        raise ApiError(400, f"aggs={unknown[0]}: {kind} are counted by {', '.join(sorted(possible))}.")
    return names


_LISTS = {"alerts": ("states",), "collections": ("tags",)}


def aggregation_sql(query: Query, name: str) -> str:
    """A SELECT of (value, count) for one aggregation, most frequent first; of `time`, by the day."""
    table = table_of(query.kind)
    if name in _LISTS.get(query.kind, ()):
        path = f"$.properties.{name}" if query.kind != "collections" else "$"
        column = "document" if query.kind != "collections" else name
        source = f"{table}, json_each({column}, '{path}') AS item"
        expression = "item.value"
    else:
        source, expression = table, _DAY if name == "time" else FIELDS[query.kind][name]
    order = "1" if name == "time" else "2 DESC, 1"
    most = 366 if name == "time" else _MOST_VALUES
    return (
        f"SELECT {expression}, count(*) FROM {source} WHERE {query.where} AND {expression} IS NOT NULL "  # noqa: S608 - parts of constant tables only
        f"GROUP BY 1 ORDER BY {order} LIMIT {most}"
    )


def table_of(kind: str) -> str:
    """The table an API's things are in."""
    return "helios_collections" if kind == "collections" else "helios_features"


def _text(query: Query, given: Parameters, name: str) -> None:
    for word in given[name].lower().split():
        query.need("instr(words, ?)", word)


def _bbox(query: Query, given: Parameters, name: str) -> None:
    west, south, east, north = geo.parse_bbox(given[name])
    query.need("north >= ? AND south <= ?", south, north)
    joint = "AND" if west <= east else "OR"
    query.need(f"(east >= ? {joint} west <= ?)", west, east)
    if query.kind == "alerts" and west <= east:
        corners = ((west, south), (east, south), (east, north), (west, north))
        _area(query, geo.Area(corners))


def _polygon(query: Query, given: Parameters, name: str) -> None:
    _area(query, geo.parse_polygon(given[name]))


def _circle(query: Query, given: Parameters, name: str) -> None:
    _area(query, geo.parse_circle(given[name], given.get("lon", ""), given.get("radius") or "10km"))


def _polyline(query: Query, given: Parameters, name: str) -> None:
    precision = given.number("polyline_precision", 5, 6)
    _area(query, geo.parse_polyline(given[name], precision, given.get("polyline_radius") or "10km"))


def _area(query: Query, area: geo.Area) -> None:
    west, south, east, north = area.bounds
    query.need("east >= ? AND west <= ? AND north >= ? AND south <= ?", west, east, south, north)
    query.need("helios_meets(json_extract(document, '$.geometry'), ?)", json.dumps([area.path, area.radius]))


def _equal(query: Query, given: Parameters, name: str) -> None:
    query.need(f"{_property(name)} = ? COLLATE NOCASE", given[name])


def _state(query: Query, given: Parameters, name: str) -> None:
    query.need(_STATES, given[name])


def _since(column: str) -> Narrow:
    return lambda query, given, name: query.need(f"{column} >= ?", times.parse(given[name]))


def _until(column: str) -> Narrow:
    return lambda query, given, name: query.need(f"{column} <= ?", times.parse(given[name]))


def _sensor(query: Query, given: Parameters, name: str) -> None:
    match = _SENSOR.fullmatch(name)
    if match is None:
        raise ValueError(name)
    sensor, which, edge = match.groups()
    path = f"$.properties.sensors.{sensor}.{which or 'data'}"
    query.need(f"json_extract(document, '{path}') {_COMPARE[edge]} ?", float(given[name]))


_ANYWHERE = {"q": _text, "bbox": _bbox, "polygon": _polygon, "lat": _circle, "polyline": _polyline}
_IN_PLACE = dict.fromkeys(_PLACE, _equal)

_NARROWING: dict[str, dict[str, Narrow]] = {
    "alerts": {**_ANYWHERE, "event": _equal, "country": _equal, "state": _state},
    "cameras": {**_ANYWHERE, **_IN_PLACE},
    "observations": {**_ANYWHERE, **_IN_PLACE, "time_min": _since("time"), "time_max": _until("time")},
    "recordings": {**_ANYWHERE, **_IN_PLACE},
    "collections": {
        "q": _text,
        "created_at_min": _since("created"),
        "created_at_max": _until("created"),
        "updated_at_min": _since("updated"),
        "updated_at_max": _until("updated"),
    },
}
