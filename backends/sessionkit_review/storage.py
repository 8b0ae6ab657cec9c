"""Centralised storage: one location for the whole studio, configured on the server."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError
from sessionkit_review.locations.disk import DiskAccessor
from sessionkit_review.locations.location import Setup
from sessionkit_review.locations.structure import StandardStructure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit.events import Event, EventHub
    from sessionkit_review.coherence import Members
    from sessionkit_review.components import ComponentOperations
    from sessionkit_review.entity import Entity

log = logging.getLogger(__name__)

SCENARIO: Final = "ftrack.centralized-storage"
SETTING: Final = ("storage_scenario", "STORAGE")
PRIORITY: Final = 1
PLATFORMS: Final = ("linux", "osx", "windows")
_NAMES: Final = {"win32": "windows", "darwin": "osx"}

ACTIVATE: Final = "ftrack.storage-scenario.activate"
"""Told on a session's own hub when it begins: how the studio keeps its files."""
VERIFY: Final = "ftrack.connect.verify-startup"
"""Asked before a day's work begins; whoever knows of a problem answers with it."""


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
    mount = points.get(_platform()) if isinstance(points, dict) else None
    if not isinstance(location_id, str) or not isinstance(mount, str) or not mount:
        log.warning("the studio's storage is not set up for this machine; see the server's system settings")
        return None
    return location_id, Setup(DiskAccessor(prefix=mount), StandardStructure(), PRIORITY)


def problem_of(information: Mapping[str, Any]) -> str | None:
    """What keeps this machine from using the studio's storage, in words for its user; None if nothing does.

    Args:
        information: What the server says of itself.
    """
    scenario = information.get("storage_scenario")
    if not isinstance(scenario, dict) or scenario.get("scenario") != SCENARIO:
        return None
    found = setup_of(information)
    if found is None:
        return f"The studio's storage has no mount point for {_platform()}: files cannot be kept there."
    accessor = found[1].accessor
    if isinstance(accessor, DiskAccessor) and not Path(accessor.prefix).is_dir():
        return f"The studio's storage is not mounted: there is no folder {accessor.prefix}."
    return None


class Activation:
    """Sets the studio's storage up for a family of sessions when its hub hears of the scenario.

    A session has the storage that the server told of when it began without this; so that it follows when
    the storage is configured while it runs. Others announce scenarios of their own by the same topic.

    Args:
        hub: Where the scenario is announced.
        members: The sessions that share it.
    """

    def __init__(self, hub: EventHub, members: Members) -> None:
        self._members = members
        for topic, answer in ((ACTIVATE, self._activate), (VERIFY, self._verify)):
            hub.subscribe(f'topic={topic} and data.storage_scenario.scenario="{SCENARIO}"', answer)

    def _activate(self, event: Event) -> None:
        found = setup_of(event["data"])
        for session in self._members.open()[:1]:  # the family shares its locations
            if found is not None:
                session.location_setups[found[0]] = found[1]

    def _verify(self, event: Event) -> str | None:
        return problem_of(event["data"])


def configure(
    session: ComponentOperations,
    location: Entity | str,
    mount_points: Mapping[str, str],
    *,
    label: str = "",
    description: str = "",
) -> Entity:
    """Make a location the studio's centralised storage, for every session that is opened from now on.

    >>> configure(session, "studio.central", {"linux": "/mnt/studio", "osx": "/Volumes/studio"})

    Args:
        session: Of somebody who may change the server's settings.
        location: Which, or the name of one, which is created if it is not there.
        mount_points: Where it is found on "linux", "osx" and "windows".
        label: How a new one is shown; by default as its name.
        description: What a new one is for.

    Raises:
        ConfigurationError: for a platform that does not exist.
        ServerError: the server refused.
    """
    unknown = sorted(set(mount_points) - set(PLATFORMS))
    if unknown or not mount_points:
        raise ConfigurationError(
            f"mount points are for linux, osx and windows, not {', '.join(unknown) or 'none'}"
        )
    place = _named(session, location, label, description) if isinstance(location, str) else location
    data = {
        "location_id": place["id"],
        "location_name": place["name"],
        "accessor": {"mount_points": dict(mount_points)},
    }
    value = session.encode({"scenario": SCENARIO, "data": data})
    setting, group = SETTING
    session.ensure("Setting", {"name": setting, "group": group, "value": value}, ["name", "group"])
    return place


def _named(session: ComponentOperations, name: str, label: str, description: str) -> Entity:
    """The location of this name, there already or yet to be committed."""
    there = session.select("Location", "name").where(name=name).first()
    new = {"name": name, "label": label or name, "description": description}
    return there or session.create("Location", new)


def _platform() -> str:
    return _NAMES.get(sys.platform, "linux")
