"""A service of files whose content follows from their name: `a-50000.bin` has 50,000 bytes."""

import hashlib
import random
from functools import cache

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sessionkit.http import HttpEngine
from sessionkit.sandbox.service import Service


@cache
def content(name):
    return random.Random(name).randbytes(int(name.split("-")[1].split(".")[0]))


def md5(body):
    return hashlib.md5(body).hexdigest()


class FilesService(Service):
    name = "files"

    def __init__(self, host):
        super().__init__(host)
        self.changed = {}  # name -> other content than its own
        self.headers = {}  # name -> headers in place of the usual
        self.rest_headers = {}  # name -> headers in place of the usual where only the rest is sent
        self.newest = []  # names, the next to be shown first
        self.stored = {}
        self.ranges = True
        self.under_way = self.most_under_way = 0

    def routes(self):
        return [
            Route("/files/{name}", self.get),
            Route("/files/{name}", self.put, methods=["PUT"]),
            Route("/named/{name}", self.named),
            Route("/latest", self.latest),
        ]

    async def get(self, request):
        name = request.path_params["name"]
        if name.startswith("missing"):
            return Response("no such file", 404)
        body = self.changed.get(name, None) or content(name)
        headers = {"ETag": f'"{md5(body)}"', "X-Name": name, **self.headers.get(name, {})}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, 304, headers)
        wanted = request.headers.get("range")
        if not self.ranges or wanted is None or request.headers.get("if-range") != headers["ETag"]:
            return Response(body, 200, headers)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return Response(None, 416, {"Content-Range": f"bytes */{len(body)}"})
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return Response(body[start:], 206, {**headers, **self.rest_headers.get(name, {})})

    async def put(self, request):
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            body = await request.body()
        finally:
            self.under_way -= 1
        name = request.path_params["name"]
        self.stored[name] = body
        return Response(None, 200, {"ETag": f'"{md5(body)}"', **self.headers.get(name, {})})

    async def named(self, request):
        return RedirectResponse(f"/files/{request.path_params['name']}?signed", 302)

    async def latest(self, _):
        return RedirectResponse(f"/files/{self.newest.pop(0)}", 302)


class Files(HttpEngine):
    """The session of that service."""

    __metakey__ = "test-files"
