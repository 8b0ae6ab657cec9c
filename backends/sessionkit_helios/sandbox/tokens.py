"""The token desk: JSON web tokens signed with the sandbox's own key, which expire and can be revoked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

    from sessionkit.clock import Clock

LIFETIME = 93_600.0

_TABLES = """
CREATE TABLE IF NOT EXISTS helios_clients (id TEXT PRIMARY KEY, secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS helios_tokens (
    id TEXT PRIMARY KEY, client TEXT NOT NULL, expires REAL NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS helios_keys (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


@dataclass(frozen=True)
class Holder:
    """Whom a valid token speaks for.

    Attributes:
        client: The client id it was issued to.
        expires_in: Seconds it has left.
    """

    client: str
    expires_in: float


class TokenDesk:
    """Issues tokens to known clients, and knows which are still good.

    Attributes:
        lifetime: Seconds a token lives that is issued from now on.
        requests: How often a token was asked for, by client id; "" for requests that named none.
    """

    def __init__(self, db: sqlite3.Connection, clock: Clock, issuer: str) -> None:
        self._db = db
        self._clock = clock
        self._issuer = issuer
        self.lifetime = LIFETIME
        self.requests: dict[str, int] = {}
        self._key = b""

    def setup(self) -> None:
        """Create the tables, and the key that signs, unless this database has them already."""
        self._db.executescript(_TABLES)
        with self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO helios_keys VALUES ('jwt', ?)", (secrets.token_bytes(32),)
            )
        self._key = self._db.execute("SELECT value FROM helios_keys WHERE name = 'jwt'").fetchone()[0]

    def add_clients(self, clients: dict[str, str], *, replace: bool) -> None:
        """Let `clients` (id -> secret) ask for tokens."""
        with self._db:
            if replace:
                self._db.execute("DELETE FROM helios_clients")
            self._db.executemany("INSERT OR REPLACE INTO helios_clients VALUES (?, ?)", clients.items())

    def issue(self, client: str, secret: str) -> str | None:
        """A new token, or None when the pair is wrong. Every request counts."""
        self.requests[client] = self.requests.get(client, 0) + 1
        row = self._db.execute("SELECT secret FROM helios_clients WHERE id = ?", (client,)).fetchone()
        if row is None or not hmac.compare_digest(row[0].encode(), secret.encode()):
            return None
        now = self._clock.time()
        identifier = secrets.token_hex(8)
        with self._db:
            self._db.execute(
                "INSERT INTO helios_tokens (id, client, expires) VALUES (?, ?, ?)",
                (identifier, client, now + self.lifetime),
            )
        return self._sign(
            {
                "iss": self._issuer,
                "sub": client,
                "jti": identifier,
                "iat": int(now),
                "exp": int(now + self.lifetime),
            }
        )

    def holder(self, token: str) -> Holder | None:
        """Whom `token` speaks for; None when it is forged, expired or revoked."""
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(head).encode()):
            return None
        identifier = json.loads(_decode(head.partition(".")[2]))["jti"]
        row = self._db.execute(
            "SELECT client, expires FROM helios_tokens WHERE id = ? AND NOT revoked", (identifier,)
        ).fetchone()
        if row is None or row[1] <= self._clock.time():
            return None
        return Holder(row[0], row[1] - self._clock.time())

    def set_lifetime(self, seconds: float) -> None:
        """Let tokens issued from now on live `seconds`."""
        self.lifetime = seconds

    def expire_all(self, leaving: float = 0.0) -> None:
        """End the life of every token issued so far, in `leaving` seconds."""
        end = self._clock.time() + leaving
        with self._db:
            self._db.execute("UPDATE helios_tokens SET expires = min(expires, ?)", (end,))

    def revoke_all(self) -> None:
        """Refuse every token issued so far, whatever life it claims to have."""
        with self._db:
            self._db.execute("UPDATE helios_tokens SET revoked = 1")

    def _sign(self, claims: dict[str, Any]) -> str:
        head = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        return f"{head}.{self._signature(head)}"

    def _signature(self, head: str) -> str:
        return _base64(hmac.new(self._key, head.encode(), hashlib.sha256).digest())


def _encode(part: dict[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
