"""Checksums, computed while the bytes pass by."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1 << 20
_STRONG_MD5 = re.compile(r'"([0-9a-fA-F]{32})"')


class Hash(Protocol):
    """A `hashlib` object."""

    def update(self, data: Any, /) -> None:
        """Take in bytes."""

    def hexdigest(self) -> str:
        """The checksum so far."""


def new(kind: str) -> Hash:
    """A hash of the kind "md5" or "sha256"; it finds damage, it proves no origin."""
    return hashlib.new(kind, usedforsecurity=False)


def digest_of(path: Path, kind: str = "md5") -> str:
    """The checksum of a file, in hexadecimal.

    >>> digest_of(Path("film.mov"), "sha256")
    """
    found = new(kind)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def stated_md5(headers: Any) -> str | None:
    """The MD5 that the ETag of an object store's answer states, in hexadecimal.

    None when it states none: weak ETags, those of uploads in parts, those of objects that are encrypted
    where they lie.
    """
    match = _STRONG_MD5.fullmatch(headers.get("etag") or "")
    if match is None or "aws:kms" in (headers.get("x-amz-server-side-encryption") or ""):
        return None
    return None if "x-amz-server-side-encryption-customer-algorithm" in headers else match[1].lower()
