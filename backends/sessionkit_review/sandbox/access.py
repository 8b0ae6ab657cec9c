"""Who may do what: API keys, signed URLs and security roles."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sessionkit_review.sandbox.batch import Batch
from sessionkit_review.sandbox.behaviours import Scene
from sessionkit_review.sandbox.errors import ApiError, forbidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit.sandbox.service import Host
    from sessionkit_review.sandbox.storage import Storage

ANY = "*"
SIGNED_FOR = 3600
"""Seconds for which a signed URL may be used."""

_WRITES = ("create", "update", "delete")
_PEOPLE = ("User", "Group", "SecurityRole", "UserSecurityRole", "UserSecurityRoleProject", "Membership")
_STUDIO = (
    "Project",
    "ProjectSchema",
    "WorkflowSchema",
    "Status",
    "Type",
    "ObjectType",
    "CustomAttributeConfiguration",
)

# What each role may not do: (operation, type) pairs. A user without roles may do everything.
_DENIED: dict[str, frozenset[tuple[str, str]]] = {
    "Administrator": frozenset(),
    "Project Manager": frozenset(
        (action, name) for action in _WRITES for name in _PEOPLE if name != "Membership"
    ),
    "User": frozenset((action, name) for action in _WRITES for name in (*_PEOPLE, *_STUDIO)),
}
_READER_MAY = frozenset({("create", "Note"), ("create", "ReviewSessionObjectStatus")})


@dataclass(frozen=True, slots=True)
class User:
    """Who is asking.

    Attributes:
        roles: Names of the user's security roles; without any there are no limits.
    """

    id: str
    username: str
    roles: frozenset[str] = frozenset()

    def may(self, action: str, entity_type: str) -> bool:
        """Whether one of the roles allows `action` on entities of this type."""
        return not self.roles or any(_allows(role, action, entity_type) for role in self.roles)

    def check(self, action: str, entity_type: str) -> None:
        """Raise what the service says when the user may not."""
        if not self.may(action, entity_type):
            raise forbidden(f"{self.username} may not {action} {entity_type} entities.")


def _allows(role: str, action: str, entity_type: str) -> bool:
    if role in _DENIED:
        return (action, entity_type) not in _DENIED[role]
    return action not in _WRITES or (action, entity_type) in _READER_MAY


class Access:
    """Keeps the API keys and signs URLs."""

    def __init__(self, storage: Storage, host: Host) -> None:
        self.storage = storage
        self.host = host

    def create(self) -> None:
        """Make the table of keys, and the secret that signs URLs."""
        self.storage.db.execute(
            "CREATE TABLE IF NOT EXISTS review__key (username TEXT PRIMARY KEY, api_key TEXT)"
        )
        if self.storage.setting("secret") is None:
            self.storage.set_setting("secret", secrets.token_hex(32))

    def set_key(self, username: str, api_key: str) -> None:
        """Give a user a key; "*" as key accepts any, "*" as user stands for every user."""
        self.storage.db.execute("INSERT OR REPLACE INTO review__key VALUES (?, ?)", (username, api_key))

    def new_key(self, username: str) -> str:
        """Replace a user's key."""
        api_key = str(uuid.uuid4())
        self.set_key(username, api_key)
        return api_key

    def forget(self) -> None:
        """Remove every key."""
        self.storage.db.execute("DELETE FROM review__key")

    def sign_in(self, headers: Mapping[str, str], query: Mapping[str, str]) -> User:
        """The user whose key came with a request, in its headers or its query.

        Raises:
            ApiError: InvalidCredentialsError.
        """
        username = headers.get("ftrack-user") or query.get("username") or query.get("api_user") or ""
        api_key = headers.get("ftrack-api-key") or query.get("apiKey") or query.get("api_key") or ""
        found = self._user(username) if username and self._accepts(username, api_key) else None
        if found is None:
            raise ApiError(
                "InvalidCredentialsError",
                "The user or API key is not known, or the user is not active.",
                status=401,
                error_code="api_credentials_invalid",
            )
        return found

    def _accepts(self, username: str, api_key: str) -> bool:
        rows = self.storage.db.execute(
            "SELECT api_key FROM review__key WHERE username IN (?, ?) ORDER BY username = ?",
            (username, ANY, ANY),
        ).fetchall()
        given = api_key.encode("utf-8", "replace")
        return (
            bool(rows)
            and bool(api_key)
            and (rows[0][0] == ANY or hmac.compare_digest(str(rows[0][0]).encode(), given))
        )

    def _user(self, username: str) -> User | None:
        user_type = self.storage.schema.get("User")
        rows = self.storage.rows(user_type, "username = ?", (username,))
        if not rows:  # signed in by a key that stands for every user
            self._welcome(username)
            return self._user(username)
        if not rows or rows[0].get("is_active") == 0:
            return None
        return User(rows[0]["id"], username, frozenset(self._roles(rows[0]["id"])))

    def _welcome(self, username: str) -> None:
        with self.storage.db:
            batch = Batch(Scene(self.storage, None, self.host.clock.time()), lenient=True)
            batch.create("User", {"username": username, "is_active": True})

    def _roles(self, user_id: str) -> list[str]:
        if "UserSecurityRole" not in self.storage.schema or "SecurityRole" not in self.storage.schema:
            return []
        cursor = self.storage.db.execute(
            "SELECT r.name FROM review_UserSecurityRole u "
            "JOIN review_SecurityRole r ON r.id = u.security_role_id WHERE u.user_id = ?",
            (user_id,),
        )
        return [str(row[0]) for row in cursor]

    def url(self, operation: str, component_id: str, **details: str) -> str:
        """A URL by which anybody may do `operation` ("get", "put", "thumbnail") for an hour."""
        path = {"put": "upload"}.get(operation, operation)
        expires = str(int(self.host.clock.time()) + SIGNED_FOR)
        query = {"id": component_id, **details, "expires": expires}
        query["signature"] = self._signature(path, query)
        return f"{self.host.url}/component/{path}?{urlencode(query)}"

    def is_signed(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether a request came by a URL of ours that can still be used."""
        signed = {name: value for name, value in query.items() if name not in {"signature", "size"}}
        given = query.get("signature", "").encode("utf-8", "replace")
        fresh = query.get("expires", "").isdecimal() and float(query["expires"]) > self.host.clock.time()
        return fresh and hmac.compare_digest(self._signature(path, signed).encode(), given)

    def _signature(self, path: str, query: Mapping[str, str]) -> str:
        message = f"{path}?{urlencode(sorted(query.items()), errors='replace')}".encode()
        secret = (self.storage.setting("secret") or "").encode()
        return hmac.new(secret, message, hashlib.sha256).hexdigest()
