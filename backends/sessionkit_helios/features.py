"""What the service tells of: alerts, cameras, observations, collections, recordings.

A feature keeps the JSON it came as (`json`) and reads its fields from there. Fields that did not come are
None, or empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from sessionkit_helios.parameters import time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from typing_extensions import Self

T = TypeVar("T")

_NOTHING: dict[str, Any] = {}


class Field(Generic[T]):
    """One field of a feature: a key, where it is, and how it is read.

    Args:
        read: Makes a value of what came, or None.
        key: The key; None is the attribute's own name.
        top: Whether it stands at the top of the feature instead of below `properties`.
    """

    def __init__(self, read: Callable[[Any], T], key: str | None = None, *, top: bool = False) -> None:
        self._read = read
        self._key = key or ""
        self._top = top

    def __set_name__(self, owner: type[Feature], name: str) -> None:
        self._key = self._key or name
        owner.fields = (*owner.fields, name)

    @overload
    def __get__(self, feature: None, owner: type[Feature]) -> Self: ...
    @overload
    def __get__(self, feature: Feature, owner: type[Feature]) -> T: ...
    def __get__(self, feature: Feature | None, owner: type[Feature]) -> T | Self:
        if feature is None:
            return self
        source = feature.json if self._top else feature.properties
        return self._read(source.get(self._key))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _id(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _flag(value: Any) -> bool:
    return value is True


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _numbers(value: Any) -> list[float]:
    return [item for item in value if isinstance(item, (int, float))] if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class Feature:
    """The base of all: a GeoJSON feature.

    Attributes:
        json: As it came.
        fields: The names of the class's fields.
    """

    __slots__ = ("json",)

    fields: tuple[str, ...] = ()

    def __init__(self, json: Mapping[str, Any]) -> None:
        self.json = json

    id = Field(_id, top=True)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The feature's own properties, as they came."""
        found = self.json.get("properties")
        return found if isinstance(found, dict) else _NOTHING

    @property
    def geometry(self) -> Mapping[str, Any]:
        """GeoJSON, as it came."""
        found = self.json.get("geometry")
        return found if isinstance(found, dict) else _NOTHING

    @property
    def coordinates(self) -> list[Any]:
        """[longitude, latitude] of a point; the rings of a polygon."""
        found = self.geometry.get("coordinates")
        return found if isinstance(found, list) else []

    def to_record(self) -> dict[str, Any]:
        """The fields by name, flat, as a row of a table."""
        record = {name: getattr(self, name) for name in self.fields}
        if self.geometry.get("type") == "Point" and len(self.coordinates) > 1:
            record["longitude"], record["latitude"] = self.coordinates[:2]
        return record

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Feature) and other.json == self.json

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class Alert(Feature):
    """A warning of a weather service, and the area it is for."""

    __slots__ = ()

    bbox = Field(_numbers, top=True)
    area_description = Field(_text, "areaDesc")
    category = Field(_text)
    certainty = Field(_text)
    country = Field(_text)
    description = Field(_text)
    effective = Field(time_of)
    event = Field(_text)
    expires = Field(time_of)
    headline = Field(_text)
    origin = Field(_text)
    severity = Field(_text)
    states = Field(_texts)
    status = Field(_text)
    updated = Field(time_of)
    urgency = Field(_text)


class Camera(Feature):
    """A road camera."""

    __slots__ = ()

    city = Field(_text)
    country = Field(_text)
    description = Field(_text)
    direction = Field(_text)
    provider = Field(_text)
    region = Field(_text)
    state = Field(_text)
    video = Field(_flag)


class SensorReading(NamedTuple):
    """One sensor's value in one observation.

    Attributes:
        sensor: Its name: road_weather, visibility, precip.
        time: When.
        data: The value; -1 when there is no report.
        prev: The value of the observation before; -1 when there is none.
        id: The observation's id.
        prev_id: The one's before.
    """

    sensor: str
    time: datetime | None
    data: float
    prev: float
    id: str
    prev_id: str | None


class Observation(Feature):
    """What a camera's picture says of the weather."""

    __slots__ = ()

    camera_id = Field(_text)
    city = Field(_text)
    country = Field(_text)
    description = Field(_text)
    prev_id = Field(_text)
    region = Field(_text)
    sensors = Field(_mapping)
    state = Field(_text)
    time = Field(time_of)

    def readings(self) -> list[SensorReading]:
        """One record for each sensor."""
        return [
            SensorReading(
                name, self.time, _value(value, "data"), _value(value, "prev"), self.id, self.prev_id
            )
            for name, value in self.sensors.items()
        ]

    def to_record(self) -> dict[str, Any]:
        """The fields by name, the sensors each in a column: `visibility`, `visibility_prev`."""
        record = super().to_record()
        del record["sensors"]
        for reading in self.readings():
            record[reading.sensor] = reading.data
            record[f"{reading.sensor}_prev"] = reading.prev
        return record


def _value(sensor: Any, key: str) -> float:
    found = sensor.get(key) if isinstance(sensor, dict) else None
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else -1


class Recording(Feature):
    """Images of a camera, archived for 90 days."""

    __slots__ = ()

    camera_id = Field(_text)
    created_at = Field(time_of)
    expires_at = Field(time_of)
    name = Field(_text)
    time_max = Field(time_of)
    time_min = Field(time_of)


class Collection(Feature):
    """Images put together by hand. It lies nowhere: it has neither geometry nor coordinates."""

    __slots__ = ()

    id = Field(_id, "_id", top=True)
    bucket = Field(_text, top=True)
    created_at = Field(time_of, top=True)
    description = Field(_text, top=True)
    images = Field(_texts, top=True)
    name = Field(_text, top=True)
    tags = Field(_texts, top=True)
    updated_at = Field(time_of, top=True)
    user_id = Field(_text, top=True)
