"""Where a client id, its secret and the API's address come from.

The first place that has both id and secret counts: arguments, the environment, `credentials.json` in the base
directory, the profile `helios` of `sessions.yaml`. They are never mixed: an id from one place is not sent
with a secret from another.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit import config, paths
from sessionkit.config.files import read_file
from sessionkit.errors import ConfigurationError
from sessionkit.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FILE_NAME = "credentials.json"
PROFILE = "helios"
_KEYS = ("helios_client_id", "helios_client_secret", "helios_api_url")


@dataclass(frozen=True)
class Credentials:
    """What a session signs in with.

    Attributes:
        client_id: The API key's id.
        client_secret: Its secret.
        api_url: Where the service is; None when nobody said.
        origin: The place they come from, for people.
    """

    client_id: str
    client_secret: Secret
    api_url: str | None
    origin: str


@dataclass(frozen=True)
class _Found:
    """What one place has."""

    origin: str
    client_id: str | None = None
    client_secret: str | None = None
    api_url: str | None = None


def find(
    client_id: Any,
    client_secret: Any,
    api_url: Any,
    base_dir: Path,
    environ: Mapping[str, str] | None = None,
) -> Credentials:
    """The credentials to use.

    Args:
        client_id: As the caller gave it; None looks elsewhere.
        client_secret: Likewise.
        api_url: Likewise; when given it counts, wherever the others come from.
        base_dir: The directory of `credentials.json`.
        environ: The environment; `os.environ` when None.

    Raises:
        ConfigurationError: there are none; the message lists the places looked in. Or a place is damaged.
    """
    environ = os.environ if environ is None else environ
    given = _Found(
        "the arguments",
        _text("client_id", client_id),
        _text("client_secret", client_secret),
        _text("api_url", api_url),
    )
    looked: list[str] = []
    places: tuple[Callable[[], _Found], ...] = (
        lambda: given,
        lambda: _environment(environ),
        lambda: _file(base_dir / FILE_NAME),
        lambda: _profile(environ),
    )
    for place in places:
        found = place()
        same = given.client_id in {None, found.client_id} and given.client_secret in {
            None,
            found.client_secret,
        }
        if found.client_id and found.client_secret and same:
            url = given.api_url or found.api_url
            if found is given and url is None:
                url = _environment(environ).api_url
            return Credentials(found.client_id, Secret(found.client_secret), url, found.origin)
        looked.append(found.origin)
    raise ConfigurationError(
        f"no credentials of Helios could be found; looked in: {'; '.join(looked)}",
        hint="give client_id= and client_secret=, or set helios_client_id and helios_client_secret",
    )


def _text(name: str, value: Any) -> str | None:
    # The vendor's page shows values followed by a comma, which makes tuples of them: `key = 'abc',`.
    if isinstance(value, tuple) and len(value) == 1:
        (value,) = value
    if isinstance(value, Secret):
        value = value.reveal()
    if value is None or (isinstance(value, str) and value):
        return value
    raise ConfigurationError(f"{name} must be a text, not {type(value).__name__}")


def _environment(environ: Mapping[str, str]) -> _Found:
    values = [environ.get(key) or environ.get(key.upper()) or None for key in _KEYS]
    return _Found("the environment (helios_client_id, helios_client_secret)", *values)


def _file(path: Path) -> _Found:
    origin = paths.shown(path)
    if not paths.exists(path):
        return _Found(f"{origin} (not there)")
    try:
        data = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{origin} is not JSON", hint="write it anew, or remove it") from None
    if not isinstance(data, dict):
        raise ConfigurationError(f"{origin} is not a JSON object with {', '.join(_KEYS)}")
    return _Found(origin, *(_text(f"{key} in {origin}", data.get(key) or None) for key in _KEYS))


def _profile(environ: Mapping[str, str]) -> _Found:
    profile = config.load_profiles(environ=environ).get(PROFILE)
    where = ", ".join(paths.shown(path) for path in config.profile_paths(environ))
    if profile is None or profile.backend != PROFILE:
        return _Found(f"the profile {PROFILE} in {where} (not there)")
    arguments = profile.arguments(environ)
    values = [_text(name, arguments.get(name)) for name in ("client_id", "client_secret", "api_url")]
    return _Found(profile.origin, *values)
