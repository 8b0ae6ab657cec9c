"""Every image of every camera: which there are, and the bytes of one."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sessionkit_helios.sandbox import pictures, times
from sessionkit_helios.sandbox.errors import ApiError
from sessionkit_helios.sandbox.frames import Image, ListedFrames, RollingFrames

if TYPE_CHECKING:
    from sessionkit.clock import Clock
    from sessionkit_helios.sandbox.store import FeatureStore

# One image in so many shows nothing of use, unless the data file lists the duds of a camera itself.
_DUDS = 24
_WEATHER_REACH = 2 * 3_600_000


@dataclass(frozen=True)
class Picture:
    """An image ready to be drawn.

    Attributes:
        scene: What it shows.
        modified: When it was taken, milliseconds since the epoch.
        verdict: The `x-amz-meta-helios` header: what the service's own checks say of the image.
    """

    scene: pictures.Scene
    modified: int
    verdict: str

    def body(self) -> bytes:
        """The JPEG; takes some milliseconds unless it was drawn lately."""
        return pictures.jpeg(self.scene)


class Gallery:
    """The images of the cameras in a store."""

    def __init__(self, store: FeatureStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def frames(self, camera: str) -> RollingFrames | ListedFrames:
        """When `camera` took images.

        Raises:
            ApiError: 404 when there is no such camera.
        """
        self.require(camera)
        listed = self._store.behaviour(camera).get("images")
        if listed is None:
            return RollingFrames(camera, int(self._clock.time() * 1000))
        return ListedFrames(sorted(times.parse(text) for text in listed))

    def near(self, camera: str, instant: int) -> Image:
        """The camera's image nearest to `instant`.

        Raises:
            ApiError: 404 when there is no such camera, or it has none.
        """
        nearest = self.frames(camera).nearest(instant)
        if nearest is None:
            raise ApiError(404, f"Camera {camera} has no images.")
        return Image(camera, nearest)

    def live(self, camera: str) -> Image:
        """The camera's newest image."""
        return self.near(camera, int(self._clock.time() * 1000))

    def require(self, camera: str) -> dict[str, object]:
        """The camera as a document.

        Raises:
            ApiError: 404 when there is no such camera.
        """
        document = self._store.get("cameras", camera)
        if document is None:
            raise ApiError(404, f"There is no camera {camera}.")
        return document

    def picture(self, image: Image) -> Picture | None:
        """What an image shows; None when its camera is unknown."""
        document = self._store.get("cameras", image.camera)
        if document is None:
            return None
        sensors = self._store.sensors_near(image.camera, image.instant, _WEATHER_REACH)
        weather = {name: float(value.get("data", -1)) for name, value in sensors.items()}
        dud = self._is_dud(image)
        scene = pictures.Scene(
            camera=image.camera,
            caption=f"{image.camera}  {document['properties'].get('description', '')}"[:70],
            longitude=document["geometry"]["coordinates"][0],
            instant=image.instant,
            road=max(0.0, weather.get("road_weather", 0.0)),
            visibility=weather.get("visibility", 1.0),
            precipitation=weather.get("precip", 0.0) > 0,
            dud=dud,
        )
        return Picture(scene, image.instant, _verdict(dud=dud))

    def _is_dud(self, image: Image) -> bool:
        listed = self._store.behaviour(image.camera).get("duds")
        if listed is not None:
            return times.iso(image.instant) in listed
        return int(hashlib.sha256(image.name.encode()).hexdigest()[:8], 16) % _DUDS == 0


def _verdict(*, dud: bool) -> str:
    return json.dumps({"isOutcast": False, "isDud": dud, "isFrozen": False})


@lru_cache(maxsize=8)
def archive(shown: tuple[tuple[str, Picture], ...]) -> bytes:
    """A ZIP file of pictures by name; the same bytes each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name, picture in shown:
            file.writestr(zipfile.ZipInfo(name), picture.body())
    return out.getvalue()
