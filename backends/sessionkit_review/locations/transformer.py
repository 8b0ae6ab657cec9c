"""Resource identifiers as the server keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_review.session import ReviewSession


class ResourceIdentifierTransformer:
    """Changes resource identifiers on their way to the server and back; this one does not.

    >>> class Slashes(ResourceIdentifierTransformer):
    ...     def encode(self, resource_identifier, context=None): return PureWindowsPath(...).as_posix()

    Args:
        session: For one that asks the server.
    """

    def __init__(self, session: ReviewSession | None = None) -> None:
        self.session = session

    def encode(self, resource_identifier: str, context: Mapping[str, Any] | None = None) -> str:  # noqa: ARG002
        """The identifier as the server is to keep it; `context["component"]` is whose it is."""
        return resource_identifier

    def decode(self, resource_identifier: str, context: Mapping[str, Any] | None = None) -> str:  # noqa: ARG002
        """The identifier as it was before `encode`."""
        return resource_identifier
