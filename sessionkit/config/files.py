"""Reading configuration files: small regular files, in one piece, or a clear error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20
"""No configuration file is larger."""


def read_file(path: Path) -> bytes:
    """The content of `path`.

    Raises:
        ConfigurationError: it is not there, not a regular file, not readable, or larger than a megabyte.
    """
    try:
        # Asked first, because opening a named pipe would wait for its other end.
        if path.exists() and not path.is_file():
            raise ConfigurationError(f"{path} is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"{path} cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_BYTES} bytes")
    return content
