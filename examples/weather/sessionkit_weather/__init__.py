"""A backend whose service wants a key in a header.

with Weather("ann", "the-key") as weather:
    weather.forecast("Oslo")
"""

from __future__ import annotations

import os
from typing import Any

from sessionkit import HeaderAuth, HttpEngine, Secret


class Weather(HttpEngine):
    """A session with the weather service.

    Args:
        user: Whose key it is; $WEATHER_USER when not given.
        key: The key; $WEATHER_KEY when not given.
        base_url: Where the service is; $WEATHER_URL when not given.
        options: See `HttpEngine`.
    """

    __metakey__ = "weather"
    base_url = "https://api.weather.test/v1"

    def __init__(
        self, user: str | None = None, key: str | None = None, base_url: str | None = None, **options: Any
    ) -> None:
        user = user or os.environ.get("WEATHER_USER", "")
        secret = Secret(key or os.environ.get("WEATHER_KEY", ""))
        auth = HeaderAuth({"X-Weather-User": user, "X-Weather-Key": secret})
        super().__init__(base_url or os.environ.get("WEATHER_URL"), auth=auth, principal=user, **options)

    def forecast(self, city: str, days: int = 1) -> Any:
        """The sky over `city` for so many days: a list of mappings with `day` and `sky`."""
        return self.get(f"/forecast/{city}", {"days": days}, field="forecast", kind=list)
