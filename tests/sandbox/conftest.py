import pytest
from weather import WeatherService, connection


@pytest.fixture
def sandbox_options(manual_clock):
    return {"services": [WeatherService], "clock": manual_clock}


@pytest.fixture
def client(sandbox):
    """One keep-alive connection to the sandbox."""
    with connection(sandbox) as opened:
        yield opened


@pytest.fixture
def ask(client):
    """Send a request and read its answer whole: (status, headers, body)."""

    def ask(method, path, body=None, headers=None):
        client.request(method, path, body, headers or {})
        with client.getresponse() as response:
            return response.status, response.headers, response.read()

    return ask
