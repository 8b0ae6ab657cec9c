"""What a session asks of the server besides entities: information, widgets, invitations, media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import UnexpectedResponse
from sessionkit_review.core import ReviewCore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionkit_review.entity import Entity


class RemoteOperations(ReviewCore):
    """The operations that have a method of their own; all others go through `session.call`."""

    def query_server_information(self, values: Sequence[str] | None = None) -> dict[str, Any]:
        """What the server says of itself.

        Args:
            values: Only these; everything when None.
        """
        operation: dict[str, Any] = {"action": "query_server_information"}
        if values is not None:
            operation["values"] = list(values)
        found = self.read_operations([operation])[0]
        if not isinstance(found, dict):
            raise UnexpectedResponse("the server information makes no sense")
        return found

    def get_widget_url(self, name: str, entity: Entity | None = None, theme: str | None = None) -> str:
        """The URL of a page of the web interface, with this session's user signed in.

        Args:
            name: Such as "info" or "tasks".
            entity: What it shows.
            theme: "light" or "dark".
        """
        operation: dict[str, Any] = {"action": "get_widget_url", "name": name, "theme": theme}
        if entity is not None:
            operation |= {"entity_type": entity.entity_type, "entity_key": list(entity.primary_key)}
        return str(self.read_text(operation, "widget_url"))

    def send_user_invite(self, user: Entity) -> None:
        """Have the server invite a user by email."""
        self.commit_before(user)
        self.send_operations([{"action": "send_user_invite", "user_id": user["id"]}])

    def send_user_invites(self, users: Sequence[Entity]) -> None:
        """Have the server invite several users."""
        for user in users:
            self.send_user_invite(user)

    def send_review_session_invite(self, invitee: Entity) -> None:
        """Have the server invite somebody to a review session by email."""
        self.commit_before(invitee)
        operation = {"action": "send_review_session_invite", "review_session_invitee_id": invitee["id"]}
        self.send_operations([operation])
        self.refresh(invitee)

    def send_review_session_invites(self, invitees: Sequence[Entity]) -> None:
        """Have the server invite several to a review session."""
        for invitee in invitees:
            self.send_review_session_invite(invitee)

    def reset_remote(self, reset_type: str, entity: Entity | None = None) -> Mapping[str, Any]:
        """Have the server reset something, such as an "api_key"; what is new.

        Args:
            reset_type: What.
            entity: Whose; of this session's user when None.
        """
        operation: dict[str, Any] = {"action": "reset_remote", "reset_type": reset_type}
        if entity is not None:
            operation |= {"entity_type": entity.entity_type, "entity_key": entity.primary_key[0]}
        found: Mapping[str, Any] = self.one_result(operation, "data")
        return found

    # --- shared by these ---

    def one_result(self, operation: Mapping[str, Any], name: str) -> Any:
        """Send one operation and return one field of its result.

        Raises:
            UnexpectedResponse: when the result has none.
        """
        result = self.send_operations([operation])
        if len(result) != 1 or not isinstance(result[0], dict) or name not in result[0]:
            raise UnexpectedResponse(f"{operation['action']} was answered without {name}")
        return result[0][name]

    def read_text(self, operation: Mapping[str, Any], name: str) -> Any:
        """Like `one_result`, for an operation that changes nothing."""
        result = self.read_operations([operation])
        if not isinstance(result[0], dict) or name not in result[0]:
            raise UnexpectedResponse(f"{operation['action']} was answered without {name}")
        return result[0][name]

    def commit_before(self, entity: Entity) -> None:
        """Commit, if an entity that the server is asked about does not exist there yet."""
        if self.unit.state(entity):
            self.commit()
