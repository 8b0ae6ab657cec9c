"""The conformance kit finds each broken backend, by the test that is named for the promise."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / "examples" / name for name in ("weather", "library", "tickets")]

KIT = """
import sessionkit.testing.conformance as kit
from sessionkit.testing.conformance import BackendConformance
from sessionkit_tickets import Tickets
from sessionkit_tickets.sandbox import TicketsService
from sessionkit_weather import Weather
from sessionkit_weather.sandbox import WeatherService


class OnWeather(BackendConformance):
    service = WeatherService
    secrets = ("WEATHER_KEY",)

    def arguments(self, sandbox, folder):
        env = sandbox.env
        return {"user": env["WEATHER_USER"], "key": env["WEATHER_KEY"], "base_url": env["WEATHER_URL"]}

    def call(self, session):
        return session.forecast("Oslo")


class OnTickets(BackendConformance):
    service = TicketsService
    secrets = ("TICKETS_PASSWORD",)
    sign_in = sign_out = "/tickets/api/session"

    def arguments(self, sandbox, folder):
        env = sandbox.env
        user, password = env["TICKETS_USER"], env["TICKETS_PASSWORD"]
        return {"user": user, "password": password, "base_url": env["TICKETS_URL"]}

    def call(self, session):
        return session.all()


kit.SECONDS = 0.5
"""

BROKEN = {
    "a_fault_is_a_typed_error[body-plain-]": (
        "OnWeather",
        """
class Broken(Weather):
    def forecast(self, city):
        return self.get(f"/forecast/{city}")["forecast"]
""",
    ),
    "odd_json_is_a_typed_error_at_most[[]]": (
        "OnWeather",
        """
class Broken(Weather):
    def forecast(self, city):
        return self.get(f"/forecast/{city}")["forecast"][0]["sky"]
""",
    ),
    "nothing_says_a_secret": (
        "OnWeather",
        """
class Broken(Weather):
    def __init__(self, user, key, base_url, **options):
        self.key = key
        super().__init__(user, key, base_url, **options)
    def __repr__(self):
        return f"<Weather {self.key}>"
""",
    ),
    "a_pickle_carries_no_secret": (
        "OnWeather",
        """
class Broken(Weather):
    def __init__(self, user, key, base_url, **options):
        self.key = key
        super().__init__(user, key, base_url, **options)
    def __reduce__(self):
        return Weather, (self.principal, self.key)
""",
    ),
    "it_waits_as_it_is_asked_to": (
        "OnWeather",
        """
class Broken(Weather):
    def again_or(self, error, call, attempts):
        from sessionkit import Failed
        return Failed(error)
""",
    ),
    "a_deadline_is_kept": (
        "OnWeather",
        """
class Broken(Weather):
    def forecast(self, city):
        return self.get(f"/forecast/{city}", timeout=0.8, field="forecast")
""",
    ),
    "a_forked_child_and_its_parent_go_on": (
        "OnTickets",
        """
class Broken(Tickets):
    owns_credential = True
""",
    ),
    "a_closed_session_has_signed_out_and_left_no_socket": (
        "OnWeather",
        """
class Broken(Weather):
    def on_close(self):
        pass
""",
    ),
}


def test_broken_promises_are_found(tmp_path):
    code, wanted = KIT, []
    for number, (promise, (base, broken)) in enumerate(BROKEN.items()):
        code += f"\n{broken}\n\nclass Test{number}({base}):\n    backend = Broken\n"
        wanted.append(f"test_broken.py::Test{number}::test_{promise}")
    (tmp_path / "test_broken.py").write_text(code)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *EXAMPLES]))}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-q", "-p", "no:cacheprovider", "-p", "sessionkit.testing.plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), *wanted],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    failed = {
        line.split(" - ")[0].removeprefix("FAILED ") for line in done.stdout.splitlines() if "FAILED " in line
    }
    assert failed == set(wanted), done.stdout
