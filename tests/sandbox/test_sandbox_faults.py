import http.client
import json
import socket
import time

import pytest
from weather import WeatherService, connection

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import Sandbox

CITY = "/weather/Berlin"


def test_a_fault_is_used_up_after_its_times(ask, sandbox):
    sandbox.fault("status", status=503, times=2)
    assert [ask("GET", CITY)[0] for _ in range(3)] == [503, 503, 200]


def test_a_fault_without_an_end_stays_until_cleared(ask, sandbox):
    sandbox.fault("status", status=503, times=None)
    assert {ask("GET", CITY)[0] for _ in range(5)} == {503}
    sandbox.clear()
    assert ask("GET", CITY)[0] == 200


def test_a_fault_can_spare_the_first_requests(ask, sandbox):
    sandbox.fault("status", status=503, after=2)
    assert [ask("GET", CITY)[0] for _ in range(4)] == [200, 200, 503, 200]


def test_faults_are_matched_by_path_method_and_service(ask, sandbox):
    sandbox.fault("status", status=500, path="/weather/R*", times=None)
    sandbox.fault("status", status=501, method="post", times=None)
    sandbox.fault("status", status=502, service="weather", path="/weather/echo", times=None)
    assert ask("GET", CITY)[0] == 200
    assert ask("GET", "/weather/Rome")[0] == 500
    assert ask("POST", "/weather/echo", b"x")[0] == 501
    assert ask("GET", "/weather/echo")[0] == 502


def test_latency_adds_to_another_fault(ask, sandbox):
    sandbox.fault("status", status=503)
    sandbox.fault("latency", seconds=0.05)
    begin = time.monotonic()
    assert ask("GET", CITY)[0] == 503
    assert time.monotonic() - begin >= 0.05
    assert sandbox.requests()[0].faults == ["latency", "status"]


@pytest.mark.parametrize("text", ["1", "1.5", "-3", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "99999999999"])
def test_throttling_says_any_retry_after(ask, sandbox, text):
    sandbox.fault("throttle", retry_after=text)
    status, headers, _ = ask("GET", CITY)
    assert (status, headers["Retry-After"]) == (429, text)


def test_throttling_may_say_nothing(ask, sandbox):
    sandbox.fault("throttle", retry_after=None)
    assert ask("GET", CITY)[1]["Retry-After"] is None


def test_a_gateways_page_instead_of_an_answer(ask, sandbox):
    sandbox.fault("html")
    status, headers, body = ask("GET", CITY)
    assert status == 502
    assert headers["Content-Type"] == "text/html"
    assert body.startswith(b"<!DOCTYPE html>")


def test_wrong_bodies(ask, sandbox):
    for body in ("", "{", [{"wrapped": True}]):
        sandbox.fault("body", body=body)
    assert [ask("GET", CITY)[2] for _ in range(3)] == [b"", b"{", b'[{"wrapped": true}]']


def test_a_reset_keeps_the_service_from_seeing_the_request(client, ask, sandbox):
    sandbox.fault("reset")
    client.request("POST", "/weather/echo", b"hello")
    with pytest.raises(ConnectionResetError):
        client.getresponse()
    (entry,) = sandbox.requests()
    assert (entry.text, entry.status) == ("hello", None)


@pytest.mark.parametrize("kind", ["reset", "lost_reply"])
def test_a_reset_is_a_reset_and_not_just_an_end(sandbox, kind):
    sandbox.fault(kind)
    host, port = sandbox.url.rsplit("/", 1)[1].split(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(b"GET /weather/Berlin HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            raw.recv(1)


def test_a_lost_reply_is_a_reset_after_the_work(client, sandbox):
    sandbox.fault("lost_reply")
    client.request("POST", "/weather/echo", b"hello")
    with pytest.raises(ConnectionResetError):
        client.getresponse()


@pytest.mark.parametrize("path", [CITY, "/weather/stream"])
def test_a_truncated_answer_ends_in_the_middle(ask, sandbox, path):
    sandbox.fault("truncate", bytes=10)
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask("GET", path)
    assert len(caught.value.partial) == 10


def test_a_stalled_answer_begins_and_never_ends(sandbox):
    sandbox.fault("stall")
    with connection(sandbox, timeout=0.2) as client:
        client.request("GET", CITY)
        with client.getresponse() as response, pytest.raises(TimeoutError):
            response.read()


def test_a_silent_socket_says_nothing(sandbox):
    sandbox.fault("silent")
    with connection(sandbox, timeout=0.2) as client:
        client.request("GET", CITY)
        with pytest.raises(TimeoutError):
            client.getresponse()


def test_hanging_up_closes_after_a_whole_answer(client, ask, sandbox):
    sandbox.fault("hang_up")
    assert ask("GET", CITY)[0] == 200
    assert client.sock.recv(1) == b""


def test_one_connections_fault_leaves_the_others_alone(ask, sandbox):
    ask("GET", CITY)
    sandbox.fault("reset")
    with connection(sandbox) as other:
        other.request("GET", CITY)
        with pytest.raises(ConnectionResetError):
            other.getresponse()
    assert ask("GET", CITY)[0] == 200


def test_a_services_own_fault_goes_to_the_service(sandbox):
    sandbox.fault("storm", service="weather", strength=9, times=2)
    assert sandbox.service("weather").storms == [{"strength": 9, "times": 2}]


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("earthquake", {}, "no fault of kind"),
        ("latency", {"second": 1}, "no option 'second'"),
        ("reset", {"status": 3}, "no option 'status'"),
        ("latency", {"service": "traffic"}, "no service 'traffic'"),
    ],
)
def test_a_fault_that_does_not_exist_is_a_clear_error(sandbox, kind, options, message):
    with pytest.raises(ConfigurationError, match=message):
        sandbox.fault(kind, **options)


def test_faults_over_http(ask):
    posted = json.dumps([{"kind": "status", "status": 503}, {"kind": "throttle", "path": "/other"}])
    assert ask("POST", "/_sandbox/faults", posted)[0] == 200
    assert ask("GET", CITY)[0] == 503
    assert [fault["kind"] for fault in json.loads(ask("GET", "/_sandbox/faults")[2])] == ["throttle"]
    assert json.loads(ask("DELETE", "/_sandbox/faults")[2]) == []


@pytest.mark.parametrize(
    "body", ["", "{", "[1]", '{"kind": 1}', '{"kind": "nope"}', '{"kind": "reset", "times": "x"}']
)
def test_a_wrong_fault_over_http_is_a_400(ask, body):
    status, _, answer = ask("POST", "/_sandbox/faults", body)
    assert status == 400
    assert json.loads(answer)["error"]


def test_faults_from_a_file(tmp_path):
    (tmp_path / "faults.yaml").write_text("- {kind: status, status: 503, times: null}\n")
    with (
        Sandbox(services=[WeatherService], faults=tmp_path / "faults.yaml") as box,
        connection(box) as client,
    ):
        client.request("GET", CITY)
        with client.getresponse() as response:
            assert response.status == 503


@pytest.mark.parametrize("text", ["kind: reset", "[", "- 3", "- {kind: nope}"])
def test_a_wrong_faults_file_is_a_clear_error(tmp_path, text):
    (tmp_path / "faults.yaml").write_text(text)
    with pytest.raises(ConfigurationError):
        Sandbox(services=[WeatherService], faults=tmp_path / "faults.yaml").start()


def test_a_client_that_leaves_during_silence_frees_the_server(ask, sandbox):
    sandbox.fault("silent")
    host, port = sandbox.url.rsplit("/", 1)[1].split(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(b"GET /weather/Berlin HTTP/1.1\r\nHost: x\r\n\r\n")
        while not sandbox.requests():
            pass
    assert ask("GET", CITY)[0] == 200
    while len(sandbox.server.server_state.tasks) > 0:
        time.sleep(0.001)
