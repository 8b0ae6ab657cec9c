"""Users, their keys, their roles and invitations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.errors import forbidden, invalid
from sessionkit_review.sandbox.operations.call import Call, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_review.sandbox.storage import Row

Json = dict[str, Any]


def reset_remote(call: Call, operation: Mapping[str, Any]) -> Json:
    """Give a user a new API key: the asking one, or the one named."""
    if operation.get("reset_type") != "api_key":
        raise invalid(f"reset_remote: there is nothing called {operation.get('reset_type')!r} to reset.")
    key = operation.get("entity_key")
    row = call.batch.find("User", [key] if isinstance(key, str) else key)[2] if key else {}
    username = row.get("username", call.user.username)
    if username != call.user.username and not call.user.may("update", "User"):
        raise forbidden(f"{call.user.username} may not reset the key of {username}.")
    return {"action": "reset_remote", "data": {"api_key": call.access.new_key(username)}}


def send_user_invite(call: Call, operation: Mapping[str, Any]) -> Json:
    """Invite a user; the sandbox sends no mail, it only checks that there is somebody to send it to."""
    row = call.batch.find("User", [text(operation, "user_id")])[2]
    if not row.get("email"):
        raise invalid(f"User {row['username']} has no email address.")
    return {"action": "send_user_invite", "sent": True}


def send_review_session_invite(call: Call, operation: Mapping[str, Any]) -> Json:
    """Invite somebody to a review session, and remember when."""
    invitee = text(operation, "review_session_invitee_id")
    call.batch.update("ReviewSessionInvitee", [invitee], {"last_sent_at": call.batch.scene.now})
    return {"action": "send_review_session_invite", "sent": True}


def add_role(call: Call, operation: Mapping[str, Any]) -> Json:
    """Give a user a security role."""
    user_id, role_id = _named(call, operation)
    if not _held(call, user_id, role_id):
        call.batch.create("UserSecurityRole", {"user_id": user_id, "security_role_id": role_id})
    return _done(operation)


def remove_role(call: Call, operation: Mapping[str, Any]) -> Json:
    """Take a security role from a user."""
    for row in _held(call, *_named(call, operation)):
        call.batch.delete("UserSecurityRole", [row["id"]])
    return _done(operation)


def update_role(call: Call, operation: Mapping[str, Any]) -> Json:
    """Exchange a user's security role for another."""
    new_role = call.batch.find("SecurityRole", [text(operation, "new_role_id")])[1][0]
    for row in _required(call, operation):
        call.batch.update("UserSecurityRole", [row["id"]], {"security_role_id": new_role})
    return _done(operation)


def grant_project(call: Call, operation: Mapping[str, Any]) -> Json:
    """Let a role hold on one project, or on all open ones."""
    for row in _required(call, operation):
        if operation.get("all_open_projects"):
            call.batch.update("UserSecurityRole", [row["id"]], {"is_all_open_projects": True})
            continue
        project_id = call.batch.find("Project", [text(operation, "project_id")])[1][0]
        if not _projects(call, row, project_id):
            data = {"user_security_role_id": row["id"], "project_id": project_id}
            call.batch.create("UserSecurityRoleProject", data)
    return _done(operation)


def revoke_project(call: Call, operation: Mapping[str, Any]) -> Json:
    """The opposite of granting."""
    for row in _required(call, operation):
        if operation.get("all_open_projects"):
            call.batch.update("UserSecurityRole", [row["id"]], {"is_all_open_projects": False})
            continue
        for granted in _projects(call, row, text(operation, "project_id")):
            call.batch.delete("UserSecurityRoleProject", [granted["id"]])
    return _done(operation)


def _named(call: Call, operation: Mapping[str, Any]) -> tuple[str, str]:
    """The user and the role that an operation is about, once the caller may change roles."""
    call.user.check("update", "UserSecurityRole")
    user_id = call.batch.find("User", [text(operation, "user_id")])[1][0]
    return user_id, call.batch.find("SecurityRole", [text(operation, "role_id")])[1][0]


def _held(call: Call, user_id: str, role_id: str) -> list[Row]:
    held = call.storage.schema.get("UserSecurityRole")
    return call.storage.rows(held, "user_id = ? AND security_role_id = ?", (user_id, role_id))


def _required(call: Call, operation: Mapping[str, Any]) -> list[Row]:
    held = _held(call, *_named(call, operation))
    if not held:
        raise invalid(f"{operation['action']}: the user does not have this role.")
    return held


def _projects(call: Call, row: Row, project_id: str) -> list[Row]:
    granted = call.storage.schema.get("UserSecurityRoleProject")
    return call.storage.rows(granted, "user_security_role_id = ? AND project_id = ?", (row["id"], project_id))


def _done(operation: Mapping[str, Any]) -> Json:
    return {"action": operation["action"], "data": True}
