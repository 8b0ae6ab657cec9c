"""`Location`: a place where the files of components are."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit.events import Event
from sessionkit_review.collection import Collection
from sessionkit_review.entity import Entity
from sessionkit_review.errors import (
    ComponentInLocation,
    ComponentNotInLocation,
    InvalidArgument,
    LocationError,
    ResourceNotFound,
    UnsupportedOperation,
)
from sessionkit_review.locations.data import copy, opened
from sessionkit_review.locations.disk import DiskAccessor
from sessionkit_review.locations.transformer import ResourceIdentifierTransformer
from sessionkit_review.symbols import ORIGIN_LOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from sessionkit_review.locations.accessor import Accessor
    from sessionkit_review.locations.structure import Structure

    Source: TypeAlias = "Location | str | os.PathLike[str]"


@dataclass
class Setup:
    """What this machine knows of a location.

    Attributes:
        accessor: Its storage; None when it cannot be reached from here.
        structure: How files are named in it.
        priority: Lower ones are used sooner.
        transformer: Between names here and on the server.
        keeps_files: Whether adding a component copies its files, or only notes where they are.
        remembered: Of a location that only this session knows: component ids and their names.
    """

    accessor: Accessor | None = None
    structure: Structure | None = None
    priority: int = 95
    transformer: ResourceIdentifierTransformer = field(default_factory=ResourceIdentifierTransformer)
    keeps_files: bool = True
    remembered: dict[str, str] | None = None


class Location(Entity):
    """A place where the files of components are.

    >>> location = session.ensure("Location", {"name": "studio.disk"})
    >>> location.accessor = DiskAccessor(prefix="/mnt/studio")
    >>> location.structure = StandardStructure()
    >>> location.add_component(component, session.pick_location(component))
    """

    __slots__ = ()

    @property
    def setup(self) -> Setup:
        """What this machine knows of it."""
        return self.session.location_setups.setdefault(self.primary_key[0], Setup())

    @property
    def accessor(self) -> Accessor | None:
        """Its storage; None when it cannot be reached from here."""
        return self.setup.accessor

    @accessor.setter
    def accessor(self, accessor: Accessor | None) -> None:
        self.setup.accessor = accessor

    @property
    def structure(self) -> Structure | None:
        """How files are named in it."""
        return self.setup.structure

    @structure.setter
    def structure(self, structure: Structure | None) -> None:
        self.setup.structure = structure

    @property
    def priority(self) -> int:
        """Lower ones are used sooner."""
        return self.setup.priority

    @priority.setter
    def priority(self, priority: int) -> None:
        self.setup.priority = priority

    @property
    def resource_identifier_transformer(self) -> ResourceIdentifierTransformer:
        """Changes names on their way to the server and back."""
        return self.setup.transformer

    @resource_identifier_transformer.setter
    def resource_identifier_transformer(self, transformer: ResourceIdentifierTransformer) -> None:
        self.setup.transformer = transformer

    # --- adding and removing ---

    def add_component(self, component: Entity, source: Source, recursive: bool = True) -> None:
        """See `add_components`."""
        self.add_components([component], [source], recursive)

    def add_components(
        self,
        components: Sequence[Entity],
        sources: Source | Sequence[Source],
        recursive: bool = True,
    ) -> None:
        """Copy components from other locations, note them as being here, and commit.

        When something goes wrong on the way, what was copied before is removed again.

        Args:
            components: What to add.
            sources: Where each of them is, a location or the path of a file of this machine; one for all.
            recursive: Also the members of containers.

        Raises:
            ComponentInLocation: when one is here already.
            ComponentNotInLocation: when one is not at its source.
            LocationError: when this location cannot be reached, cannot name a component, or has another file
                of that name.
            ConfigurationError: when there are not as many sources as components, or one is no source.
        """
        # Of a sequence some frames may be here, and only the others are missing.
        parts = [each for item in components for each in _with_members(item, recursive=True)]
        there = self._names([each["id"] for each in parts])
        present = [item for item in components if all(each["id"] in there for each in files_of(item))]
        if present:
            raise ComponentInLocation(
                f"{', '.join(map(str, present))} is in {self['name']} already", details=self._about(present)
            )
        self._add(components, sources, recursive, there)

    def add_new_components(
        self,
        components: Sequence[Entity],
        sources: Source | Sequence[Source],
        recursive: bool = True,
    ) -> None:
        """See `add_components`, for those that were created a moment ago: nothing is asked about them."""
        self._add(components, sources, recursive, {})

    def _add(
        self,
        components: Sequence[Entity],
        sources: Source | Sequence[Source],
        recursive: bool,
        there: Mapping[str, str],
    ) -> None:
        """Add components and their members, but for those that are `there` already."""
        froms: list[Source]
        if isinstance(sources, (Location, str, os.PathLike)):
            froms = [sources] * len(components)
        else:
            froms = list(sources)
        if len(froms) != len(components):
            raise ConfigurationError(f"{len(components)} components cannot come from {len(froms)} sources")
        for component, source in zip(components, froms, strict=True):
            if recursive and isinstance(source, (str, os.PathLike)) and len(files_of(component)) > 1:
                raise ConfigurationError(
                    f"{source} is one file, and not the source of all files of {component}",
                    hint="name the location where they are, or add each by its own path",
                )
        pairs = [
            (each, source)
            for component, source in zip(components, froms, strict=True)
            for each in _with_members(component, recursive=recursive)
            if each["id"] not in there
        ]
        origins, placed, encode = _origins(pairs), dict[Entity, str](), self.setup.transformer.encode
        try:
            for component, source in pairs:
                placed[component] = self._place(component, source, origins[component])
            kept = {each: encode(name, {"component": each}) for each, name in placed.items()}
        except BaseException:
            self._undo(placed)
            raise
        self._note(placed, kept)

    def _place(self, component: Entity, source: Source, origin: str) -> str:
        """Bring one component's file here; its resource identifier."""
        if self.accessor is None or self.structure is None:
            raise LocationError(
                f"the location {self['name']} has no accessor or structure here",
                hint="set them first",
                details=self._about([component]),
            )
        identifier = self.structure.get_resource_identifier(component, {"source_resource_identifier": origin})
        if self.setup.keeps_files:
            self._store(component, identifier, source, origin)
        return identifier

    def _store(self, component: Entity, identifier: str, source: Source, origin: str) -> None:
        target = self._reached()
        if component.entity_type == "SequenceComponent":
            return  # nothing but its members
        if "members" in component.attributes:
            with contextlib.suppress(UnsupportedOperation):  # a storage without containers
                target.make_container(identifier)
            return
        # A name that is the component's own id can be no other's, and need not be looked for.
        if identifier != component["id"] and target.exists(identifier):
            raise LocationError(
                f"{self['name']} has a file {identifier!r} already, which is not overwritten",
                hint="give the component another name, or remove the file",
                details=self._about([component]),
            )
        reached = source._reached() if isinstance(source, Location) else DiskAccessor()  # noqa: SLF001 - a location's too
        with _as_file(reached, origin) as path:
            target.put(identifier, path)

    def _undo(self, placed: dict[Entity, str]) -> None:
        if self.accessor is not None and self.setup.keeps_files:
            for component, identifier in placed.items():
                if "members" not in component.attributes:
                    with contextlib.suppress(Exception):  # the first error is the one to report
                        self.accessor.remove(identifier)

    def _note(self, placed: dict[Entity, str], kept: Mapping[Entity, str]) -> None:
        """Note where the components are, under the names that the server keeps, and tell others."""
        if self.setup.remembered is not None:
            self.setup.remembered.update({each["id"]: name for each, name in placed.items()})
        else:
            self._commit_notes(placed, kept)
        for component in placed:
            self._tell("ftrack.location.component-added", component)

    def _commit_notes(self, placed: dict[Entity, str], kept: Mapping[Entity, str]) -> None:
        session, made = self.session, list[Entity]()
        with session.committer.lock:  # so that nobody else sends what may have to be taken back
            for component, name in kept.items():
                data = {"component_id": component["id"], "location_id": self["id"]}
                made.append(session.create("ComponentLocation", {**data, "resource_identifier": name}))
            try:
                session.commit()
            except BaseException:
                # One that may have been carried out is found out about by the next commit.
                if not session.committer.in_doubt:
                    for each in made:
                        session.unit.withdraw(each)
                    self._undo(placed)
                raise

    def remove_component(self, component: Entity, recursive: bool = True) -> None:
        """See `remove_components`."""
        self.remove_components([component], recursive)

    def remove_components(self, components: Iterable[Entity], recursive: bool = True) -> None:
        """Remove components' files from here, and the notes that they are here, and commit.

        Raises:
            ComponentNotInLocation: when one is not here; then all of them stay.
            AccessorError: when a file could not be removed; then it stays, and those after it, until the
                component is removed once more.
        """
        wanted = dict.fromkeys(components)
        # Members first: what they belong to stays until the last of them is gone.
        parts = [each for item in wanted for each in reversed(_with_members(item, recursive=recursive))]
        names = self._names([each["id"] for each in parts])
        here = [each for each in dict.fromkeys(parts) if each["id"] in names or each in wanted]
        removed: list[Entity] = []
        try:
            for component, identifier in zip(here, self._decoded(names, here), strict=True):
                self._remove(component, identifier)
                removed.append(component)
        finally:
            self._forget(removed)

    def _remove(self, component: Entity, identifier: str) -> None:
        if self.accessor is not None and self.setup.keeps_files and "members" not in component.attributes:
            with contextlib.suppress(ResourceNotFound):  # gone already, which is what was wanted
                self.accessor.remove(identifier)

    def _forget(self, components: Sequence[Entity]) -> None:
        """Note that components are not here any more, and tell others."""
        ids = [component["id"] for component in components]
        if self.setup.remembered is not None:
            for each in ids:
                self.setup.remembered.pop(each, None)
        elif ids:
            noted = self.session.select("ComponentLocation")
            for entity in noted.where(component_id__in=ids, location_id=self["id"]).all():
                self.session.delete(entity)
            self.session.commit()
        for component in components:
            self._tell("ftrack.location.component-removed", component)

    def _tell(self, topic: str, component: Entity) -> None:
        data = {"component_id": component["id"], "location_id": self["id"]}
        hub = self.session._hub  # noqa: SLF001 - a session that has no hub tells nobody
        if hub is not None:
            hub.publish(Event(topic, data=data), on_error="ignore")

    # --- asking ---

    def get_component_availability(self, component: Entity) -> float:
        """How much of a component is here, in percent."""
        return self.get_component_availabilities([component])[0]

    def get_component_availabilities(self, components: Sequence[Entity]) -> list[float]:
        """How much of each component is here, in percent."""
        return [found[self["id"]] for found in self.session.get_component_availabilities(components, [self])]

    def get_resource_identifier(self, component: Entity) -> str:
        """See `get_resource_identifiers`."""
        return self.get_resource_identifiers([component])[0]

    def get_resource_identifiers(self, components: Sequence[Entity]) -> list[str]:
        """The names that components have here.

        Raises:
            ComponentNotInLocation: when one is not here.
        """
        return self._decoded(self._names([component["id"] for component in components]), components)

    def _decoded(self, names: Mapping[str, str], components: Sequence[Entity]) -> list[str]:
        missing = [component for component in components if component["id"] not in names]
        if missing:
            raise ComponentNotInLocation(
                f"{', '.join(map(str, missing))} is not in {self['name']}", details=self._about(missing)
            )
        decode = self.setup.transformer.decode
        return [decode(names[each["id"]], {"component": each}) for each in components]

    def _names(self, ids: Sequence[str]) -> dict[str, str]:
        if self.setup.remembered is not None:
            return {each: self.setup.remembered[each] for each in ids if each in self.setup.remembered}
        wanted = self.session.select("ComponentLocation", "component_id", "resource_identifier")
        found = wanted.where(location_id=self["id"], component_id__in=list(ids)).all()
        return {each["component_id"]: each["resource_identifier"] for each in found}

    def get_filesystem_path(self, component: Entity) -> str:
        """Where on this machine a component is.

        Raises:
            UnsupportedOperation: when the location is no file system.
        """
        return self._reached().get_filesystem_path(self.get_resource_identifier(component))

    def get_filesystem_paths(self, components: Sequence[Entity]) -> list[str]:
        """Where on this machine components are."""
        return [self._reached().get_filesystem_path(n) for n in self.get_resource_identifiers(components)]

    def get_url(self, component: Entity) -> str:
        """A component's URL.

        Raises:
            UnsupportedOperation: when the location has none.
        """
        return self._reached().get_url(self.get_resource_identifier(component))

    def get_urls(self, components: Sequence[Entity]) -> list[str]:
        """Components' URLs."""
        return [self._reached().get_url(name) for name in self.get_resource_identifiers(components)]

    def get_thumbnail_url(self, component: Entity, size: int | None = None) -> str:
        """The URL of a picture of a component.

        Raises:
            UnsupportedOperation: unless this is the server's own location.
        """
        accessor: Any = self._reached()
        if not hasattr(accessor, "get_thumbnail_url"):
            raise UnsupportedOperation(f"the location {self['name']} makes no thumbnails")
        return str(accessor.get_thumbnail_url(self.get_resource_identifier(component), size))

    def _reached(self) -> Accessor:
        if self.accessor is None:
            raise LocationError(f"the location {self['name']} has no accessor here", hint="set one first")
        return self.accessor

    def _about(self, components: Iterable[Entity]) -> dict[str, Any]:
        """The details of an error: identifiers, which may go to another process."""
        return {"location_id": self["id"], "component_ids": [each["id"] for each in components]}

    @property
    def is_origin(self) -> bool:
        """Whether this is where components come from before they are anywhere."""
        return self.primary_key[0] == ORIGIN_LOCATION_ID


def _origins(pairs: Iterable[tuple[Entity, Source]]) -> dict[Entity, str]:
    """The name of each component where it comes from; each location is asked once."""
    found: dict[Entity, str] = {}
    located: dict[Location, list[Entity]] = {}
    for component, source in pairs:
        if isinstance(source, Location):
            located.setdefault(source, []).append(component)
        elif isinstance(source, (str, os.PathLike)):
            found[component] = os.fspath(source)
        else:
            raise InvalidArgument(f"a source is a location or a path, not {source!r}")
    for location, components in located.items():
        found.update(zip(components, location.get_resource_identifiers(components), strict=True))
    return found


def _with_members(component: Entity, *, recursive: bool) -> list[Entity]:
    if not recursive or "members" not in component.attributes:
        return [component]
    return [
        component,
        *(each for item in component["members"] for each in _with_members(item, recursive=True)),
    ]


def files_of(component: Entity) -> list[Entity]:
    """What has to be somewhere for a component to be there: its members, if it has any, else itself."""
    members = component["members"] if "members" in component.attributes else None
    if isinstance(members, Collection) and len(members):
        return [each for member in members for each in files_of(member)]
    return [component]


@contextlib.contextmanager
def _as_file(accessor: Accessor, identifier: str) -> Iterator[Path]:
    """What is stored, as a file of this machine: itself, or a copy for a while."""
    found = None
    with contextlib.suppress(NotImplementedError):  # `UnsupportedOperation`, or what others raise for that
        found = Path(accessor.get_filesystem_path(identifier))
    if found is not None:
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="sessionkit-") as folder:
        path = Path(folder, "content")
        with opened(accessor.open(identifier, "rb")) as source, path.open("wb") as target:
            copy(source, target)
        yield path
