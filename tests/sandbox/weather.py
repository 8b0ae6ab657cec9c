"""A service double of a few lines, and a plain client, for the tests of the host."""

import http.client
from contextlib import contextmanager
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import Service


class WeatherService(Service):
    name = "weather"

    def setup(self):
        self.host.db.execute("CREATE TABLE IF NOT EXISTS weather_sky (city TEXT PRIMARY KEY, sky TEXT)")
        self.started = self.stopped = False
        self.storms = []

    def demo(self):
        return {"skies": {"Berlin": "clear"}}

    def load(self, data, *, replace):
        unknown = set(data) - {"skies"}
        if unknown:
            raise ConfigurationError(f"weather has no {unknown.pop()!r}")
        with self.host.db as db:
            if replace:
                db.execute("DELETE FROM weather_sky")
            db.executemany("INSERT OR REPLACE INTO weather_sky VALUES (?, ?)", data.get("skies", {}).items())

    def env(self):
        return {"WEATHER_URL": f"{self.host.url}/weather"}

    def fault(self, kind, options):
        if kind == "storm":
            self.storms.append(dict(options))
        return kind == "storm"

    async def start(self):
        self.started = True

    async def stop(self):
        self.stopped = True

    def routes(self):
        return [
            Route("/weather/echo", self.echo, methods=["POST", "GET"]),
            Route("/weather/broken", self.broken),
            Route("/weather/refused", self.refused),
            Route("/weather/stream", self.stream),
            Route("/weather/{city}", self.sky),
            WebSocketRoute("/weather-live", self.live),
        ]

    async def sky(self, request):
        row = self.host.db.execute(
            "SELECT sky FROM weather_sky WHERE city = ?", [request.path_params["city"]]
        ).fetchone()
        if row is None:
            return JSONResponse({"error": "no such city"}, 404)
        return JSONResponse({"city": request.path_params["city"], "sky": row["sky"]})

    async def echo(self, request):
        return JSONResponse({"body": (await request.body()).decode()})

    async def broken(self, request):
        raise ZeroDivisionError("the service's own mistake")

    async def refused(self, request):
        raise HTTPException(403, "not today")

    async def stream(self, request):
        async def pieces():
            for _ in range(10):
                yield b"x" * 100

        return StreamingResponse(pieces())

    async def live(self, socket):
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())


@contextmanager
def connection(sandbox, timeout=5):
    opened = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=timeout)
    try:
        yield opened
    finally:
        opened.close()
