"""Values with a meaning of their own, and the identifiers that every server knows."""

from __future__ import annotations

from typing import Final


class Symbol:
    """A value that is only ever itself. It is false, so that `if entity["name"]:` reads well.

    >>> NOT_SET
    NOT_SET
    >>> bool(NOT_SET)
    False
    """

    __slots__ = ("name", "truth")

    def __init__(self, name: str, *, truth: bool = False) -> None:
        self.name = name
        self.truth = truth

    def __bool__(self) -> bool:
        return self.truth

    def __repr__(self) -> str:
        return self.name

    def __copy__(self) -> Symbol:
        return self

    def __deepcopy__(self, memo: object) -> Symbol:
        return self

    def __reduce__(self) -> str:
        return self.name  # pickles as the name in this module


NOT_SET: Final = Symbol("NOT_SET")
"""An attribute that has no value here: it was not asked for, and nobody set it."""

CREATED: Final = Symbol("CREATED", truth=True)
MODIFIED: Final = Symbol("MODIFIED", truth=True)
DELETED: Final = Symbol("DELETED", truth=True)

ORIGIN_LOCATION_ID: Final = "ce9b348f-8809-11e3-821c-20c9d081909b"
UNMANAGED_LOCATION_ID: Final = "cb268ecc-8809-11e3-a7e2-20c9d081909b"
REVIEW_LOCATION_ID: Final = "cd41be70-8809-11e3-b98a-20c9d081909b"
CONNECT_LOCATION_ID: Final = "07b82a97-8cf9-11e3-9383-20c9d081909b"
SERVER_LOCATION_ID: Final = "3a372bde-05bc-11e4-8908-20c9d081909b"

LOCATIONS: Final = {
    ORIGIN_LOCATION_ID: "ftrack.origin",
    UNMANAGED_LOCATION_ID: "ftrack.unmanaged",
    REVIEW_LOCATION_ID: "ftrack.review",
    CONNECT_LOCATION_ID: "ftrack.connect",
    SERVER_LOCATION_ID: "ftrack.server",
}
"""The names of the locations that every server has."""
