import json
import socket
import threading
import time

import pytest
from weather import WeatherService

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import Sandbox, Service
from sessionkit.testing import ManualClock


def test_a_service_answers_at_its_own_paths(ask):
    assert json.loads(ask("GET", "/weather/Berlin")[2]) == {"city": "Berlin", "sky": "clear"}


def test_what_no_service_knows_is_a_404_that_names_the_services(ask):
    status, _, body = ask("GET", "/nowhere")
    assert status == 404
    assert json.loads(body)["services"] == ["events", "weather"]


def test_a_wrong_method_is_a_405(ask):
    assert ask("DELETE", "/weather/Berlin")[0] == 405


def test_an_http_exception_of_a_service_is_its_answer(ask):
    assert ask("GET", "/weather/refused")[0] == 403


def test_a_failing_service_is_a_500_with_its_traceback_in_the_journal(caplog):
    with Sandbox(services=[WeatherService]) as box, socket.create_connection(_address(box), 5) as raw:
        raw.sendall(b"GET /weather/broken HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(65_536).startswith(b"HTTP/1.1 500 ")
        (entry,) = box.requests()
    assert "ZeroDivisionError" in entry.error
    assert entry.status == 500


def test_health_names_services_and_environment(ask, sandbox):
    health = json.loads(ask("GET", "/_sandbox/")[2])
    assert health["services"] == ["weather", "events"]
    assert health["env"] == sandbox.env
    assert sandbox.env["WEATHER_URL"] == f"{sandbox.url}/weather"


def test_absolute_form_targets_reach_their_path(ask, sandbox):
    assert ask("GET", f"{sandbox.url}/weather/Berlin")[0] == 200


def test_a_get_may_carry_a_body(ask):
    assert json.loads(ask("GET", "/weather/echo", body=b"{}")[2]) == {"body": "{}"}


def test_headers_and_body_may_come_apart(sandbox):
    with socket.create_connection(_address(sandbox), 5) as raw:
        raw.sendall(b"POST /weather/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.02)
        raw.sendall(b"hi")
        assert b'"hi"' in _read_answer(raw)


def test_one_connection_serves_many_requests(client, ask):
    ask("GET", "/weather/Berlin")
    first = client.sock
    ask("GET", "/weather/Berlin")
    assert client.sock is first


def test_an_idle_connection_is_kept_for_a_month(sandbox):
    assert sandbox.server.config.timeout_keep_alive >= 30 * 24 * 3600


def test_websockets_are_served(sandbox):
    from websockets.sync.client import connect

    with connect(sandbox.url.replace("http", "ws") + "/weather-live") as live:
        live.send("rain")
        assert live.recv(timeout=5) == "RAIN"


def test_a_websocket_without_a_route_is_refused(sandbox):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    with pytest.raises(InvalidStatus), connect(sandbox.url.replace("http", "ws") + "/nowhere"):
        pass


def test_background_work_starts_and_ends_with_the_server():
    box = Sandbox(services=[WeatherService])
    with box:
        service = box.service("weather")
        assert service.started
        assert not service.stopped
    assert service.stopped


def test_stopping_leaves_no_thread_and_frees_the_port():
    before = threading.active_count()
    with Sandbox(services=[WeatherService]) as box:
        idle = socket.create_connection(_address(box), 5)
        port = _address(box)[1]
    with idle:
        assert idle.recv(10) == b""
    assert threading.active_count() == before
    with Sandbox(port=port, services=[WeatherService]) as box:
        assert _address(box)[1] == port


def test_stopping_does_not_wait_for_a_request_in_progress():
    with Sandbox(services=[WeatherService]) as box:
        box.fault("silent")
        waiting = socket.create_connection(_address(box), 5)
        waiting.sendall(b"GET /weather/Berlin HTTP/1.1\r\nHost: x\r\n\r\n")
        while not box.requests():
            pass
    with waiting:
        assert waiting.recv(10) == b""


def test_a_taken_port_is_a_clear_error(sandbox):
    with pytest.raises(ConfigurationError, match="cannot listen"):
        Sandbox(port=_address(sandbox)[1], services=[WeatherService]).start()


def test_a_sandbox_starts_once():
    with Sandbox(services=[WeatherService]) as box, pytest.raises(ConfigurationError, match="already"):
        box.start()


def test_a_bad_certificate_is_a_clear_error(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    files = (str(tmp_path / "cert.pem"), str(tmp_path / "cert.pem"))
    with pytest.raises(ConfigurationError, match="did not start"):
        Sandbox(services=[WeatherService], tls=files).start()


def test_https_with_a_certificate(tmp_path):
    import ssl
    import urllib.request

    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with Sandbox(services=[WeatherService], tls=(str(tmp_path / "both.pem"),) * 2) as box:
        assert box.url.startswith("https://")
        with urllib.request.urlopen(f"{box.url}/weather/Berlin", context=context, timeout=5) as answer:
            assert json.load(answer)["sky"] == "clear"


def test_time_is_the_sandboxs_own():
    clock = ManualClock(now=1000.0)
    with (
        Sandbox(services=[WeatherService], clock=clock) as box,
        socket.create_connection(_address(box), 5) as raw,
    ):
        raw.sendall(b"GET /weather/Berlin HTTP/1.1\r\nHost: x\r\n\r\n")
        _read_answer(raw)
        assert box.requests()[0].at == 1000.0


def test_asking_a_stopped_sandbox_is_a_clear_error():
    box = Sandbox(services=[WeatherService])
    with pytest.raises(ConfigurationError, match="not running"):
        box.requests()


def test_a_service_that_cannot_start_closes_everything():
    class Hopeless(Service):
        name = "hopeless"

        def routes(self):
            return []

        async def start(self):
            raise RuntimeError("no power")

    with pytest.raises(ConfigurationError, match="no power"):
        Sandbox(services=[Hopeless]).start()


def _address(box):
    host, port = box.url.rsplit("/", 1)[1].split(":")
    return host, int(port)


def _read_answer(raw):
    data = b""
    while b"}" not in data:
        data += raw.recv(65_536)
    return data


def test_events_that_a_service_publishes_reach_a_hub(sandbox):
    from sessionkit.events import EventHub

    hub = EventHub(sandbox.url, "ann", "key")
    hub.connect()
    try:
        got = []
        hub.subscribe("topic=weather.*", got.append)
        hub.wait(0.05)
        sandbox.publish({"topic": "weather.storm", "data": {"city": "Rome"}})
        deadline = time.monotonic() + 5
        while not got and time.monotonic() < deadline:
            hub.wait(0.05)
        assert got[0]["data"] == {"city": "Rome"}
        sandbox.fault("event_drop")
    finally:
        hub.disconnect()


def test_the_event_server_takes_no_data_and_knows_its_options():
    with pytest.raises(ConfigurationError, match="takes no data"):
        Sandbox(services=[WeatherService], data=[{"events": {"x": 1}}]).start()
