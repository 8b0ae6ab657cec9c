from urllib.parse import urlsplit

import pytest
from dyn_wire import Wire

from sessionkit_dyn import DynectSession
from sessionkit_dyn.sandbox import DynService
from sessionkit_dyn.zones import Zone

UNLIMITED = {"dyn": {"limits": {"requests_per_minute": 0}}}


@pytest.fixture
def sandbox_options(manual_clock):
    """The Dyn service alone, on a clock the tests turn, without its rate limit."""
    return {"services": [DynService], "clock": manual_clock, "data": [UNLIMITED]}


@pytest.fixture
def wire(sandbox):
    """A connection signed in as the demo customer's ann."""
    with Wire(sandbox) as opened:
        yield opened


@pytest.fixture
def other(sandbox):
    """Another session of the same customer."""
    with Wire(sandbox, user="ops", password="sandbox-ops") as opened:
        yield opened


@pytest.fixture
def sdk(sandbox):
    """A session of the vendor's own client."""
    from dyn.tm.session import DynectSession

    env, url = sandbox.env, urlsplit(sandbox.url)
    opened = DynectSession(
        env["DYN_CUSTOMER"], env["DYN_USERNAME"], env["DYN_PASSWORD"], url.hostname, url.port, ssl=False
    )
    yield opened
    DynectSession.close_session()
    opened._conn.close()


@pytest.fixture
def dyn(sandbox, manual_clock):
    """Our own session as the demo customer's ann, on the sandbox's clock."""
    with DynectSession("acme", "ann", "sandbox-ann", host=sandbox.url, clock=manual_clock) as session:
        yield session


@pytest.fixture
def zone(dyn):
    """A published zone of this test's own."""
    zone = Zone("test.example", contact="ann@test.example", ttl=600)
    zone.publish()
    return zone
