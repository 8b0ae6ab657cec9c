"""What a backend can be told, and by whom: argument, profile, environment, default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit.config.values import Value
from sessionkit.errors import ConfigurationError
from sessionkit.secrets import Secret, sounds_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionkit.config.profiles import Profile


@dataclass(frozen=True)
class Setting:
    """One thing a backend's constructor can be told.

        Setting("password", env=("DYN_PASSWORD",), secret=True, required=True)

    Attributes:
        name: The constructor's argument.
        env: Environment variables that may hold it, the first one set counts.
        secret: Whether it may not be shown; so is whatever sounds like a credential.
        default: What it is when nobody says.
        required: Whether somebody must.
    """

    name: str
    env: tuple[str, ...] = ()
    secret: bool = False
    default: Any = None
    required: bool = False


def resolve(
    settings: Iterable[Setting],
    arguments: Mapping[str, Any],
    profile: Profile | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Value]:
    """Every setting's value and where it came from.

    The argument counts, then the profile, then the environment, then the default. A profile is there because
    the caller named it, so a variable left over in the environment does not mix another account's password
    into it; what a profile leaves open is still taken from the environment.

    Args:
        settings: What the backend knows.
        arguments: What its caller gave; None means not given. Names that are no settings are kept.
        profile: The profile in use, if any. Names that are no settings are kept.
        environ: The environment; `os.environ` when None.

    Raises:
        ConfigurationError: something required is missing, or something referred to is not there.
    """
    environ = os.environ if environ is None else environ
    known = {setting.name: setting for setting in settings}
    named = [name for name, value in arguments.items() if value is not None]
    names = dict.fromkeys([*known, *named, *(profile.entries if profile else ())])
    return {
        name: _resolve(known.get(name, Setting(name)), arguments.get(name), profile, environ)
        for name in names
    }


def _resolve(setting: Setting, argument: Any, profile: Profile | None, environ: Mapping[str, str]) -> Value:
    secret = setting.secret or sounds_secret(setting.name)
    if argument is not None:
        plain = argument.reveal() if isinstance(argument, Secret) else argument
        return Value(plain, "argument", secret or isinstance(argument, Secret))
    if profile is not None and setting.name in profile.entries:
        found = profile.value(setting.name, environ)
        return Value(found.value, found.origin, found.secret or secret)
    for variable in setting.env:
        if environ.get(variable):
            return Value(environ[variable], f"environment {variable}", secret)
    if setting.required:
        raise _missing(setting)
    return Value(setting.default, "default", secret and setting.default is not None)


def _missing(setting: Setting) -> ConfigurationError:
    ways = [
        f"give {setting.name}=",
        *(f"set ${variable}" for variable in setting.env),
        "or name a profile that has it",
    ]
    return ConfigurationError(f"{setting.name} is missing", hint=", ".join(ways))
