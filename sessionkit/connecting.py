"""`connect("name")`: the session of a profile."""

from __future__ import annotations

from typing import Any

from sessionkit import backends
from sessionkit.config import profile as find_profile


def connect(name: str, **overrides: Any) -> Any:
    """Open the session that the profile `name` describes, and make it the current one.

    >>> with sessionkit.connect("acme-dns", timeout=120) as dns: ...

    Args:
        name: A top-level key of `sessions.yaml`.
        overrides: Constructor arguments that replace the profile's.

    Raises:
        ConfigurationError: no such profile or backend, or a value that cannot be had.
    """
    profile = find_profile(name)
    backend = backends.load(profile.backend)
    session = backend(**{**profile.arguments(), **overrides})
    if not overrides:
        session.profile_name = name
    return session
