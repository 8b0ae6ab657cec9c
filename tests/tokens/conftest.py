import pytest
from token_kit import Endpoint

from sessionkit.testing import ManualClock
from sessionkit.tokens import TokenSource


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def endpoint(clock):
    return Endpoint(clock)


@pytest.fixture
def source(clock, endpoint):
    return TokenSource(endpoint, key="k", clock=clock)
