"""The token file itself: its JSON, and a reading that trusts nothing."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

from sessionkit.tokens.token import Token

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20
"""A token file larger than this is somebody's mistake or malice, and not read."""

_MAX_OTHERS = 255
# Seconds that a token stays in the file after its end: its refresh token may still be good.
_KEPT_AFTER_END = 30 * 24 * 3600.0
_READ_FLAGS = (
    os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
)


def read_bytes(path: Path) -> bytes | None:
    """The content of a small, regular file of this user's; None for anything else.

    Neither a symbolic link nor a pipe, a device or another user's file is read: somebody else could have
    put it there, to have us send a token of theirs.
    """
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except (OSError, ValueError):
        return None
    try:
        return _read_trusted(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _read_trusted(descriptor: int) -> bytes | None:
    if not _is_trusted(os.fstat(descriptor)):
        return None
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        content = file.read(MAX_BYTES + 1)
    return content if len(content) <= MAX_BYTES else None


def _is_trusted(status: os.stat_result) -> bool:
    owners = (0, os.geteuid()) if hasattr(os, "geteuid") else (status.st_uid,)
    return stat.S_ISREG(status.st_mode) and status.st_uid in owners


def decode(content: bytes | None) -> dict[str, Token] | None:
    """The tokens in a file's content, without those that make no sense; None when the content is not ours."""
    try:
        data = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    entries = data.get("tokens") if isinstance(data, dict) and data.get("version") == 1 else None
    if not isinstance(entries, dict):
        return None
    tokens = {name: Token.from_json(entry) for name, entry in entries.items()}
    return {name: token for name, token in tokens.items() if token is not None}


def pruned(tokens: dict[str, Token], now: float) -> dict[str, Token]:
    """The tokens worth keeping: those not long ended, the most recent 255 at most."""
    alive = {name: token for name, token in tokens.items() if not token.expired(now - _KEPT_AFTER_END)}
    return dict(sorted(alive.items(), key=lambda item: item[1].issued_at or 0)[-_MAX_OTHERS:])


def encode(tokens: dict[str, Token]) -> bytes:
    """The content for `tokens`."""
    entries = {name: token.to_json() for name, token in tokens.items()}
    return json.dumps({"version": 1, "tokens": entries}, indent=1).encode()
