import json

from sessionkit.sandbox.journal import BODY_LIMIT, Journal


def test_requests_are_kept_with_headers_body_and_status(ask, sandbox):
    ask("POST", "/weather/echo?x=1", b'{"a": 1}', {"X-Key": "k"})
    (entry,) = sandbox.requests()
    assert (entry.service, entry.method, entry.path, entry.query) == (
        "weather",
        "POST",
        "/weather/echo",
        "x=1",
    )
    assert (entry.json(), entry.headers["x-key"], entry.status) == ({"a": 1}, "k", 200)


def test_requests_are_found_by_service_and_path(ask, sandbox):
    ask("GET", "/weather/Berlin")
    ask("GET", "/nowhere")
    assert [entry.path for entry in sandbox.requests(service="weather")] == ["/weather/Berlin"]
    assert [entry.path for entry in sandbox.requests(path="/no*")] == ["/nowhere"]


def test_the_journal_over_http(ask, sandbox):
    ask("GET", "/weather/Berlin")
    ask("GET", "/nowhere")
    found = json.loads(ask("GET", "/_sandbox/requests?path=/weather/*")[2])
    assert [entry["path"] for entry in found] == ["/weather/Berlin"]
    assert json.loads(ask("DELETE", "/_sandbox/requests")[2]) == []
    assert sandbox.requests() == []


def test_the_journal_is_bounded():
    journal = Journal(limit=3)
    for number in range(5):
        journal.open(0.0, "weather", "GET", f"/{number}", "", {})
    assert [entry.path for entry in journal.find()] == ["/2", "/3", "/4"]


def test_long_bodies_are_kept_in_part(ask, sandbox):
    ask("POST", "/weather/echo", b"x" * (BODY_LIMIT + 500))
    (entry,) = sandbox.requests()
    assert (len(entry.body), entry.size) == (BODY_LIMIT, BODY_LIMIT + 500)


def test_a_body_that_is_no_json_is_none():
    entry = Journal().open(0.0, "", "POST", "/", "", {})
    entry.add(b"\xff<html>")
    assert entry.json() is None
    assert entry.text == "\ufffd<html>"
