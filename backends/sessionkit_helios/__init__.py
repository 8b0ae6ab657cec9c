"""The Helios weather service: alerts, road cameras and their images, observations, collections.

from sessionkit_helios import Cameras, HeliosSession

with HeliosSession():
    cameras = Cameras().index(q="I-95")
    Cameras().live(cameras.id, out_dir="pictures", progress=True)
"""

from sessionkit_helios.apis import Alerts, Cameras, Observations, Recordings
from sessionkit_helios.batch import Batch, Failure, PartialFailure
from sessionkit_helios.collection import FeatureCollection, ObservationCollection
from sessionkit_helios.collections_api import Collections
from sessionkit_helios.features import Alert, Camera, Collection, Observation, Recording, SensorReading
from sessionkit_helios.images import Image, Images
from sessionkit_helios.session import HeliosSession

Session = HeliosSession

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
