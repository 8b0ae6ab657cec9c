"""File names as users write them."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | os.PathLike[str], base: Path = Path()) -> Path:
    """`path` with "~" replaced by the home, relative to `base`, absolute.

    A "~" that cannot be replaced stays as it is, and nothing raises.
    """
    return absolute(base / os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises when there is no home


def absolute(path: Path) -> Path:
    """`path` below the current directory; as it is when that directory has been deleted."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path


def shown(path: Path) -> str:
    """A path as short as it can be shown: below the current directory or the home."""
    for base, prefix in ((absolute(Path()), ""), (expanded("~"), "~/")):
        if path.is_relative_to(base):
            return f"{prefix}{path.relative_to(base).as_posix()}"
    return str(path)


def exists(path: Path) -> bool:
    """Whether there is something at `path` that this user may look at."""
    try:
        return path.exists()
    except OSError:
        return False
