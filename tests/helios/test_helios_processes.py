"""Many processes, one account: one token between them, and the same answers as the vendor's client."""

import subprocess
import sys
from pathlib import Path

import pytest
from redis_kit import real_redis

from sessionkit_helios import Alerts, Cameras, Collections, HeliosSession, Observations

WORKER = Path(__file__).with_name("helios_worker.py")


@pytest.fixture
def run_together(sandbox, tmp_path):
    """Let processes begin at the same moment, and give what each found."""

    def run_together(count, base_dir):
        command = [sys.executable, WORKER, str(count), base_dir, f"{sandbox.url}/v1"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return [int(line) for line in done.stdout.split()]

    return run_together


def test_twenty_processes_without_a_token_file_ask_for_one_token(sandbox, service, run_together, tmp_path):
    sandbox.fault("latency", path="/v1/oauth/token", seconds=0.3)
    assert run_together(20, tmp_path) == [36] * 20
    assert service.tokens.requests == {"demo-client": 1}
    assert (tmp_path / ".helios_token").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [b"", b'{"name": "Authorization"', b'{"version": 1, "tokens": {"x": 3}}', b'{"another": "program"}'],
)
def test_a_damaged_token_file_costs_one_token(service, run_together, tmp_path, content):
    (tmp_path / ".helios_token").write_bytes(content)
    assert run_together(6, tmp_path) == [36] * 6
    assert service.tokens.requests == {"demo-client": 1}


def test_a_token_file_that_may_only_be_read_is_replaced(service, run_together, tmp_path):
    file = tmp_path / ".helios_token"
    file.write_bytes(b"{}")
    file.chmod(0o400)
    assert run_together(6, tmp_path) == [36] * 6
    assert service.tokens.requests == {"demo-client": 1}
    assert file.stat().st_mode & 0o777 == 0o600


MACHINE = """
import sys
from sessionkit.tokens import RedisTokenStore
from sessionkit_helios import Cameras, HeliosSession

home, url, redis_url = sys.argv[1:]
store = RedisTokenStore(redis_url)
with HeliosSession("demo-client", "demo-secret", url, home, token_store=store, proxies=False):
    print(Cameras().index().total)
"""


@pytest.fixture
def redis_url():
    with real_redis() as server:
        yield server.socket_url


def test_machines_that_share_a_redis_ask_for_one_token(sandbox, service, redis_url, tmp_path):
    sandbox.fault("latency", path="/v1/oauth/token", seconds=0.3)
    machines = [
        subprocess.Popen(
            [sys.executable, "-c", MACHINE, tmp_path / name, f"{sandbox.url}/v1", redis_url],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two", "three")
    ]
    assert [machine.communicate(timeout=60)[0] for machine in machines] == ["36\n"] * 3
    assert service.tokens.requests == {"demo-client": 1}
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_for_the_file_every_process_works_for_itself(service, run_together, tmp_path):
    (tmp_path / "file").touch()
    assert run_together(2, tmp_path / "file" / "below") == [36] * 2
    assert service.tokens.requests == {"demo-client": 2}


def test_our_results_are_the_vendors(inventory, sandbox, tmp_path, afton, hours_ago):
    with HeliosSession.detached("demo-client", "demo-secret", f"{sandbox.url}/v1", tmp_path) as session:
        cameras, collections = Cameras(session), Collections(session)
        assert Alerts(session).index().id == inventory["alerts"]
        assert sorted(cameras.index(state="Virginia").id) == inventory["cameras"]
        assert sorted(cameras.index(bbox=[-78, 37, -77, 38]).id) == inventory["cameras_bbox"]
        assert sorted(cameras.index(q="Afton Mountain").id) == inventory["cameras_text"]
        assert len(cameras.index(limit=7)) == inventory["cameras_all"]
        assert cameras.images(afton, hours_ago(2), hours_ago(0)) == inventory["times"]
        shown = cameras.show_image(afton, inventory["times"][:4])
        assert sorted(shown.image_names) == inventory["show_image"]["names"]
        observations = Observations(session).index(
            state="Virginia",
            sensors={"road_weather": {"min": 6}},
            time_min=hours_ago(2),
            time_max=hours_ago(0),
        )
        assert sorted(observations.id) == inventory["observations"]
        readings = observations.readings()
        assert sorted(readings) == inventory["sensors"]
        assert sorted({reading.data for reading in readings["road_weather"]}) == inventory["sensor_values"]
        assert sorted(collections.index().name) == inventory["collections_after"]
        (made,) = collections.index(q="renamed")
        assert collections.images(made.id) == inventory["collection_images"]
