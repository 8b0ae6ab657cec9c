"""The contents of components, kept in the database in pieces: nothing is held in memory as a whole."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionkit_review.sandbox.errors import invalid

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Iterator, Sequence

PIECE = 1 << 20
"""Bytes per row."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of a component's content; `md5` in hexadecimal."""

    size: int
    md5: str
    name: str


class Files:
    """Contents by component id.

    An upload is written under a name of its own and takes the component's place when it is complete, so that
    a reader never sees half a file.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def create(self) -> None:
        """Make the tables."""
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS review__file "
            "(owner TEXT, part INTEGER, size INTEGER, md5 TEXT, name TEXT, PRIMARY KEY (owner, part))"
        )
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS review__piece "
            "(owner TEXT, part INTEGER, position INTEGER, data BLOB, PRIMARY KEY (owner, part, position))"
        )
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS review__upload (id TEXT PRIMARY KEY, component_id TEXT, name TEXT)"
        )

    def get(self, component_id: str) -> StoredFile | None:
        """What is known of a component's content, None if it has none."""
        rows = self.db.execute(
            "SELECT size, md5, name FROM review__file WHERE owner = ? ORDER BY part", (component_id,)
        ).fetchall()
        if not rows:
            return None
        joined = hashlib.md5("".join(row[1] for row in rows).encode(), usedforsecurity=False).hexdigest()
        md5 = rows[0][1] if len(rows) == 1 else f"{joined}-{len(rows)}"
        return StoredFile(sum(row[0] for row in rows), md5, rows[0][2] or "")

    async def receive(
        self, owner: str, part: int, name: str, stream: AsyncIterator[bytes], md5: str = ""
    ) -> StoredFile:
        """Store what `stream` brings; a stream that breaks off leaves what was there.

        Raises:
            ApiError: when the content does not have the `md5` (hexadecimal) it should have.
        """
        draft, position, size = uuid.uuid4().hex, 0, 0
        digest, waiting = hashlib.md5(usedforsecurity=False), bytearray()
        try:
            async for chunk in stream:
                digest.update(chunk)
                size += len(chunk)
                waiting += chunk
                while len(waiting) >= PIECE:
                    self._write(draft, position, bytes(waiting[:PIECE]))
                    del waiting[:PIECE]
                    position += 1
            _check(md5, digest.hexdigest())
        except BaseException:
            self.discard(draft)
            raise
        stored = StoredFile(size, digest.hexdigest(), name)
        with self.db:
            self.db.execute(
                "INSERT INTO review__piece VALUES (?, 0, ?, ?)", (draft, position, bytes(waiting))
            )
            self._forget(owner, part)
            self.db.execute(
                "UPDATE review__piece SET owner = ?, part = ? WHERE owner = ?", (owner, part, draft)
            )
            self.db.execute(
                "INSERT INTO review__file VALUES (?, ?, ?, ?, ?)", (owner, part, size, stored.md5, name)
            )
        return stored

    def put(self, component_id: str, name: str, data: bytes) -> None:
        """Store a content that is there as a whole. Does not commit."""
        self.remove(component_id)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self.db.execute(
            "INSERT INTO review__file VALUES (?, 0, ?, ?, ?)", (component_id, len(data), md5, name)
        )
        for position, start in enumerate(range(0, max(len(data), 1), PIECE)):
            piece = (component_id, position, data[start : start + PIECE])
            self.db.execute("INSERT INTO review__piece VALUES (?, 0, ?, ?)", piece)

    def pieces(self, component_id: str, start: int, stop: int) -> Iterator[bytes]:
        """The content from byte `start` to before `stop`, piece by piece; nothing once it is deleted."""
        rows = self.db.execute(
            "SELECT part, position, length(data) FROM review__piece WHERE owner = ? ORDER BY part, position",
            (component_id,),
        ).fetchall()
        at = 0
        for part, position, size in rows:
            if at < stop and at + size > start:
                row = self.db.execute(
                    "SELECT data FROM review__piece WHERE owner = ? AND part = ? AND position = ?",
                    (component_id, part, position),
                ).fetchone()
                yield row[0][max(start - at, 0) : stop - at] if row else b""
            at += size

    def read(self, component_id: str) -> bytes:
        """The content as a whole."""
        stored = self.get(component_id)
        return b"".join(self.pieces(component_id, 0, stored.size)) if stored else b""

    def begin(self, component_id: str, name: str) -> str:
        """Begin an upload in parts; returns its id."""
        upload = uuid.uuid4().hex
        self.db.execute("INSERT INTO review__upload VALUES (?, ?, ?)", (upload, component_id, name))
        return upload

    def upload(self, upload: str) -> tuple[str, str] | None:
        """The component and file name of an upload that has begun and not ended."""
        row = self.db.execute(
            "SELECT component_id, name FROM review__upload WHERE id = ?", (upload,)
        ).fetchone()
        return (str(row[0]), str(row[1])) if row else None

    def parts(self, upload: str) -> dict[int, str]:
        """The parts that have arrived: number to MD5."""
        return dict(
            self.db.execute("SELECT part, md5 FROM review__file WHERE owner = ?", (upload,)).fetchall()
        )

    def complete(self, upload: str, component_id: str, parts: Sequence[int]) -> None:
        """Make the listed parts of an upload the component's content. Does not commit."""
        self.remove(component_id)
        for part in self.parts(upload).keys() - set(parts):
            self._forget(upload, part)
        for table in ("review__file", "review__piece"):
            self.db.execute(f"UPDATE {table} SET owner = ? WHERE owner = ?", (component_id, upload))
        self.db.execute("DELETE FROM review__upload WHERE id = ?", (upload,))

    def remove(self, component_id: str) -> None:
        """Delete a content. Does not commit."""
        for table in ("review__file", "review__piece"):
            self.db.execute(f"DELETE FROM {table} WHERE owner = ?", (component_id,))

    def discard(self, owner: str) -> None:
        """Delete what was received so far."""
        with self.db:
            self.remove(owner)

    def _write(self, draft: str, position: int, data: bytes) -> None:
        with self.db:
            self.db.execute("INSERT INTO review__piece VALUES (?, 0, ?, ?)", (draft, position, data))

    def _forget(self, owner: str, part: int) -> None:
        for table in ("review__file", "review__piece"):
            self.db.execute(f"DELETE FROM {table} WHERE owner = ? AND part = ?", (owner, part))


def _check(told: str, found: str) -> None:
    if told not in {"", found}:
        raise invalid("The content does not have the MD5 that its header tells.")
