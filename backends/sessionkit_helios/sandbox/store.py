"""The sandbox's Helios data in SQLite: features as documents beside the columns that searches use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_helios.sandbox import geo, times
from sessionkit_helios.sandbox.query import aggregation_sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from sessionkit_helios.sandbox.query import Query

KINDS = ("alerts", "cameras", "observations", "recordings")

_TABLES = """
CREATE TABLE IF NOT EXISTS helios_features (
    sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL,
    west REAL, south REAL, east REAL, north REAL, time INTEGER, camera TEXT,
    words TEXT NOT NULL, document TEXT NOT NULL, extra TEXT, UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS helios_places ON helios_features (kind, west);
CREATE INDEX IF NOT EXISTS helios_times ON helios_features (kind, time);
CREATE INDEX IF NOT EXISTS helios_by_camera ON helios_features (kind, camera, time);
"""
_UPSERT = """
INSERT INTO helios_features (kind, id, west, south, east, north, time, camera, words, document, extra)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, id) DO UPDATE SET west = excluded.west, south = excluded.south, east = excluded.east,
    north = excluded.north, time = excluded.time, camera = excluded.camera, words = excluded.words,
    document = excluded.document, extra = excluded.extra
"""
_TIME_OF = {"alerts": "effective", "observations": "time", "recordings": "created_at"}
# Keys of a data file that say how the sandbox should behave, and are no part of the feature.
_EXTRAS = ("images", "duds")


@dataclass(frozen=True)
class Found:
    """One page of a search.

    Attributes:
        rows: The page's rows, as the SELECT named them.
        total: How many match in all.
        aggregations: name -> [(value, count), ...].
    """

    rows: list[tuple[Any, ...]]
    total: int
    aggregations: dict[str, list[tuple[Any, int]]]


class FeatureStore:
    """Alerts, cameras, observations and recordings."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def setup(self) -> None:
        """Create the table, and the function by which SQL asks where things are."""
        self._db.executescript(_TABLES)
        self._db.create_function("helios_meets", 2, _meets, deterministic=True)

    def put(self, kind: str, features: Iterable[Mapping[str, Any]]) -> None:
        """Store features over those of the same id.

        Raises:
            ConfigurationError: for one that is no GeoJSON feature of this kind.
        """
        rows = [_row(kind, index, feature) for index, feature in enumerate(features)]
        with self._db:
            self._db.executemany(_UPSERT, rows)

    def clear(self, kind: str) -> None:
        """Forget all features of a kind."""
        with self._db:
            self._db.execute("DELETE FROM helios_features WHERE kind = ?", (kind,))

    def get(self, kind: str, identifier: str) -> dict[str, Any] | None:
        """One feature as a document, or None."""
        row = self._db.execute(
            "SELECT document FROM helios_features WHERE kind = ? AND id = ?", (kind, identifier)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def behaviour(self, camera: str) -> dict[str, Any]:
        """What the data file said of a camera's images: `images`, `duds`."""
        row = self._db.execute(
            "SELECT extra FROM helios_features WHERE kind = 'cameras' AND id = ?", (camera,)
        ).fetchone()
        return json.loads(row[0]) if row else {}

    def sensors_near(self, camera: str, milliseconds: int, reach: int) -> dict[str, Any]:
        """The sensors of the camera's observation nearest in time, within `reach` milliseconds, or {}."""
        row = self._db.execute(
            "SELECT document FROM helios_features WHERE kind = 'observations' AND camera = ?"
            " AND time BETWEEN ? AND ? ORDER BY abs(time - ?) LIMIT 1",
            (camera, milliseconds - reach, milliseconds + reach, milliseconds),
        ).fetchone()
        return json.loads(row[0])["properties"].get("sensors", {}) if row else {}

    def search(self, query: Query) -> Found:
        """The page of features that `query` asks for; rows are (document, west, south, east, north)."""
        return run(self._db, query, "document, west, south, east, north", "helios_features")


def run(db: sqlite3.Connection, query: Query, columns: str, table: str) -> Found:
    """Run a search: its page, its total, its aggregations."""
    where, values = query.where, query.values
    rows = db.execute(
        f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {query.order} LIMIT ? OFFSET ?",  # noqa: S608 - parts are constants of the query tables
        (*values, query.limit, query.skip),
    ).fetchall()
    (total,) = db.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()  # noqa: S608 - as above
    counted = {
        name: db.execute(aggregation_sql(query, name), values).fetchall() for name in query.aggregations
    }
    return Found(rows, total, counted)


def _row(kind: str, index: int, feature: Mapping[str, Any]) -> tuple[Any, ...]:
    try:
        properties = feature["properties"]
        path, _ = _shape(feature["geometry"])
        time = times.parse(properties[_TIME_OF[kind]]) if kind in _TIME_OF else None
        identifier = str(feature["id"])
        bounds = geo.bounds(path)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"helios.{kind}[{index}] is not a GeoJSON feature of this kind: {error!r}",
            hint="It needs id, geometry and properties; observations also properties.time, alerts effective.",
        ) from error
    document = {"type": "Feature", **{key: feature[key] for key in feature if key not in _EXTRAS}}
    extra = {key: feature[key] for key in _EXTRAS if key in feature}
    camera = properties.get("camera_id", identifier)
    words = f"{identifier} {' '.join(_strings(properties))}".lower()
    return (kind, identifier, *bounds, time, camera, words, json.dumps(document), json.dumps(extra))


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _shape(geometry: Mapping[str, Any]) -> tuple[geo.Path, bool]:
    """The path of a GeoJSON geometry, and whether it is a ring; of a polygon, its outer ring."""
    places = geometry["coordinates"]
    if geometry["type"] == "Point":
        return ((places[0], places[1]),), False
    if geometry["type"] == "Polygon":
        return tuple((place[0], place[1]) for place in places[0]), True
    raise ValueError(geometry["type"])


def _meets(geometry: str, area: str) -> bool:
    path, ring = _shape(json.loads(geometry))
    return _area(area).meets(path, ring=ring)


@lru_cache(maxsize=256)
def _area(text: str) -> geo.Area:
    path, radius = json.loads(text)
    return geo.Area(tuple((lon, lat) for lon, lat in path), radius)
