import pytest

from sessionkit_dyn.sandbox import DynService


@pytest.fixture
def sandbox_options(manual_clock):
    """The Dyn service alone, on a clock the tests turn."""
    return {
        "services": [DynService],
        "clock": manual_clock,
        "data": [{"dyn": {"limits": {"requests_per_minute": 0}}}],
    }
