"""Centralised storage: one location for the whole studio, configured on the server."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError
from sessionkit_review.locations.disk import DiskAccessor
from sessionkit_review.locations.location import Setup
from sessionkit_review.locations.structure import StandardStructure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit_review.components import ComponentOperations
    from sessionkit_review.entity import Entity

log = logging.getLogger(__name__)

SCENARIO: Final = "ftrack.centralized-storage"
SETTING: Final = ("storage_scenario", "STORAGE")
PRIORITY: Final = 1
_PLATFORMS: Final = {"win32": "windows", "darwin": "osx"}


def setup_of(information: Mapping[str, Any]) -> tuple[str, Setup] | None:
    """The studio's location and how it is reached from this machine; None when there is none.

    Args:
        information: What the server says of itself.
    """
    scenario = information.get("storage_scenario")
    if not isinstance(scenario, dict) or scenario.get("scenario") != SCENARIO:
        return None
    data = scenario.get("data")
    location_id = data.get("location_id") if isinstance(data, dict) else None
    accessor = data.get("accessor") if isinstance(data, dict) else None
    points = accessor.get("mount_points") if isinstance(accessor, dict) else None
    mount = points.get(_PLATFORMS.get(sys.platform, "linux")) if isinstance(points, dict) else None
    if not isinstance(location_id, str) or not isinstance(mount, str) or not mount:
        log.warning("the studio's storage is not set up for this machine; see the server's system settings")
        return None
    return location_id, Setup(DiskAccessor(prefix=mount), StandardStructure(), PRIORITY)


def configure(
    session: ComponentOperations, name: str, mount_points: Mapping[str, str], *, label: str = ""
) -> Entity:
    """Make a location the studio's centralised storage, for every session that is opened from now on.

    >>> configure(session, "studio.central", {"linux": "/mnt/studio", "osx": "/Volumes/studio"})

    Args:
        session: Of somebody who may change the server's settings.
        name: Of the location; it is created if it is not there.
        mount_points: Where it is found on "linux", "osx" and "windows".
        label: How it is shown.

    Raises:
        ConfigurationError: for a platform that does not exist.
        ServerError: the server refused.
    """
    unknown = sorted(set(mount_points) - {"linux", "osx", "windows"})
    if unknown or not mount_points:
        raise ConfigurationError(
            f"mount points are for linux, osx and windows, not {', '.join(unknown) or 'none'}"
        )
    location = session.ensure("Location", {"name": name, "label": label or name}, ["name"])
    data = {
        "location_id": location["id"],
        "location_name": name,
        "accessor": {"mount_points": dict(mount_points)},
    }
    value = session.encode({"scenario": SCENARIO, "data": data})
    setting, group = SETTING
    session.ensure("Setting", {"name": setting, "group": group, "value": value}, ["name", "group"])
    return location
