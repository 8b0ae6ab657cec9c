"""Recordings: a camera's images of some hours, kept for 90 days, downloaded as one ZIP file.

Of this API only its index is described in public; creating and downloading follow the service's habits.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit_helios.sandbox import times
from sessionkit_helios.sandbox.camera_api import parse_time
from sessionkit_helios.sandbox.errors import ApiError
from sessionkit_helios.sandbox.frames import KEPT, Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from sessionkit.clock import Clock
    from sessionkit_helios.sandbox.gallery import Gallery
    from sessionkit_helios.sandbox.origin import PictureOrigin
    from sessionkit_helios.sandbox.query import Parameters
    from sessionkit_helios.sandbox.search_api import Protect
    from sessionkit_helios.sandbox.store import FeatureStore

_MOST_IMAGES = 300
_HOUR = 3_600_000


class RecordingApi:
    """`POST /v1/recordings` and `GET /v1/recordings/{id}/download`."""

    def __init__(self, clock: Clock, store: FeatureStore, gallery: Gallery, origin: PictureOrigin) -> None:
        self._clock = clock
        self._store = store
        self._gallery = gallery
        self._origin = origin
        origin.serve_recordings(self)

    def routes(self, protect: Protect) -> list[Route]:
        """The routes beside index and show."""
        return [
            Route("/v1/recordings", protect(self._create), methods=["POST"]),
            Route("/v1/recordings/{id}/download", protect(self._download)),
        ]

    def images(self, identifier: str) -> Sequence[Image] | None:
        """The images of a recording; None when there is none of that id."""
        document = self._store.get("recordings", identifier)
        if document is None:
            return None
        properties = document["properties"]
        camera, end = properties["camera_id"], times.parse(properties["time_max"])
        found = self._gallery.frames(camera).since(times.parse(properties["time_min"]), _MOST_IMAGES)
        return [Image(camera, instant) for instant in found if instant < end]

    def _create(self, _: Request, given: Parameters) -> Response:
        camera = given.get("camera_id", "")
        place = self._gallery.require(camera)
        now = int(self._clock.time() * 1000)
        end = parse_time("time_max", given["time_max"]) if given.get("time_max") else now
        start = parse_time("time_min", given["time_min"]) if given.get("time_min") else end - _HOUR
        if start >= end:
            raise ApiError(400, "time_min must lie before time_max.")
        identifier = secrets.token_hex(12)
        self._store.put("recordings", [_feature(identifier, given, place, now, (start, end))])
        return JSONResponse({"ok": True, "recording_id": identifier})

    def _download(self, request: Request, _: Parameters) -> Response:
        identifier = request.path_params["id"]
        if self.images(identifier) is None:
            raise ApiError(404, f"There is no recording {identifier}.")
        return self._origin.redirect(request, f"recordings/{identifier}.zip")


def _feature(
    identifier: str, given: Parameters, place: dict[str, Any], now: int, span: tuple[int, int]
) -> dict[str, Any]:
    described = place["properties"]
    properties = {
        "recording_id": identifier,
        "name": given.get("name") or f"{place['id']} {times.iso(span[0])}",
        "camera_id": place["id"],
        "created_at": times.iso(now),
        "expires_at": times.iso(now + KEPT),
        "time_min": times.iso(span[0]),
        "time_max": times.iso(span[1]),
        **{name: described[name] for name in ("city", "state", "region", "country") if name in described},
    }
    return {"type": "Feature", "id": identifier, "geometry": place["geometry"], "properties": properties}
