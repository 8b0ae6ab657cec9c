"""`Value`, and the forms that say where a value is instead of what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit.config.files import read_file
from sessionkit.errors import ConfigurationError
from sessionkit.paths import expanded
from sessionkit.secrets import MASK, decrypt, register, sounds_secret
from sessionkit.secrets.encryption import KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

# A profile with more values than this, or nested deeper, is a trick with YAML anchors.
_MOST_VALUES = 10_000
_DEEPEST = 20


@dataclass(frozen=True, repr=False)
class Value:
    """A configured value and where it came from.

    Attributes:
        value: What to use, as it is.
        origin: "argument", "default", "environment DYN_PASSWORD", "sessions.yaml:12".
        secret: Whether it may not be shown; it is then registered for redaction.
    """

    value: Any
    origin: str
    secret: bool = False

    def __post_init__(self) -> None:
        if self.secret:
            for text in _texts(self.value):
                register(text)

    @property
    def shown(self) -> str:
        """The value as one may show it."""
        return MASK if self.secret else str(self.value)

    def __repr__(self) -> str:
        return f"Value({MASK if self.secret else repr(self.value)}, origin={self.origin!r})"


@dataclass(frozen=True)
class Place:
    """Where a value was read: what its forms are relative to.

    Attributes:
        origin: The file and line, as "sessions.yaml:12".
        directory: The file's directory.
        environ: The environment.
    """

    origin: str
    directory: Path
    environ: Mapping[str, str]

    def error(self, message: str, hint: str = "") -> ConfigurationError:
        """An error that says where."""
        return ConfigurationError(f"{self.origin}: {message}", hint=hint)


def look_up(name: str, raw: Any, place: Place) -> Value:
    """The value of the setting `name`, its forms replaced by what they stand for.

    Raises:
        ConfigurationError: something it refers to is not there, or the form is unknown.
    """
    secret = sounds_secret(name)
    if secret and isinstance(raw, dict) and form_of(raw) is None:
        raise place.error(
            f"{name} has an unknown form: {', '.join(map(str, raw)) or 'none'}",
            hint=f"the forms are {', '.join('{' + form + ': ...}' for form in _FORMS)}",
        )
    sources: list[str] = []
    value = _resolved(raw, place, sources, iter(range(_MOST_VALUES)))
    origin = ", ".join(dict.fromkeys([place.origin, *sources]))
    hidden = secret or any(not source.startswith("environment") for source in sources)
    return Value(value, origin, hidden)


def form_of(raw: Mapping[Any, Any]) -> str | None:
    """The name of the form that a mapping is; None when it is a mapping and nothing else."""
    name = next(iter(raw)) if len(raw) == 1 else None
    return name if isinstance(name, str) and name in _FORMS else None


def _resolved(raw: Any, place: Place, sources: list[str], budget: Iterator[int], depth: int = 0) -> Any:
    if depth > _DEEPEST or next(budget, None) is None:
        raise place.error("a value is too large or too deeply nested")
    if isinstance(raw, list):
        return [_resolved(item, place, sources, budget, depth + 1) for item in raw]
    if not isinstance(raw, dict):
        return raw
    form = form_of(raw)
    if form is None:
        return {name: _resolved(item, place, sources, budget, depth + 1) for name, item in raw.items()}
    reference = raw[form]
    if not isinstance(reference, str) or not reference:
        raise place.error(f"{{{form}: ...}} needs a text")
    sources.append(_SOURCES[form].format(reference))
    return _FORMS[form](reference, place)


def _from_environment(name: str, place: Place) -> str:
    value = place.environ.get(name, "")
    if not value:
        raise place.error(f"the environment variable {name} is not set", hint=f"export {name}=...")
    return value


def _from_file(name: str, place: Place) -> str:
    path = expanded(name, place.directory)
    try:
        text = read_file(path).decode()
    except UnicodeDecodeError:
        raise place.error(f"{path} is not UTF-8 text") from None
    except ConfigurationError as error:
        raise place.error(error.message) from None
    return text[: -len("\r\n")] if text.endswith("\r\n") else text.removesuffix("\n")


def _from_keyring(name: str, place: Place) -> str:
    try:
        # An extra, which only its users need and which is slow to import.
        import keyring  # noqa: PLC0415 - see above
    except ImportError:
        raise place.error(
            "{keyring: ...} needs the package keyring", hint="pip install 'sessionkit[keyring]'"
        ) from None
    try:
        value = keyring.get_password("sessionkit", name)
    except Exception as error:  # each system's keyring fails in its own way
        raise place.error(f"the keyring could not be read: {error}") from error
    if value is None:
        raise place.error(f"the keyring has no {name!r}", hint=f"keyring set sessionkit {name}")
    return value


def _from_encrypted(text: str, place: Place) -> str:
    try:
        return decrypt(text, place.environ.get(KEY_VARIABLE, ""))
    except ConfigurationError as error:
        raise place.error(error.message, error.hint) from None


_FORMS: dict[str, Callable[[str, Place], str]] = {
    "env": _from_environment,
    "file": _from_file,
    "keyring": _from_keyring,
    "encrypted": _from_encrypted,
}
_SOURCES = {"env": "environment {}", "file": "file {}", "keyring": "keyring {}", "encrypted": "encrypted"}


def _texts(value: Any) -> Iterator[str]:
    """All text in a value, however nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
