"""What a newcomer finds: road cameras on three continents, and the weather they have been seeing.

A storm crosses Virginia, the Central Valley lies in fog, it rains on Puget Sound and on London. All is
computed from the sandbox's present, so that it is always the last hours that were stormy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sessionkit_helios.sandbox import times
from sessionkit_helios.sandbox.frames import Image, RollingFrames

CLIENT = ("demo-client", "demo-secret")
_HOUR = 3_600_000
_OBSERVED = 36  # six hours of one observation each ten minutes


@dataclass(frozen=True)
class Region:
    """A part of the world with one weather and one road authority.

    Attributes:
        sensors: What cameras see at the height of the weather: road_weather, visibility, precip.
        cameras: (city, longitude, latitude, description, direction) each.
    """

    state: str
    country: str
    region: str
    provider: str
    sensors: tuple[float, float, float]
    cameras: tuple[tuple[str, float, float, str, str], ...]


REGIONS = (
    Region(
        "Virginia",
        "United States",
        "Mid-Atlantic",
        "VADOT",
        (10, 0.2, 1),
        (
            ("Richmond", -77.4360, 37.5407, "I-95 at MM 75", "N"),
            ("Richmond", -77.4781, 37.5926, "I-64 at Staples Mill Road", "W"),
            ("Richmond", -77.3527, 37.5229, "I-64 at Airport Drive", "E"),
            ("Ashland", -77.4639, 37.7590, "I-95 at MM 92", "S"),
            ("Fredericksburg", -77.4972, 38.3032, "I-95 at MM 130", "N"),
            ("Charlottesville", -78.4767, 38.0293, "US-250 Bypass at Barracks Road", "W"),
            ("Waynesboro", -78.8895, 38.0685, "I-64 at Afton Mountain", "E"),
            ("Harrisonburg", -78.8689, 38.4496, "I-81 at MM 247", "N"),
            ("Staunton", -79.0717, 38.1496, "I-81 at MM 221", "S"),
            ("Roanoke", -79.9414, 37.2710, "I-581 at Elm Avenue", "N"),
        ),
    ),
    Region(
        "Maryland",
        "United States",
        "Mid-Atlantic",
        "MDSHA",
        (6, 0.5, 1),
        (
            ("Baltimore", -76.6122, 39.2904, "I-83 at Fayette Street", "S"),
            ("Frederick", -77.4105, 39.4143, "I-70 at Market Street", "E"),
            ("Hagerstown", -77.7200, 39.6418, "I-81 at MM 6", "N"),
            ("Annapolis", -76.4922, 38.9784, "US-50 at Severn River Bridge", "E"),
        ),
    ),
    Region(
        "Colorado",
        "United States",
        "Mountain",
        "CODOT",
        (0, 1, 0),
        (
            ("Denver", -104.9903, 39.7392, "I-25 at Colfax Avenue", "N"),
            ("Golden", -105.2211, 39.7555, "I-70 at Lookout Mountain", "W"),
            ("Idaho Springs", -105.5136, 39.7425, "I-70 at MM 240", "W"),
            ("Silverthorne", -106.0742, 39.6296, "I-70 at Eisenhower Tunnel", "E"),
            ("Vail", -106.3742, 39.6403, "I-70 at Vail Pass", "W"),
        ),
    ),
    Region(
        "California",
        "United States",
        "Central Valley",
        "CALTRANS",
        (1, 0, 0),
        (
            ("Fresno", -119.7871, 36.7378, "SR-99 at Jensen Avenue", "N"),
            ("Bakersfield", -119.0187, 35.3733, "SR-99 at Rosedale Highway", "S"),
            ("Merced", -120.4830, 37.3022, "SR-99 at V Street", "N"),
            ("Modesto", -120.9969, 37.6391, "SR-99 at Kansas Avenue", "S"),
            ("Stockton", -121.2908, 37.9577, "I-5 at Monte Diablo Avenue", "N"),
        ),
    ),
    Region(
        "Washington",
        "United States",
        "Puget Sound",
        "WSDOT",
        (3, 0.5, 1),
        (
            ("Seattle", -122.3321, 47.6062, "I-5 at Olive Way", "S"),
            ("Bellevue", -122.2015, 47.6101, "I-405 at NE 8th Street", "N"),
            ("Tacoma", -122.4443, 47.2529, "I-5 at Tacoma Dome", "N"),
            ("Olympia", -122.9007, 47.0379, "I-5 at Pacific Avenue", "S"),
            ("North Bend", -121.7868, 47.4957, "I-90 at MM 34", "E"),
        ),
    ),
    Region(
        "England",
        "United Kingdom",
        "Greater London",
        "TFL",
        (2, 0.5, 1),
        (
            ("London", -0.1276, 51.5072, "A4 Trafalgar Square", "W"),
            ("London", -0.0754, 51.5055, "A100 Tower Bridge Approach", "N"),
            ("London", -0.2090, 51.5720, "A406 Staples Corner", "E"),
            ("London", 0.0088, 51.4934, "A102 Blackwall Tunnel", "S"),
        ),
    ),
    Region(
        "New South Wales",
        "Australia",
        "Sydney",
        "TFNSW",
        (0, 1, 0),
        (
            ("Sydney", 151.2093, -33.8688, "A4 Anzac Bridge", "W"),
            ("Sydney", 151.2108, -33.8523, "M1 Harbour Bridge", "N"),
            ("Parramatta", 151.0011, -33.8150, "M4 at James Ruse Drive", "E"),
        ),
    ),
)

# Event, region, outer ring (longitude, latitude), severity, hours it still holds.
_ALERTS = (
    (
        "Winter Storm Warning",
        "Virginia",
        ((-80.2, 37.1), (-77.2, 37.1), (-77.2, 38.6), (-80.2, 38.6)),
        "Severe",
        9,
    ),
    (
        "Winter Weather Advisory",
        "Maryland",
        ((-77.9, 38.8), (-76.3, 38.8), (-76.3, 39.7), (-77.9, 39.7)),
        "Moderate",
        7,
    ),
    (
        "Dense Fog Advisory",
        "California",
        ((-121.5, 35.2), (-118.8, 35.2), (-118.8, 38.1), (-121.5, 38.1)),
        "Moderate",
        4,
    ),
    (
        "Flood Watch",
        "Washington",
        ((-123.1, 46.9), (-121.6, 46.9), (-121.6, 47.8), (-123.1, 47.8)),
        "Severe",
        20,
    ),
)


def data(now: int) -> dict[str, Any]:
    """The demo data as a section of a `--data` file; `now` in milliseconds since the epoch."""
    cameras = [_camera(region, index) for region in REGIONS for index in range(len(region.cameras))]
    sensors = {region.provider: region.sensors for region in REGIONS}
    observations = [
        observation
        for camera in cameras
        for observation in _observations(camera, sensors[camera["properties"]["provider"]], now)
    ]
    return {
        "clients": dict([CLIENT]),
        "cameras": cameras,
        "observations": observations,
        "alerts": [_alert(alert, now) for alert in _ALERTS],
        "collections": _collections(cameras, now),
    }


def _camera(region: Region, index: int) -> dict[str, Any]:
    city, longitude, latitude, description, direction = region.cameras[index]
    number = int(hashlib.sha256(f"{region.provider}{index}".encode()).hexdigest()[:6], 16) % 90_000 + 10_000
    return {
        "type": "Feature",
        "id": f"{region.provider}-{number}",
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "properties": {
            "city": city,
            "state": region.state,
            "country": region.country,
            "region": region.region,
            "provider": region.provider,
            "description": description,
            "direction": direction,
            "video": index % 4 == 0,
        },
    }


def _observations(
    camera: dict[str, Any], height: tuple[float, float, float], now: int
) -> list[dict[str, Any]]:
    identifier = camera["id"]
    found: list[dict[str, Any]] = []
    for instant in RollingFrames(identifier, now).since(now - 6 * _HOUR, _OBSERVED):
        age = (now - instant) / (6 * _HOUR)
        previous = found[-1]["properties"] if found else None
        found.append(_observation(camera, instant, _seen(height, age), previous))
    return found


def _seen(height: tuple[float, float, float], age: float) -> dict[str, float]:
    """What the sensors say when the weather has been coming on: nothing six hours ago, all of it now."""
    road, visibility, precipitation = height
    onset = 1 - age
    steps = [step for step in (0, 1, 2, 3, 6, 10) if step <= road]
    return {
        "road_weather": steps[min(len(steps) - 1, int(onset * len(steps)))],
        "visibility": min((1, 0.5, 0.2, 0), key=lambda step: abs(step - (1 - (1 - visibility) * onset))),
        "precip": precipitation if onset > 0.4 else 0,
    }


def _observation(
    camera: dict[str, Any], instant: int, seen: dict[str, float], previous: dict[str, Any] | None
) -> dict[str, Any]:
    described = camera["properties"]
    identifier = f"{camera['id']}_{times.iso(instant)}"
    sensors: dict[str, dict[str, float]] = {name: {"data": value} for name, value in seen.items()}
    properties = {
        "observation_id": identifier,
        "camera_id": camera["id"],
        "prev_id": None,
        "time": times.iso(instant),
        "sensors": sensors,
        **{name: described[name] for name in ("description", "city", "region", "state", "country")},
    }
    if previous is not None:
        properties["prev_id"] = previous["observation_id"]
        for name, value in sensors.items():
            value["prev"] = previous["sensors"][name]["data"]
    return {"type": "Feature", "id": identifier, "geometry": camera["geometry"], "properties": properties}


def _alert(alert: tuple[str, str, tuple[tuple[float, float], ...], str, int], now: int) -> dict[str, Any]:
    event, state, ring, severity, hours = alert
    longitudes, latitudes = [point[0] for point in ring], [point[1] for point in ring]
    effective, expires = now - 3 * _HOUR, now + hours * _HOUR
    digest = hashlib.sha256(f"{event}{state}".encode()).hexdigest()
    return {
        "type": "Feature",
        "id": f"NWS-IDP-PROD-{int(digest[:6], 16)}-{int(digest[6:12], 16)}",
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
        "geometry": {"type": "Polygon", "coordinates": [[list(point) for point in (*ring, ring[0])]]},
        "properties": {
            "origin": "NWS",
            "event": event,
            "headline": f"{event} issued for {state} until {times.iso(expires)[:16].replace('T', ' ')} UTC",
            "states": [state],
            "areaDesc": state,
            "description": f"{event} in effect. Travel could be very difficult in parts of {state}.",
            "effective": times.iso(effective),
            "expires": times.iso(expires),
            "updated": times.iso(effective),
            "urgency": "Expected",
            "severity": severity,
            "certainty": "Likely",
            "status": "Actual",
            "category": "Met",
            "country": "United States",
        },
    }


def _collections(cameras: list[dict[str, Any]], now: int) -> list[dict[str, Any]]:
    afton = next(camera["id"] for camera in cameras if "Afton" in camera["properties"]["description"])
    frames = RollingFrames(afton, now).since(now - 2 * _HOUR, 12)
    return [
        {
            "_id": "5b8d3a1c9f0e4a0012d7c001",
            "name": "Snow on Afton Mountain",
            "description": "Two hours of I-64 at the pass",
            "tags": ["snow", "virginia"],
            "images": [Image(afton, instant).name for instant in frames],
        },
        {
            "_id": "5b8d3a1c9f0e4a0012d7c002",
            "name": "Examples",
            "description": "Put images here",
            "tags": ["examples"],
        },
    ]
