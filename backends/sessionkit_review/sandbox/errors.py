"""The one error that leaves an operation: what the service puts into its answer."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An operation was refused.

    Args:
        exception: The service's name for it, such as "ValidationError".
        content: A sentence for people.
        status: HTTP status in strict mode; otherwise errors travel with 200.
        error_code: The service's code, or None.
    """

    def __init__(
        self, exception: str, content: str, *, status: int = 400, error_code: str | None = None
    ) -> None:
        super().__init__(content)
        self.exception = exception
        self.content = content
        self.status = status
        self.error_code = error_code

    def as_json(self) -> dict[str, Any]:
        """The body of the answer."""
        return {
            "exception": self.exception,
            "content": self.content,
            "error_code": self.error_code,
            "error": {},
        }


def invalid(content: str) -> ApiError:
    """What was asked for makes no sense as it is."""
    return ApiError("ValidationError", content)


def forbidden(content: str) -> ApiError:
    """The user is known and may not do this."""
    return ApiError("PermissionError", content, status=403)


def missing(content: str) -> ApiError:
    """Something that was named does not exist."""
    return ApiError("KeyError", content, status=404)


def duplicate(content: str) -> ApiError:
    """It exists already, and there can be only one."""
    return ApiError("DuplicateEntryError", content, status=409)


def in_use(content: str) -> ApiError:
    """Others depend on it."""
    return ApiError("IntegrityError", content, status=409)
