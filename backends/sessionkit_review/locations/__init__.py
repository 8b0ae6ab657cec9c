"""Where the files of components are: locations, what they are stored with, and how they are named there."""

from __future__ import annotations

from sessionkit_review.locations.accessor import Accessor
from sessionkit_review.locations.data import Data, File, FileWrapper, String
from sessionkit_review.locations.disk import DiskAccessor
from sessionkit_review.locations.structure import (
    EntityIdStructure,
    IdStructure,
    OriginStructure,
    StandardStructure,
    Structure,
)
from sessionkit_review.locations.transformer import ResourceIdentifierTransformer

__all__ = [
    "Accessor",
    "Data",
    "DiskAccessor",
    "EntityIdStructure",
    "File",
    "FileWrapper",
    "IdStructure",
    "OriginStructure",
    "ResourceIdentifierTransformer",
    "StandardStructure",
    "String",
    "Structure",
]
