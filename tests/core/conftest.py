"""Servers on real sockets, a session with one, and no session left open after any test."""

import pytest
from core_kit import Api, Server

import sessionkit
from sessionkit import RetryPolicy


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def other_server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def api(server):
    """A session with the server; quick to retry."""
    with Api.detached(server.url, timeout=10, retry=RetryPolicy(base=0.001)) as session:
        yield session


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    for session in sessionkit.sessions():
        session.close()
