"""The service's file routes: `/component/get|thumbnail|remove` and the signed `/component/upload`."""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sessionkit_review.sandbox.errors import ApiError, forbidden, invalid, missing
from sessionkit_review.sandbox.pictures import thumbnail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from sessionkit_review.sandbox.access import Access
    from sessionkit_review.sandbox.files import Files, StoredFile

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})$")
DEFAULT_SIZE = 300
"""Pixels of a thumbnail's longer side when the caller names none."""


class Components:
    """Serves and takes the contents of components."""

    def __init__(self, files: Files, access: Access) -> None:
        self.files = files
        self.access = access

    def routes(self) -> Sequence[BaseRoute]:
        """The routes, each with errors turned into answers."""
        return [
            Route("/component/get", _answering(self.get), methods=["GET"]),
            Route("/component/thumbnail", _answering(self.thumbnail), methods=["GET"]),
            Route("/component/remove", _answering(self.remove), methods=["GET"]),
            Route("/component/upload", _answering(self.upload), methods=["PUT"]),
        ]

    async def get(self, request: Request) -> Response:
        """Send a content, or the range of it that was asked for."""
        component_id, stored = self._asked(request, "get")
        kind = mimetypes.guess_type(stored.name)[0] or "application/octet-stream"
        headers = {
            "content-type": kind,
            "accept-ranges": "bytes",
            "etag": f'"{stored.md5}"',
            "content-disposition": f"attachment; filename*=UTF-8''{quote(stored.name or component_id)}",
        }
        start, stop = _range(request.headers, stored.size)
        status = 200 if (start, stop) == (0, stored.size) else 206
        if start >= stop and stored.size:
            return Response(status_code=416, headers={"content-range": f"bytes */{stored.size}"})
        if status == 206:
            headers["content-range"] = f"bytes {start}-{stop - 1}/{stored.size}"
        headers["content-length"] = str(stop - start)
        return StreamingResponse(_paced(self.files.pieces(component_id, start, stop)), status, headers)

    async def thumbnail(self, request: Request) -> Response:
        """Send a picture of the content, at most `size` pixels wide and high."""
        component_id, _ = self._asked(request, "thumbnail")
        size = request.query_params.get("size", "")
        wanted = min(int(size), 4096) if size.isdecimal() and int(size) else DEFAULT_SIZE
        data = self.files.read(component_id)
        picture = await asyncio.to_thread(thumbnail, data, wanted)
        return Response(picture.data, media_type=picture.media_type)

    async def remove(self, request: Request) -> Response:
        """Delete a content."""
        user = self.access.sign_in(request.headers, request.query_params)
        user.check("delete", "Component")
        component_id = request.query_params.get("id", "")
        if self.files.get(component_id) is None:
            raise missing(f"There is no file of component {component_id!r}.")
        self.files.discard(component_id)
        return JSONResponse({"removed": component_id})

    async def upload(self, request: Request) -> Response:
        """Take a content, or one part of it; the answer's ETag names what arrived."""
        query = request.query_params
        if not self.access.is_signed("upload", query):
            raise forbidden("This upload URL was not signed here, or has expired.")
        owner, name = query["id"], query.get("name", "")
        if "upload" in query and self.files.upload(query["upload"]) is None:
            raise missing("This upload has ended.")
        target, part = query.get("upload", owner), int(query.get("part", "0"))
        try:
            stored = await self.files.receive(target, part, name, request.stream(), _md5(request.headers))
        except ClientDisconnect:
            return Response(status_code=400)
        return Response(headers={"etag": f'"{stored.md5}"'})

    def _asked(self, request: Request, path: str) -> tuple[str, StoredFile]:
        """The component that a request is about, once it may be read."""
        if not self.access.is_signed(path, request.query_params):
            self.access.sign_in(request.headers, request.query_params)
        component_id = request.query_params.get("id", "")
        stored = self.files.get(component_id)
        if stored is None:
            raise missing(f"There is no file of component {component_id!r}.")
        return component_id, stored


def _answering(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            return JSONResponse(error.as_json(), error.status)

    return answer


def _md5(headers: Mapping[str, str]) -> str:
    """The MD5 that the sender tells, in hexadecimal; "" for none."""
    try:
        return base64.b64decode(headers.get("content-md5", ""), validate=True).hex()
    except ValueError:
        raise invalid("Content-MD5 is not base64.") from None


def _range(headers: Mapping[str, str], size: int) -> tuple[int, int]:
    """The bytes asked for, (0, size) for all; what cannot be understood asks for all."""
    match = _RANGE.match(headers.get("range", ""))
    if not match or match[1] == match[2] == "":
        return 0, size
    if not match[1]:
        return max(size - int(match[2]), 0), size
    start, stop = int(match[1]), int(match[2]) + 1 if match[2] else size
    nonsense = match[2] and start >= stop
    return (0, size) if nonsense else (start, min(stop, size))


async def _paced(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces one by one: the event loop serves others between them."""
    for piece in pieces:
        yield piece
