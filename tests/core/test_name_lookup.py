"""Name servers that do not answer hold nobody up for longer than was said."""

import socket
import threading
import time

import pytest
from core_kit import Api

from sessionkit import RetryPolicy
from sessionkit.errors import ConnectionFailed, DeadlineExceeded
from sessionkit.http import names


@pytest.fixture
def slow_names(monkeypatch):
    """Who asks for a name ending in .slow waits; .local-test is this machine."""
    system, go = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host, *rest):
        if str(host).endswith(".slow"):
            go.wait(30)
        return system("127.0.0.1" if str(host).endswith((".slow", ".local-test")) else host, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    go.set()


def opened(url, **options):
    return Api.detached(url, retry=RetryPolicy.never(), proxies=False, **options)


@pytest.mark.parametrize("limit", [{"connect_timeout": 0.2}, {"timeout": 0.2}], ids=str)
def test_a_lookup_that_hangs_is_given_up(slow_names, limit):
    began = time.monotonic()
    with (
        opened("http://service.slow", **limit) as api,
        pytest.raises((ConnectionFailed, DeadlineExceeded)) as caught,
    ):
        api.get("/")
    assert time.monotonic() - began < 5
    assert not caught.value.sent
    assert "service.slow" in str(caught.value)


def test_a_name_that_is_found_is_connected_to_and_shown_to_the_service(slow_names, server):
    with opened(f"http://api.local-test:{server.server_port}") as api:
        assert api.get("/x") == {"path": "/x"}
    assert server.seen[0].headers["host"] == f"api.local-test:{server.server_port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "fe80::1%lo"])
def test_an_address_needs_no_thread(host, monkeypatch):
    monkeypatch.setattr(names.threading, "Thread", None)
    assert names.addresses(host.strip("[]"), 80, 0, 5.0)


def test_without_another_thread_it_is_looked_up_all_the_same(monkeypatch):
    class Full(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(names.threading, "Thread", Full)
    assert "127.0.0.1" in names.addresses("localhost", 80, socket.AF_INET, 5.0)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 80 + ".test"])
def test_a_name_that_is_none_is_one_clear_error(host):
    with opened(f"http://{host}") as api, pytest.raises(ConnectionFailed) as caught:
        api.get("/")
    assert "host" in str(caught.value) or "URL" in str(caught.value)
    assert not caught.value.sent
