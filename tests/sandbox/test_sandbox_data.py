import json
import urllib.request

import pytest
from weather import WeatherService

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import Sandbox


def skies(**options):
    with Sandbox(services=[WeatherService], **options) as box:
        return dict(box.db.execute("SELECT city, sky FROM weather_sky").fetchall())


def test_demo_data_is_there_first():
    assert skies() == {"Berlin": "clear"}


def test_data_goes_over_the_demo_data(tmp_path):
    (tmp_path / "more.yaml").write_text("weather: {skies: {Rome: rain}}")
    assert skies(data=[tmp_path / "more.yaml"]) == {"Berlin": "clear", "Rome": "rain"}


def test_data_replaces_the_demo_data():
    assert skies(data=[{"replace": True, "weather": {"skies": {"Rome": "rain"}}}]) == {"Rome": "rain"}


def test_replacing_with_nothing_leaves_nothing():
    assert skies(data=[{"replace": True}]) == {}


def test_a_database_file_keeps_what_was_changed(tmp_path):
    with Sandbox(services=[WeatherService], db=tmp_path / "box.db") as box, box.db:
        box.db.execute("UPDATE weather_sky SET sky = 'fog'")
    assert skies(db=tmp_path / "box.db") == {"Berlin": "fog"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a list", "mapping of service names"),
        ("traffic: {}", "no service 'traffic'"),
        ("weather: 3", "is a mapping"),
        ("replace: maybe", "true or false"),
        ("weather: {wind: 3}", "no 'wind'"),
        ("{", "not YAML"),
    ],
)
def test_wrong_data_is_a_clear_error(tmp_path, text, message):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        skies(data=[tmp_path / "data.yaml"])


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot read"):
        skies(data=[tmp_path / "none.yaml"])


def test_a_database_that_is_none_is_a_clear_error(tmp_path):
    (tmp_path / "box.db").write_text("this is no database, whatever its name says " * 50)
    with pytest.raises(ConfigurationError, match="database"):
        skies(db=tmp_path / "box.db")


def test_relative_names_start_from_the_data_files_folder(tmp_path):
    (tmp_path / "data.yaml").write_text("weather: {skies: {}}")
    with Sandbox(services=[WeatherService], data=[tmp_path / "data.yaml"]) as box:
        assert box.data_folder == tmp_path


def test_the_plugins_sandbox_is_running(sandbox):
    with urllib.request.urlopen(f"{sandbox.url}/_sandbox/", timeout=5) as answer:
        assert json.load(answer)["url"] == sandbox.url
