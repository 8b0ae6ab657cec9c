"""The second origin: an object store that hands out pictures for signed links, and knows nothing of tokens.

The real service answers a request for an image with a redirect to another host. So does the sandbox: who
came for `127.0.0.1` is sent to `localhost`, and the other way round; to every client that is another origin.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sessionkit_helios.sandbox.frames import Image
from sessionkit_helios.sandbox.gallery import Gallery, Picture, archive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from sessionkit.clock import Clock
    from sessionkit_helios.sandbox.recording_api import RecordingApi

BUCKET = "helios-exelis"
LINK_LIFETIME = 900
_OTHER_HOST = {"127.0.0.1": "localhost", "localhost": "127.0.0.1", "::1": "localhost"}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class PictureOrigin:
    """Signs links to pictures and serves them.

    Attributes:
        leaked: The Authorization headers that clients sent here, where none belongs.
    """

    def __init__(self, gallery: Gallery, clock: Clock) -> None:
        self._gallery = gallery
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._recordings: RecordingApi | None = None
        self.leaked: list[str] = []

    def serve_recordings(self, recordings: RecordingApi) -> None:
        """Serve the archives of recordings too."""
        self._recordings = recordings

    def routes(self) -> list[Route]:
        """The bucket's one route."""
        return [Route(f"/{BUCKET}/{{name:path}}", self._object)]

    def redirect(self, request: Request, name: str) -> RedirectResponse:
        """The answer that sends a client to the object `name`."""
        expires = str(int(self._clock.time()) + LINK_LIFETIME)
        signature = self._signature(name, expires)
        query = urlencode({"AWSAccessKeyId": "SANDBOX", "Expires": expires, "Signature": signature})
        host = request.url.hostname or "localhost"
        other = request.url.replace(hostname=_OTHER_HOST.get(host, host))
        return RedirectResponse(f"{other.scheme}://{other.netloc}/{BUCKET}/{quote(name)}?{query}", 302)

    def expire_links(self) -> None:
        """Refuse every link signed so far."""
        self._key = secrets.token_bytes(16)

    def _signature(self, name: str, expires: str) -> str:
        return hmac.new(self._key, f"{name} {expires}".encode(), hashlib.sha256).hexdigest()

    async def _object(self, request: Request) -> Response:
        name = request.path_params["name"]
        authorization = request.headers.get("authorization")
        if authorization is not None:
            self.leaked.append(authorization)
            return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed.")
        if not self._is_signed(name, request):
            return _refusal(403, "AccessDenied", "Request has expired.")
        found = self._find(name)
        if found is None:
            return _refusal(404, "NoSuchKey", "The specified key does not exist.")
        if isinstance(found, Picture):
            body = await run_in_threadpool(found.body)
            return _answer(request, body, "image/jpeg", found.modified, found.verdict)
        body = await run_in_threadpool(archive, found)
        return _answer(request, body, "application/zip", found[-1][1].modified if found else 0, None)

    def _is_signed(self, name: str, request: Request) -> bool:
        expires = request.query_params.get("Expires", "")
        if not expires.isdigit() or int(expires) < self._clock.time():
            return False
        given = request.query_params.get("Signature", "")
        return hmac.compare_digest(self._signature(name, expires).encode(), given.encode())

    def _find(self, name: str) -> Picture | tuple[tuple[str, Picture], ...] | None:
        if self._recordings is not None and name.startswith("recordings/"):
            images = self._recordings.images(name.removeprefix("recordings/").removesuffix(".zip"))
            return self._pictures(images) if images is not None else None
        try:
            return self._gallery.picture(Image.named(name))
        except ValueError:
            return None

    def _pictures(self, images: Sequence[Image]) -> tuple[tuple[str, Picture], ...]:
        shown = ((image.name, self._gallery.picture(image)) for image in images)
        return tuple((name, picture) for name, picture in shown if picture is not None)


def _refusal(status: int, code: str, message: str) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return Response(body, status, media_type="application/xml")


def _answer(request: Request, body: bytes, media: str, modified: int, verdict: str | None) -> Response:
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Last-Modified": formatdate(modified // 1000, usegmt=True),
    }
    if verdict is not None:
        headers["x-amz-meta-helios"] = verdict
    if etag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    wanted = request.headers.get("range")
    if wanted is None or request.headers.get("if-range", etag) != etag:
        return Response(body, 200, headers, media)
    return _part(body, wanted, headers, media)


def _part(body: bytes, wanted: str, headers: dict[str, str], media: str) -> Response:
    match = _RANGE.fullmatch(wanted)
    if match is None or match.groups() == ("", ""):
        return Response(body, 200, headers, media)
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last), len(body) - 1) if last else len(body) - 1
    else:
        start, end = max(0, len(body) - int(last)), len(body) - 1
    if start > end:
        return Response(None, 416, {**headers, "Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
    return Response(body[start : end + 1], 206, headers, media)
