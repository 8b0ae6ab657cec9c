"""The answers that say no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping


class ApiError(Exception):
    """Ends a request with an HTTP status and a JSON body that says why.

    >>> raise ApiError(404, "There is no camera VADOT-1.")
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def render(error: ApiError) -> JSONResponse:
    """The response for an `ApiError`."""
    body = {"statusCode": error.status, "message": error.message}
    return JSONResponse(body, error.status, error.headers)
