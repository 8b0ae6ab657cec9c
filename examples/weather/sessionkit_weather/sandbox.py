"""The weather service's double: `sessionkit sandbox` serves it where this package is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit.sandbox import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

SKIES = ("clear", "cloudy", "rain", "snow")


class WeatherService(Service):
    """Answers for the weather service; knows one user."""

    name = "weather"

    def setup(self) -> None:
        """Nobody has a key yet."""
        self.keys: dict[str, str] = {}

    def demo(self) -> Mapping[str, Any]:
        """One user."""
        return {"users": {"ann": "weather-demo-key"}}

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:
        """Store `users`: names and keys."""
        self.keys = {**({} if replace else self.keys), **data.get("users", {})}

    def env(self) -> Mapping[str, str]:
        """Where the service is, and a key for it."""
        user, key = next(iter(self.keys.items()))
        return {"WEATHER_URL": f"{self.host.url}/weather/v1", "WEATHER_USER": user, "WEATHER_KEY": key}

    def routes(self) -> list[Route]:
        """The service's one route."""
        return [Route("/weather/v1/forecast/{city}", self.forecast)]

    async def forecast(self, request: Request) -> Response:
        """Sky by day, for those who have a key."""
        user, key = request.headers.get("x-weather-user", ""), request.headers.get("x-weather-key")
        if self.keys.get(user) != key:
            return JSONResponse({"message": "unknown key"}, 401)
        days = int(request.query_params.get("days", "1"))
        city = request.path_params["city"]
        forecast = [{"day": day, "sky": SKIES[(len(city) + day) % len(SKIES)]} for day in range(days)]
        return JSONResponse({"city": city, "forecast": forecast})
