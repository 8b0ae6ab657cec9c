"""Workflows, jobs, and what has a thumbnail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit.errors import ConfigurationError
from sessionkit_review.entity import Entity

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from sessionkit_review.collection import Collection


class CreateThumbnailMixin(Entity):
    """What has a thumbnail."""

    __slots__ = ()

    def create_thumbnail(self, path: str | os.PathLike[str], data: dict[str, Any] | None = None) -> Entity:
        """Upload a picture and make it the thumbnail; the component, committed.

        Args:
            path: The picture.
            data: Values for the component.
        """
        session = self.session
        component = session.create_component(
            path, data={"name": "thumbnail", **(data or {})}, location=session.server_location
        )
        # The entity may not exist on the server before the component does, nor refer to it before.
        self["thumbnail_id"] = component["id"]
        session.commit()
        return component


class Job(Entity):
    """A job. Those that a client makes are of type "api_job"."""

    __slots__ = ()
    only: ClassVar[Mapping[str, Any]] = {"type": "api_job"}


class ProjectSchema(Entity):
    """A workflow: which statuses and types there are for what."""

    __slots__ = ()

    def get_statuses(self, schema: str, type_id: str | None = None) -> list[Entity]:
        """The statuses that entities of a type may have.

        Args:
            schema: "Task", "AssetVersion", or the name of another object type.
            type_id: Of the task's type, where a workflow has exceptions.

        Raises:
            ConfigurationError: when the schema has nothing for it.
        """
        if schema == "AssetVersion":
            return list(self["asset_version_workflow_schema"]["statuses"])
        if schema == "Task":
            for override in self["task_workflow_schema_overrides"] if type_id else ():
                if override["type_id"] == type_id:
                    return list(override["workflow_schema"]["statuses"])
            return list(self["task_workflow_schema"]["statuses"])
        return [each["task_status"] for each in self._schema_of(schema)["statuses"]]

    def get_types(self, schema: str) -> list[Entity]:
        """The types that entities may have.

        Args:
            schema: "Task", or the name of another object type.

        Raises:
            ConfigurationError: when the schema has nothing for it.
        """
        if schema == "Task":
            return list(self["task_type_schema"]["types"])
        return [each["task_type"] for each in self._schema_of(schema)["types"]]

    def _schema_of(self, name: str) -> Entity:
        schemas: Collection = self["object_type_schemas"]
        for schema in schemas:
            object_type = self.session.get("ObjectType", schema["object_type_id"] or "")
            if object_type is not None and object_type["name"].replace(" ", "") == name:
                return schema
        raise ConfigurationError(f"this project schema has nothing for {name!r}")
