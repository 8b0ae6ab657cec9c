"""The server's schemas, and the files they are kept in between sessions.

Each server and each version of its schema has a file of its own, which is written whole or not at all and
carries a checksum: a file that was damaged is the same as none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from typing import TYPE_CHECKING, Any, Final

from sessionkit.files import replacing
from sessionkit.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

Schemas = list[dict[str, Any]]
KEPT: Final = 3
"""How many versions of one server's schema are kept."""


def md5_of(schemas: Schemas) -> str:
    """The schemas' MD5 as the server computes it for `schema_hash`."""
    return hashlib.md5(json.dumps(schemas, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def default_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where schemas are kept when nobody says: the user's cache directory."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME") or (environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    return expanded(base or "~/.cache") / "sessionkit" / "review"


class SchemaCache:
    """Schemas of servers in a folder.

    >>> cache = SchemaCache(Path("~/.cache/schemas"), "https://studio.example")
    >>> cache.save("0cc175b9c0f1b6a831c399e269772661", schemas)

    Args:
        folder: Where; made when it is needed.
        server_url: Whose schemas.
    """

    def __init__(self, folder: Path, server_url: str) -> None:
        self._folder = folder
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", server_url.partition("://")[2])[:60].strip("-")
        exact = hashlib.blake2b(server_url.encode(), digest_size=6).hexdigest()
        self._prefix = f"{readable}-{exact}"

    def path(self, version: str) -> Path:
        """The file of one version."""
        return self._folder / f"{self._prefix}-{re.sub('[^A-Za-z0-9]+', '', version)[:64]}.json"

    def load(self, version: str) -> Schemas | None:
        """The schemas of a version, None when they are not here or not as they were written."""
        try:
            content = self.path(version).read_bytes()
        except OSError:
            return None
        checksum, _, body = content.partition(b"\n")
        if checksum.decode("latin-1") != _checksum(body):
            log.warning("the schema cache %s is damaged and not used", self.path(version))
            return None
        schemas: Schemas = json.loads(body)
        return schemas

    def save(self, version: str, schemas: Schemas) -> None:
        """Keep the schemas of a version, and drop those of old ones. A folder that refuses is logged."""
        body = json.dumps(schemas, separators=(",", ":")).encode()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.path(version)) as file:
                file.write(f"{_checksum(body)}\n".encode() + body)
            for old in sorted(self._folder.glob(f"{self._prefix}-*.json"), key=_age)[KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("the schema cannot be kept in %s: %s", self._folder, error)


def _checksum(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
