import pytest

from sessionkit.errors import AuthenticationError, ServerError
from sessionkit_weather import Weather
from sessionkit_weather.sandbox import WeatherService


@pytest.fixture
def sandbox_options(manual_clock):
    return {"services": [WeatherService], "clock": manual_clock}


@pytest.fixture
def weather(sandbox, manual_clock):
    user, key = sandbox.env["WEATHER_USER"], sandbox.env["WEATHER_KEY"]
    with Weather(user, key, sandbox.env["WEATHER_URL"], clock=manual_clock) as session:
        yield session


def test_a_forecast_has_so_many_days(weather):
    assert [each["day"] for each in weather.forecast("Oslo", days=3)] == [0, 1, 2]


def test_a_wrong_key_is_said_to_be_one(sandbox):
    with (
        Weather("ann", "wrong", sandbox.env["WEATHER_URL"]) as weather,
        pytest.raises(AuthenticationError, match="unknown key"),
    ):
        weather.forecast("Oslo")


def test_it_waits_as_it_is_asked_to(weather, sandbox, manual_clock):
    sandbox.fault("throttle", retry_after="30")
    assert weather.forecast("Oslo")
    assert manual_clock.slept == [30]


def test_it_gives_up_when_the_service_stays_broken(weather, sandbox):
    sandbox.fault("status", status=500, times=None)
    with pytest.raises(ServerError) as caught:
        weather.forecast("Oslo")
    assert len(caught.value.attempts) == 4
