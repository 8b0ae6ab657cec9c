"""Versions and components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_review.entity import Entity

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from sessionkit_review.locations.location import Location


class Component(Entity):
    """A component: a file, a sequence of files, or a container of components."""

    __slots__ = ()

    def get_availability(self, locations: Iterable[Entity] | None = None) -> dict[str, float]:
        """How much of it each location has, in percent, by the location's id."""
        return self.session.get_component_availability(self, locations)


class AssetVersion(Entity):
    """A version of an asset."""

    __slots__ = ()

    def create_component(
        self,
        path: str | os.PathLike[str],
        data: dict[str, Any] | None = None,
        location: Location | str | None = None,
    ) -> Entity:
        """Add a component to the version; see `ReviewSession.create_component`.

        Unlike there, it stays where it is unless a location is given; "auto" picks one.
        """
        values = {name: value for name, value in (data or {}).items() if name != "version_id"}
        return self.session.create_component(path, {**values, "version": self}, location)

    def encode_media(
        self, media: Entity | str | os.PathLike[str], keep_original: bool | str = "auto"
    ) -> Entity:
        """Have the server make pictures and films for the web; see `ReviewSession.encode_media`."""
        return self.session.encode_media(media, self["id"], keep_original)
