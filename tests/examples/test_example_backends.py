"""The packages in examples/, as a user of each would have them: installed, served, faulted, called."""

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sessionkit
from sessionkit.errors import AuthenticationError, NoCurrentSession
from sessionkit.testing import ManualClock
from sessionkit_library import Library
from sessionkit_library.sandbox import LibraryService
from sessionkit_tickets import Tickets
from sessionkit_tickets.sandbox import TicketsService
from sessionkit_weather import Weather
from sessionkit_weather.sandbox import WeatherService

EXAMPLES = Path(__file__).parents[2] / "examples"
BACKENDS = [Weather, Library, Tickets]


@pytest.fixture
def manual_clock():
    return ManualClock(time.time())  # token files drop what has expired by the machine's clock


@pytest.fixture
def sandbox_options(manual_clock):
    return {"services": [WeatherService, LibraryService, TicketsService], "clock": manual_clock}


@pytest.fixture(autouse=True)
def environment(sandbox, monkeypatch):
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)


def test_a_key_in_a_header(sandbox):
    with Weather() as weather:
        assert weather.forecast("Oslo", days=2) == [{"day": 0, "sky": "clear"}, {"day": 1, "sky": "cloudy"}]
    with Weather("ann", "a-wrong-key") as weather, pytest.raises(AuthenticationError, match="unknown key"):
        weather.forecast("Oslo")


def test_an_oauth_token_kept_in_a_file(sandbox, manual_clock, tmp_path):
    file = str(tmp_path / "token")

    def titles():
        with Library(token_file=file, clock=manual_clock) as library:
            return [book["title"] for book in library.search("dune")]

    assert titles() == titles() == ["Dune", "Dune Messiah", "Children of Dune"]
    assert len(sandbox.requests(path="/library/oauth/token")) == 1
    manual_clock.advance(3601)
    assert len(titles()) == 3
    sandbox.fault("revoke_tokens", service="library")
    assert len(titles()) == 3
    assert len(sandbox.requests(path="/library/oauth/token")) == 3


def test_a_login_and_a_logout(sandbox):
    with Tickets() as tickets:
        number = tickets.open("the printer is on fire")
        assert tickets.all()[-1] == {"number": number, "title": "the printer is on fire", "by": "ann"}
        assert sandbox.service("tickets").sessions
    assert not sandbox.service("tickets").sessions


def test_faults_come_for_free(sandbox, manual_clock):
    sandbox.fault("throttle", service="weather", retry_after="3", times=2)
    with Weather(clock=manual_clock) as weather:
        assert weather.forecast("Oslo")
    assert manual_clock.slept == [3, 3]


def test_current_sessions_come_for_free():
    with pytest.raises(NoCurrentSession):
        sessionkit.current(Weather)
    with Weather() as weather:
        assert sessionkit.current(Weather) is weather


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_is_a_class_of_under_40_lines(backend):
    source = Path(sys.modules[backend.__module__].__file__).read_text()
    (found,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    assert found.end_lineno - found.lineno + 1 < 40


def test_installed_they_are_found_by_their_entry_points(tmp_path):
    folders = [str(EXAMPLES / name) for name in ("weather", "library", "tickets")]
    copies = tmp_path / "copies"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    for folder in folders:
        subprocess.run(["cp", "-r", folder, str(copies) + Path(folder).name], check=True)
        subprocess.run(
            [*install, "--target", str(tmp_path / "site"), str(copies) + Path(folder).name],
            check=True,
            capture_output=True,
        )
    code = (
        "import json; from sessionkit import backends; "
        "print(json.dumps({n: backends.load(n).__name__ for n in ('weather', 'library', 'tickets')}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"weather": "Weather", "library": "Library", "tickets": "Tickets"}
