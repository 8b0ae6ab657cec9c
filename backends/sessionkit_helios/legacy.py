"""The token files of earlier clients, read so that nobody has to ask for a token again after upgrading."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sessionkit.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SAFE_NAME = re.compile(r"\w[\w.\-]*", re.ASCII)


def paths(client_id: str, base_dir: Path, home: Path) -> list[Path]:
    """Where earlier clients kept the token of `client_id`.

    An id that could lead out of its directory names no file, though the earlier clients wrote one.
    """
    if not _SAFE_NAME.fullmatch(client_id):
        return []
    name = f"{client_id}.helios_token"
    return [
        base_dir / ".tokens" / name,
        home / ".helios" / ".tokens" / name,
        home / name,
    ]


def reader(api_url: str) -> Callable[[bytes], Token | None]:
    """Understands `{"name": "Authorization", "value": "Bearer ..."}` and `{"access_token": "..."}`.

    Neither says of which service the token is, so one that names another service itself is left alone, and
    one that names none is not sent in clear text. When it ends is read from the token, if it says so.
    """

    def read(content: bytes) -> Token | None:
        data = json.loads(content)
        value = data.get("access_token")
        if value is None and data.get("name") == "Authorization":
            value = data["value"].removeprefix("Bearer ")
        claims = _claims(value)
        if not _is_of(claims, api_url):
            return None
        return Token.from_json(
            {"value": value, "expires_at": claims.get("exp"), "issued_at": claims.get("iat")}
        )

    return read


def _claims(token: str) -> dict[str, Any]:
    """What a JSON web token says of itself; {} when it is none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _is_of(claims: dict[str, Any], api_url: str) -> bool:
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or "://" not in issuer:
        return not api_url.startswith("http:")
    return urlsplit(issuer)[:2] == urlsplit(api_url)[:2]
