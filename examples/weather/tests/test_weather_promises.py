from sessionkit.testing.conformance import BackendConformance
from sessionkit_weather import Weather
from sessionkit_weather.sandbox import WeatherService


class TestPromises(BackendConformance):
    backend = Weather
    service = WeatherService
    secrets = ("WEATHER_KEY",)

    def arguments(self, sandbox, folder):
        env = sandbox.env
        return {"user": env["WEATHER_USER"], "key": env["WEATHER_KEY"], "base_url": env["WEATHER_URL"]}

    def call(self, session):
        return session.forecast("Oslo")
