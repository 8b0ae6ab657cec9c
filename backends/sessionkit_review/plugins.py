"""Plugins: Python files in folders, each with a function `register(session)`."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import os
import sys
import uuid
from typing import TYPE_CHECKING, Any

from sessionkit.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)


def discover(
    paths: Iterable[str | os.PathLike[str]],
    positional: Sequence[Any] = (),
    keyword: Mapping[str, Any] | None = None,
) -> list[str]:
    """Import every Python file below `paths` and call its `register`; returns the files that have one.

    A file that cannot be imported, or whose `register` raises, is logged and left out: one broken plugin
    keeps nobody from working. `register` gets as many of the arguments as it takes.
    """
    files = [file for path in paths for file in sorted(expanded(path).rglob("*.py"))]
    visible = (file for file in files if not file.name.startswith("."))
    return [str(file) for file in visible if _register(file, positional, keyword or {})]


def _register(file: Path, positional: Sequence[Any], keyword: Mapping[str, Any]) -> bool:
    # A name of its own, so that plugins of one name do not replace each other.
    name = f"sessionkit_plugin_{uuid.uuid4().hex}"
    try:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # where dataclasses and pickles look for it
        spec.loader.exec_module(module)
    except Exception:
        sys.modules.pop(name, None)
        log.exception("the plugin %s cannot be imported", file)
        return False
    register = getattr(module, "register", None)
    if not callable(register):
        log.warning("%s has no function `register` and is no plugin", file)
        return False
    try:
        taken, named = accepted(register, positional, keyword)
        register(*taken, **named)
    except Exception:
        log.exception("the plugin %s could not be registered", file)
        return False
    return True


def accepted(
    function: Callable[..., Any], positional: Sequence[Any], keyword: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that a function takes, of those there are; what it does not take is logged."""
    parameters = inspect.signature(function).parameters.values()
    kinds = {parameter.kind for parameter in parameters}
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        places = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
        positional = positional[: len(places)]
        keyword = {
            name: keyword[name] for name in keyword if name not in {p.name for p in places[: len(positional)]}
        }
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return tuple(positional), dict(keyword)
    names = {p.name for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}}
    left_out = sorted(set(keyword) - names)
    if left_out:
        log.warning("%s does not take %s", function.__module__, ", ".join(left_out))
    return tuple(positional), {name: value for name, value in keyword.items() if name in names}


def folders_of(
    given: Iterable[str | os.PathLike[str]] | str | os.PathLike[str] | None, environ: Mapping[str, str]
) -> list[Any]:
    """Where to look for plugins: what was given, else `$FTRACK_EVENT_PLUGIN_PATH`."""
    if isinstance(given, (str, os.PathLike)):
        return [given]  # one folder, not one for each letter
    if given is not None:
        return list(given)
    return [path for path in environ.get("FTRACK_EVENT_PLUGIN_PATH", "").split(os.pathsep) if path]
