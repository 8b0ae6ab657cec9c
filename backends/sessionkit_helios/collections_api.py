"""Collections: images put together by hand, by reference."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit.http import Call
from sessionkit_helios import images
from sessionkit_helios.apis import Api, created
from sessionkit_helios.batch import Batch, PartialFailure
from sessionkit_helios.collection import FeatureCollection
from sessionkit_helios.features import Collection
from sessionkit_helios.parameters import encoded, segment, time_text
from sessionkit_helios.search import PAGE, Search

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from sessionkit_helios.images import Images

_SHOWN = 200


class Collections(Api):
    """Images put together by hand."""

    name = "collections"

    def index(self, *, limit: int = PAGE, skip: int = 0, **parameters: Any) -> FeatureCollection[Collection]:
        """Search; see `Cameras.index`.

        Args:
            limit: Entries of a page.
            skip: Entries to leave out at the beginning.
            parameters: The service's: `q`, `created_at_min`, `created_at_max`, `updated_at_min`,
                `updated_at_max`, `sort` (name, created_at, updated_at), `sort_dir`, `aggs` (tags).
        """
        source = Search(self.session, self.name, encoded(parameters), limit, skip)
        return FeatureCollection(source, Collection)

    def show(self, collection_id: str, limit: int = _SHOWN, marker: str | None = None) -> Collection:
        """One collection with the names of its images.

        Args:
            collection_id: Which.
            limit: How many names at most (200).
            marker: A name to begin after, or the beginning of one to begin at.
        """
        arguments = {"limit": limit, "marker": marker}
        return Collection(self._mapping(self.session.get(self._uri(collection_id), arguments)))

    def images(self, collection_id: str, camera: str | None = None) -> list[str]:
        """The names of all images, in order; with `camera`, only of that one."""
        prefix = f"{_hash(camera)}-{camera}_" if camera else ""
        found: list[str] = []
        marker = prefix
        while True:
            names = self.show(collection_id, marker=marker).images
            found += [name for name in names if name.startswith(prefix)]
            if len(names) < _SHOWN or not names[-1].startswith(prefix) or names[-1] <= marker:
                return found
            marker = names[-1]

    def show_image(
        self,
        collection_id: str,
        names: str | Sequence[str],
        out_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Images:
        """Images of a collection by name; see `Cameras.show_image`."""
        wanted = [names] if isinstance(names, str) else list(names)
        uris = [self._image_uri(collection_id, name) for name in wanted]
        return images.fetch(self.session, uris, out_dir, **options)

    def create(self, name: str, description: str = "", tags: Sequence[str] | str | None = None) -> str:
        """A new, empty collection; returns its id."""
        return created(self.session.post("/collections", _about(name, description, tags)), "collection_id")

    def update(
        self,
        collection_id: str,
        name: str | None = None,
        description: str | None = None,
        tags: Sequence[str] | str | None = None,
    ) -> None:
        """Change what is given, and leave the rest."""
        changes = _about(name, description, tags)
        if not changes:
            raise ConfigurationError("there is nothing to change", hint="give name=, description= or tags=")
        self.session.patch(self._uri(collection_id), changes)

    def copy(self, collection_id: str, new_name: str) -> str:
        """A new collection of the same images; returns its id.

        Raises:
            PartialFailure: some images could not be added; the new collection is there, with the others, and
                the hint says its id.
        """
        names = self.images(collection_id)
        original = self.show(collection_id, limit=1)
        identifier = self.create(new_name, original.description or "", original.tags)
        assets = [{"collection_id": collection_id, "image": name} for name in names]
        added = self.add_image(identifier, assets)
        if not added.ok:
            hint = f"the copy is {identifier}; add_image() adds each failure's query to it"
            raise PartialFailure(added.failed, hint=hint)
        return identifier

    def add_image(
        self, collection_id: str, assets: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> Batch[Mapping[str, Any], Any]:
        """Add images by reference, one request each.

        Args:
            collection_id: To which.
            assets: One or several of `{"camera_id": ...}` (the newest image), `{"camera_id": ...,
                "time": ...}`, `{"observation_id": ...}` and `{"collection_id": ..., "image": ...}`.
        """
        wanted = [assets] if isinstance(assets, Mapping) else list(assets)
        uri = f"{self._uri(collection_id)}/images"

        def adding(asset: Mapping[str, Any]) -> Call:
            timed = {"time": time_text(asset["time"])} if asset.get("time") is not None else {}
            return Call("POST", uri, {**asset, **timed})

        return Batch(self.session, wanted, adding)

    def remove_image(self, collection_id: str, names: str | Sequence[str]) -> Batch[str, Any]:
        """Take images out by name, one request each."""
        wanted = [names] if isinstance(names, str) else list(names)
        return Batch(self.session, wanted, lambda name: Call("DELETE", self._image_uri(collection_id, name)))

    def empty(self, collection_id: str) -> int:
        """Take all images out, however many; returns how many there were."""
        removed = 0
        while True:
            # The service takes out a thousand at once.
            answer = self._mapping(self.session.delete(f"{self._uri(collection_id)}/images"))
            total = answer.get("total")
            if not isinstance(total, int):
                raise UnexpectedResponse("the answer does not say how many images were removed")
            removed += total
            if total == 0:
                return removed

    def destroy(self, collection_id: str) -> None:
        """Remove a collection; it must be empty.

        Raises:
            Conflict: it is not.
        """
        self.session.delete(self._uri(collection_id))

    def _image_uri(self, collection_id: str, name: str) -> str:
        return f"{self._uri(collection_id)}/images/{segment(name)}"


def _about(name: str | None, description: str | None, tags: Sequence[str] | str | None) -> dict[str, str]:
    joined = tags if tags is None or isinstance(tags, str) else ",".join(tags)
    given = {"name": name, "description": description, "tags": joined}
    return {key: value for key, value in given.items() if value is not None}


def _hash(camera: str) -> str:
    """What the service puts before a camera's id in the names of its images."""
    return hashlib.md5(camera.encode(), usedforsecurity=False).hexdigest()[:4]
