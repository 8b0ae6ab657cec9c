"""The pytest plugin: fixtures `sandbox` and `manual_clock`.

    def test_lists_zones(sandbox):
        with DynectSession("acme", "ann", "...", host=sandbox.url): ...

A module (or conftest.py) narrows or feeds the sandbox by overriding one fixture:

    @pytest.fixture
    def sandbox_options(manual_clock):
        return {"services": [DynService], "clock": manual_clock, "data": ["zones.yaml"]}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.sandbox import Sandbox
    from sessionkit.testing.clock import ManualClock


pytest.register_assert_rewrite("sessionkit.testing.conformance")


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that stands still until the test turns it."""
    # Imported here: pytest loads this plugin in every project that has sessionkit installed.
    from sessionkit.testing.clock import ManualClock  # noqa: PLC0415

    return ManualClock()


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    """Arguments of the `sandbox` fixture's `Sandbox`; override it to give your own."""
    return {}


@pytest.fixture
def sandbox(sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """A running sandbox of its own for each test; a service whose code failed fails the test."""
    from sessionkit.sandbox import Sandbox  # noqa: PLC0415 - as above

    with Sandbox(**sandbox_options) as box:
        yield box
        failed = [entry.error for entry in box.requests() if entry.error]
    assert not failed, "a sandbox service failed:\n" + failed[0]
