import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

SERVE = """
import sys
sys.path.insert(0, {folder!r})
from weather import WeatherService
from sessionkit.sandbox import host, sandbox_main
host.installed_services = lambda: [WeatherService]
sandbox_main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_one_line_serves_and_ends_on_a_signal(number):
    script = SERVE.format(folder=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            told = json.loads(process.stdout.readline())
            with urllib.request.urlopen(f"{told['url']}/weather/Berlin", timeout=5) as answer:
                assert json.load(answer)["sky"] == "clear"
            process.send_signal(number)
            assert process.wait(10) == 0
        finally:
            process.kill()
    assert told["env"]["WEATHER_URL"] == f"{told['url']}/weather"
