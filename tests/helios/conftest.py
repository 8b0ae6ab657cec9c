import json
import os
import subprocess
from pathlib import Path

import pytest
import requests

from sessionkit_helios.sandbox import HeliosService, demo, times

HOUR = 3_600_000
ROOT = Path(__file__).parents[2]


@pytest.fixture
def sandbox_options(manual_clock):
    return {"services": [HeliosService], "clock": manual_clock}


@pytest.fixture
def service(sandbox):
    return sandbox.service("helios")


@pytest.fixture
def http():
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def get_token(sandbox, http):
    def get_token(client="demo-client", secret="demo-secret"):
        answer = http.post(
            f"{sandbox.url}/v1/oauth/token", auth=(client, secret), data={"grant_type": "client_credentials"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    return get_token


@pytest.fixture
def api(sandbox, http, get_token):
    """Ask the service with a good token: `api("GET", "/cameras", q="snow")` -> the response."""
    token = get_token()

    def api(method, path, *, json=None, data=None, headers=None, allow_redirects=True, **params):
        return http.request(
            method,
            f"{sandbox.url}/v1{path}",
            params=params,
            json=json,
            data=data,
            headers={"Authorization": f"Bearer {token}", **(headers or {})},
            allow_redirects=allow_redirects,
        )

    return api


@pytest.fixture
def get(api):
    """Ask with GET and expect an answer: `get("/cameras", limit=3)` -> decoded JSON."""

    def get(path, **params):
        answer = api("GET", path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
def now(manual_clock):
    """The sandbox's present in milliseconds since the epoch."""
    return int(manual_clock.time() * 1000)


@pytest.fixture
def hours_ago(now):
    return lambda hours: times.iso(now - int(hours * HOUR))


@pytest.fixture
def afton(get):
    """The camera on Afton Mountain, where it snows."""
    (camera,) = get("/cameras", q="afton mountain")["features"]
    return camera["id"]


@pytest.fixture(scope="session")
def vendor_python():
    made = subprocess.run(
        [ROOT / ".ci/env", "helios"], check=True, capture_output=True, text=True, timeout=110
    )
    return made.stdout.strip()


@pytest.fixture
def inventory(sandbox, vendor_python, tmp_path, now):
    """What the vendor's client found."""
    data = demo.data(now)
    (camera,) = [each["id"] for each in data["cameras"] if "Afton" in each["properties"]["description"]]
    latest = [each["id"] for each in data["observations"] if each["properties"]["camera_id"] == camera][-1]
    arguments = [camera, latest, times.iso(now - 2 * HOUR), times.iso(now)]
    done = subprocess.run(
        [vendor_python, Path(__file__).with_name("vendor_inventory.py"), *arguments],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": os.defpath, **sandbox.env},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
