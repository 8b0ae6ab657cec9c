"""`POST /api`: a list of operations in, a list of results out, in one transaction."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from sessionkit_review.sandbox.errors import invalid
from sessionkit_review.sandbox.operations import entities, media, people, server
from sessionkit_review.sandbox.results import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from sessionkit_review.sandbox.operations.call import Call

OPERATIONS: dict[str, Callable[[Call, Mapping[str, Any]], Any]] = {
    "query": entities.query,
    "search": entities.search,
    "create": entities.create,
    "update": entities.update,
    "delete": entities.delete,
    "query_server_information": server.server_information,
    "query_schemas": server.schemas,
    "permissions": server.permissions,
    "compute_rollups": server.compute_rollups,
    "get_widget_url": server.widget_url,
    "reset_remote": people.reset_remote,
    "send_user_invite": people.send_user_invite,
    "send_review_session_invite": people.send_review_session_invite,
    "add_user_security_role": people.add_role,
    "remove_user_security_role": people.remove_role,
    "update_user_security_role": people.update_role,
    "grant_user_security_role_project": people.grant_project,
    "revoke_user_security_role_project": people.revoke_project,
    "get_upload_metadata": media.upload_metadata,
    "complete_multipart_upload": media.complete_upload,
    "generate_signed_url": media.signed_url,
    "encode_media": media.encode_media,
    "delayed_job": media.delayed_job,
}


def style_of(headers: Mapping[str, str]) -> Style:
    """How a caller wants its answers: `ftrack-strict-api`, `ftrack-api-options: strict=1;denormalize=1`."""
    options = {}
    for option in headers.get("ftrack-api-options", "").replace(":", "=").split(";"):
        name, _, value = option.strip().partition("=")
        options[name] = value.lower() in {"1", "true"}
    strict = headers.get("ftrack-strict-api", "").lower() == "true" or options.get("strict", False)
    return Style(strict=strict, denormalize=options.get("denormalize", False))


def run(call: Call, operations: Any) -> list[Any]:
    """Run operations in order; the caller's transaction decides whether they happened.

    Raises:
        ApiError: for the first operation that is refused.
    """
    if not isinstance(operations, list):
        raise invalid("The body must be a list of operations.")
    results = []
    for operation in operations:
        action = operation.get("action") if isinstance(operation, dict) else None
        found = OPERATIONS.get(action) if isinstance(action, str) else None
        if found is None:
            # Clients look for this wording, the u'' included, to tell an old server from a mistake.
            raise invalid(f"Invalid action u'{action}'")
        results.append(_run(found, call, operation))
    return results


def _run(found: Callable[[Call, Mapping[str, Any]], Any], call: Call, operation: Mapping[str, Any]) -> Any:
    try:
        return found(call, operation)
    except (sqlite3.Error, OverflowError, UnicodeError, RecursionError) as error:
        raise invalid(f"{operation['action']}: the database cannot do this ({error}).") from error


async def body_of(request: Request) -> Any:
    """The request's JSON.

    Raises:
        ApiError: when it is none.
    """
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.") from None


def answer(value: Any, status: int = 200) -> Response:
    """An answer of the API."""
    return Response(json.dumps(value), status, media_type="application/json")
