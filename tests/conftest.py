"""What holds for every test."""

import pytest

from sessionkit.secrets import registry


@pytest.fixture(autouse=True)
def secrets_of_ones_own(monkeypatch):
    """What one test calls a secret is an ordinary word in the next."""
    monkeypatch.setattr(registry, "_registry", registry.Registry())
