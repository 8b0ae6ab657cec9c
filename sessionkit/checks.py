"""Arguments that are numbers: checked where they are given, so that the error is there, too."""

from __future__ import annotations

import math
from typing import Any

from sessionkit.errors import ConfigurationError


def number(name: str, value: Any) -> float:
    """`value`, if it is a number and not "not a number".

    Raises:
        ConfigurationError: it is something else, such as the text of a number.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
        return value
    raise ConfigurationError(f"{name} is {_shown(value)}", hint="a number, such as 30 or 0.5")


def seconds(name: str, value: Any) -> float:
    """`value`, if it is a number of seconds above 0.

    Raises:
        ConfigurationError: it is not.
    """
    if number(name, value) > 0:
        return float(value)
    raise ConfigurationError(f"{name} is {_shown(value)}", hint='seconds above 0; float("inf") for no limit')


def count(name: str, value: Any, *, least: int = 1) -> int:
    """`value`, if it is a whole number from `least`.

    Raises:
        ConfigurationError: it is not.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ConfigurationError(f"{name} is {_shown(value)}", hint=f"a whole number from {least}")


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
