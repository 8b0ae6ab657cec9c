"""The images of cameras: which there are, one of them, the live one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit_helios.sandbox import times
from sessionkit_helios.sandbox.errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

    from sessionkit_helios.sandbox.gallery import Gallery
    from sessionkit_helios.sandbox.origin import PictureOrigin
    from sessionkit_helios.sandbox.query import Parameters
    from sessionkit_helios.sandbox.search_api import Protect

_MOST = 500


class CameraApi:
    """`GET /v1/cameras/{id}/images`, `.../images/{time}` and `.../live`."""

    def __init__(self, gallery: Gallery, origin: PictureOrigin) -> None:
        self._gallery = gallery
        self._origin = origin

    def routes(self, protect: Protect) -> list[Route]:
        """The routes below one camera."""
        return [
            Route("/v1/cameras/{id}/images", protect(self._images)),
            Route("/v1/cameras/{id}/images/{time}", protect(self._image)),
            Route("/v1/cameras/{id}/live", protect(self._live)),
        ]

    def _images(self, request: Request, given: Parameters) -> Response:
        frames = self._gallery.frames(request.path_params["id"])
        start = parse_time("time", given.get("time") or "1970")
        found = frames.since(start, given.number("limit", 10, _MOST))
        return JSONResponse({"times": [times.iso(instant) for instant in found]})

    def _image(self, request: Request, _: Parameters) -> Response:
        instant = parse_time("time", request.path_params["time"])
        image = self._gallery.near(request.path_params["id"], instant)
        return self._origin.redirect(request, image.name)

    def _live(self, request: Request, _: Parameters) -> Response:
        return self._origin.redirect(request, self._gallery.live(request.path_params["id"]).name)


def parse_time(name: str, text: str) -> int:
    """Milliseconds since the epoch.

    Raises:
        ApiError: 400 when `text` is no time.
    """
    try:
        return times.parse(text)
    except (ValueError, OverflowError) as error:
        raise ApiError(400, f"{name}={text} is not an ISO 8601 time.") from error
