"""Where things are: the areas a search may name, and whether a feature lies in one.

Longitude and latitude are degrees, distances metres. Shapes are small (a camera's view, a county, a road),
so a flat map around the place in question is exact enough.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Point = tuple[float, float]
Path = tuple[Point, ...]

_METRES_PER_DEGREE = 111_195.0
_UNITS = {"km": 1000.0, "mi": 1609.344, "m": 1.0, "": 1.0}
_EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class Area:
    """What a search covers: a ring (`radius` 0), or everything within `radius` metres of a path."""

    path: Path
    radius: float = 0.0

    @property
    def is_ring(self) -> bool:
        """Whether the path encloses a surface."""
        return self.radius == 0 and len(self.path) > 2

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north: nothing outside can be in the area."""
        west, south, east, north = bounds(self.path)
        if not self.radius:
            return west, south, east, north
        reach = self.radius / _METRES_PER_DEGREE
        if max(abs(south), abs(north)) + reach > 89:
            return _EVERYWHERE
        sideways = reach / math.cos(math.radians(max(abs(south), abs(north)) + reach))
        return west - sideways, south - reach, east + sideways, north + reach

    def meets(self, shape: Path, *, ring: bool) -> bool:
        """Whether any of `shape` (a point, a line, or a ring) lies in this area."""
        if self.is_ring and encloses(self.path, shape[0]):
            return True
        if ring and encloses(shape, self.path[0]):
            return True
        mine = (*self.path, self.path[0]) if self.is_ring else self.path
        return distance(mine, (*shape, shape[0]) if ring else shape) <= self.radius


def bounds(path: Sequence[Point]) -> tuple[float, float, float, float]:
    """West, south, east, north of some points."""
    longitudes = [point[0] for point in path]
    latitudes = [point[1] for point in path]
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def encloses(ring: Path, point: Point) -> bool:
    """Whether `point` lies inside `ring`: a line to the east crosses it an odd number of times."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(ring, (*ring[1:], ring[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def distance(path: Path, other: Path) -> float:
    """The shortest way in metres between two paths; 0 where they cross."""
    scale = math.cos(math.radians(path[0][1]))
    flat = [(x * scale, y) for x, y in path]
    flat_other = [(x * scale, y) for x, y in other]
    return _METRES_PER_DEGREE * min(_apart(a, b) for a in _segments(flat) for b in _segments(flat_other))


def _segments(path: Sequence[Point]) -> Iterator[tuple[Point, Point]]:
    if len(path) == 1:
        yield path[0], path[0]
    yield from itertools.pairwise(path)


def _apart(a: tuple[Point, Point], b: tuple[Point, Point]) -> float:
    if _cross(a, b):
        return 0.0
    return min(_to_segment(a[0], b), _to_segment(a[1], b), _to_segment(b[0], a), _to_segment(b[1], a))


def _cross(a: tuple[Point, Point], b: tuple[Point, Point]) -> bool:
    return _side(a, b[0]) * _side(a, b[1]) < 0 and _side(b, a[0]) * _side(b, a[1]) < 0


def _side(segment: tuple[Point, Point], point: Point) -> float:
    (x1, y1), (x2, y2) = segment
    return (x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)


def _to_segment(point: Point, segment: tuple[Point, Point]) -> float:
    (x1, y1), (x2, y2) = segment
    dx, dy = x2 - x1, y2 - y1
    squared = dx * dx + dy * dy
    along = ((point[0] - x1) * dx + (point[1] - y1) * dy) / squared if squared else 0.0
    along = min(1.0, max(0.0, along))
    return math.hypot(point[0] - x1 - along * dx, point[1] - y1 - along * dy)


def parse_bbox(text: str) -> tuple[float, float, float, float]:
    """`W,S,E,N` in degrees; W may be east of E, across the antimeridian.

    Raises:
        ValueError: when it is not four such numbers.
    """
    west, south, east, north = (float(part) for part in text.split(","))
    _require(_is_place(west, south) and _is_place(east, north) and south <= north, text)
    return west, south, east, north


def parse_polygon(text: str) -> Area:
    """`lon lat,lon lat,lon lat[,...]`: the last pair may repeat the first.

    Raises:
        ValueError: when it is not at least three such pairs.
    """
    pairs = [pair.split() for pair in text.split(",")]
    ring = tuple((float(lon), float(lat)) for lon, lat in pairs)
    ring = ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring
    _require(len(ring) > 2 and all(_is_place(*point) for point in ring), text)
    return Area(ring)


def parse_circle(lat: str, lon: str, radius: str) -> Area:
    """A point and a radius in metres, or with a unit: `10km`, `10mi`."""
    point = (float(lon), float(lat))
    _require(_is_place(*point), f"{lat},{lon}")
    return Area((point,), parse_length(radius))


def parse_length(text: str) -> float:
    """Metres from `10000`, `10km` or `10mi`.

    Raises:
        ValueError: when it is neither, or not above zero.
    """
    number = text.strip().rstrip("kmi ")
    metres = float(number) * _UNITS.get(text.strip()[len(number) :].strip(), math.nan)
    _require(0 < metres < math.inf, text)
    return metres


def parse_polyline(text: str, precision: int, radius: str) -> Area:
    """The corridor along a road in the encoded polyline format of routing services (precision 5 or 6)."""
    deltas = list(_polyline_numbers(text))
    _require(bool(deltas) and len(deltas) % 2 == 0, text)
    lat = lon = 0
    path: list[Point] = []
    for step_lat, step_lon in zip(deltas[::2], deltas[1::2], strict=True):
        lat, lon = lat + step_lat, lon + step_lon
        path.append((lon / 10**precision, lat / 10**precision))
    _require(all(_is_place(*point) for point in path), text)
    return Area(tuple(path), parse_length(radius))


def _polyline_numbers(text: str) -> Iterator[int]:
    value = shift = 0
    for character in text:
        chunk = ord(character) - 63
        _require(0 <= chunk < 64 and shift < 40, text)
        value |= (chunk & 0x1F) << shift
        shift += 5
        if chunk < 0x20:
            yield ~(value >> 1) if value & 1 else value >> 1
            value = shift = 0
    _require(shift == 0, text)


def _is_place(lon: float, lat: float) -> bool:
    return -180 <= lon <= 180 and -90 <= lat <= 90


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise ValueError(text)
