"""Profiles: named sessions in `sessions.yaml`."""

from __future__ import annotations

import difflib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionkit.config.files import read_file
from sessionkit.config.values import Place, Value, look_up
from sessionkit.errors import ConfigurationError
from sessionkit.paths import absolute, exists, expanded, shown
from sessionkit.secrets import sounds_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit.config.document import Entry, Section

logger = logging.getLogger(__name__)

FILE_NAME = "sessions.yaml"
PATH_VARIABLE = "SESSIONKIT_CONFIG"


@dataclass(frozen=True)
class Profile:
    """A named session: its backend and the arguments of its constructor.

        profile("acme-dns").arguments()          # {"customer": "acme", "username": "ann", ...}

    Attributes:
        name: Its name in the file.
        backend: The name of an entry point of the group `sessionkit.backends`.
        origin: File and line, as "sessions.yaml:1".
        path: The file.
        entries: Arguments as they stand in the file, with their lines; `values()` looks them up.
    """

    name: str
    backend: str
    origin: str
    path: Path
    entries: Mapping[str, Entry] = field(repr=False)

    def value(self, name: str, environ: Mapping[str, str] | None = None) -> Value:
        """One argument, looked up, and where it came from.

        Raises:
            ConfigurationError: what it refers to is not there.
            KeyError: the profile has no such argument.
        """
        entry = self.entries[name]
        place = Place(
            f"{shown(self.path)}:{entry.line}",
            self.path.parent,
            os.environ if environ is None else environ,
        )
        return look_up(name, entry.raw, place)

    def values(self, environ: Mapping[str, str] | None = None) -> dict[str, Value]:
        """All arguments, looked up.

        Raises:
            ConfigurationError: what one of them refers to is not there.
        """
        return {name: self.value(name, environ) for name in self.entries}

    def arguments(self, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The arguments to call the backend with; raises what `values` does."""
        return {name: value.value for name, value in self.values(environ).items()}


def profile(name: str, path: str | os.PathLike[str] | None = None) -> Profile:
    """The profile `name`.

    Raises:
        ConfigurationError: there is none, or its file cannot be read.
    """
    profiles = load_profiles(path)
    if name not in profiles:
        close = difflib.get_close_matches(name, profiles, n=1)
        looked = ", ".join(map(shown, profile_paths() if path is None else [Path(path)]))
        known = f"there are {', '.join(sorted(profiles))}" if profiles else "there is none at all"
        raise ConfigurationError(
            f"there is no profile {name!r} in {looked}",
            hint=f"did you mean {close[0]!r}?" if close else f"{known}; docs: sessionkit.config",
        )
    return profiles[name]


def load_profiles(
    path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, Profile]:
    """All profiles by name; see the package's text for where they are looked for.

    Args:
        path: The only file to read.
        environ: The environment; `os.environ` when None.

    Raises:
        ConfigurationError: a file is damaged, or one that was named is missing.
    """
    environ = os.environ if environ is None else environ
    named = path if path is not None else environ.get(PATH_VARIABLE) or None
    if named is not None:
        return _read(expanded(named))
    profiles: dict[str, Profile] = {}
    for candidate in profile_paths(environ):
        if exists(candidate):
            profiles = {**_read(candidate), **profiles}
    return profiles


def profile_paths(environ: Mapping[str, str] | None = None) -> list[Path]:
    """Where profiles are looked for, in this order; the files need not exist."""
    environ = os.environ if environ is None else environ
    if environ.get(PATH_VARIABLE):
        return [expanded(environ[PATH_VARIABLE])]
    return [absolute(Path(FILE_NAME)), _user_directory(environ) / "sessionkit" / FILE_NAME]


def _user_directory(environ: Mapping[str, str]) -> Path:
    directory = environ.get("XDG_CONFIG_HOME") or (environ.get("APPDATA") if os.name == "nt" else None)
    return expanded(directory or "~/.config")


def _read(path: Path) -> dict[str, Profile]:
    # PyYAML costs 10 ms, which only those who have a profile should pay.
    from sessionkit.config.document import parse  # noqa: PLC0415 - see above

    source = shown(path)
    sections = parse(read_file(path), source)
    _warn_if_readable(path, sections)
    return {name: _profile(name, section, path, source) for name, section in sections.items()}


def _profile(name: str, section: Section, path: Path, source: str) -> Profile:
    entries = dict(section.entries)
    origin = f"{source}:{section.line}"
    backend = entries.pop("backend", None)
    if backend is None or not isinstance(backend.raw, str):
        raise ConfigurationError(
            f"{origin}: the profile {name} names no backend",
            hint=f"add a line such as 'backend: dyn' to {name}",
        )
    return Profile(name, backend.raw, origin, path, entries)


_warned: set[Path] = set()


def _warn_if_readable(path: Path, sections: Mapping[str, Section]) -> None:
    """Warn, once, of a file that holds secrets as they are and that others can read."""
    with suppress(OSError):
        if os.name == "nt" or path in _warned or not path.stat().st_mode & 0o077:
            return
    for section in sections.values():
        for name, entry in section.entries.items():
            if sounds_secret(name) and isinstance(entry.raw, str) and entry.raw:
                _warned.add(path)
                logger.warning(
                    "%s:%d holds a secret and can be read by others: chmod 600 it, or use {env: ...}",
                    shown(path),
                    entry.line,
                )
                return
