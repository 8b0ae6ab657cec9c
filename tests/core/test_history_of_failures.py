"""Calls that never got as far as the service are remembered and told, too."""

import threading

import pytest
from core_kit import Api

from sessionkit import Token, TokenAuth, TokenSource
from sessionkit.errors import DeadlineExceeded


def test_a_token_that_does_not_come_in_time(server):
    begun, go = threading.Event(), threading.Event()

    def fetch(deadline):
        begun.set()
        go.wait(30)
        return Token("never-seen")

    auth, heard = TokenAuth(TokenSource(fetch, key="slow")), []
    with Api.detached(server.url, auth=auth, history=5, timeout=30) as api:
        api.event_hub.subscribe(
            "topic=sessionkit.request.failed", lambda event: heard.append(event["data"]["call"])
        )
        first = threading.Thread(target=api.get, args=("/first",))
        first.start()
        assert begun.wait(10)
        with pytest.raises(DeadlineExceeded):
            api.get("/late", timeout=0.2)
        (late,) = api.history
        assert (late.uri, late.status, late.attempts) == ("/late", "DeadlineExceeded", 0)
        assert heard == ["GET /late"]
        go.set()
        first.join(10)
        assert [(each.uri, each.status) for each in api.history] == [
            ("/late", "DeadlineExceeded"),
            ("/first", 200),
        ]
