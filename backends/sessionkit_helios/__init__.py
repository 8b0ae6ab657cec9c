"""The Helios weather service: alerts, road cameras and their images, observations, collections.

from sessionkit_helios import Cameras, HeliosSession

with HeliosSession():
    cameras = Cameras().index(q="I-95")
    Cameras().live(cameras.id, out_dir="pictures", progress=True)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit_helios.apis import Alerts, Cameras, Observations, Recordings
    from sessionkit_helios.batch import Batch, Failure, PartialFailure
    from sessionkit_helios.collection import FeatureCollection, ObservationCollection
    from sessionkit_helios.collections_api import Collections
    from sessionkit_helios.features import Alert, Camera, Collection, Observation, Recording, SensorReading
    from sessionkit_helios.images import Image, Images
    from sessionkit_helios.session import HeliosSession
    from sessionkit_helios.session import HeliosSession as Session

_HOMES = {
    "sessionkit_helios.apis": ("Alerts", "Cameras", "Observations", "Recordings"),
    "sessionkit_helios.batch": ("Batch", "Failure", "PartialFailure"),
    "sessionkit_helios.collection": ("FeatureCollection", "ObservationCollection"),
    "sessionkit_helios.collections_api": ("Collections",),
    "sessionkit_helios.features": (
        "Alert",
        "Camera",
        "Collection",
        "Observation",
        "Recording",
        "SensorReading",
    ),
    "sessionkit_helios.images": ("Image", "Images"),
    "sessionkit_helios.session": ("HeliosSession",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Alert",
    "Alerts",
    "Batch",
    "Camera",
    "Cameras",
    "Collection",
    "Collections",
    "Failure",
    "FeatureCollection",
    "HeliosSession",
    "Image",
    "Images",
    "Observation",
    "ObservationCollection",
    "Observations",
    "PartialFailure",
    "Recording",
    "Recordings",
    "SensorReading",
    "Session",
]


def __getattr__(name: str) -> Any:
    """Names are imported when they are first used: urllib3 and the rest take most of a tool's start."""
    wanted = "HeliosSession" if name == "Session" else name
    if wanted not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[wanted]), wanted)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
