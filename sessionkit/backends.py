"""The backends that are installed: entry points of the group `sessionkit.backends`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from sessionkit.engine import SessionEngine

GROUP: Final = "sessionkit.backends"


def installed(group: str = GROUP) -> dict[str, EntryPoint]:
    """Names and entry points of a group, in alphabetical order; nothing is imported."""
    return {point.name: point for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def load(name: str) -> type[SessionEngine]:
    """The session class of the backend called `name`.

    Raises:
        ConfigurationError: when there is none of that name, or it cannot be imported.
    """
    return _load(name, GROUP)  # type: ignore[no-any-return]  # what a backend's entry point names


def _load(name: str, group: str) -> Any:
    known = installed(group)
    if name not in known:
        raise ConfigurationError(
            f"no backend is called {name!r}", hint=f"installed are: {', '.join(known) or 'none'}"
        )
    try:
        return known[name].load()
    except Exception as error:
        raise ConfigurationError(
            f"the backend {name!r} ({known[name].value}) cannot be imported: {error}",
            hint="install what it needs, or remove the package that declares it",
        ) from error
