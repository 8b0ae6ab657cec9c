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
