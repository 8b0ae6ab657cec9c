"""A wizard, in the server's own pages, by which an administrator chooses where the studio keeps its files.

The server asks by events: which scenarios there are, and then for one form after the other. What was answered
before comes back with each answer, so that nothing is remembered here in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import RequestError
from sessionkit.events import Event
from sessionkit_review import symbols
from sessionkit_review.storage import SCENARIO, configure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionkit_review.entity import Entity
    from sessionkit_review.session import ReviewSession

Json = dict[str, Any]

DISCOVER: Final = "ftrack.storage-scenario.discover"
CONFIGURE: Final = "ftrack.storage-scenario.configure"
CONFIGURED: Final = "ftrack.storage-scenario.configure-done"

NEW: Final = "create_new_location"
_LOCATION: Final = {
    "location_label": ("Label", "Studio storage"),
    "location_name": ("Name", "studio.storage"),
    "location_description": ("Description", "Where the studio keeps its files."),
}
_MOUNTS: Final = {
    "linux_mount_point": ("Linux", "linux"),
    "osx_mount_point": ("OS X", "osx"),
    "windows_mount_point": ("Windows", "windows"),
}
_ORDER: Final = ("select_location", "configure_location", "select_mount_point", "confirm_summary")


def register_configuration(session: ReviewSession) -> None:
    """Offer the centralised storage to the user of a session, in the server's system settings.

    >>> register_configuration(session); session.event_hub.connect(); session.event_hub.wait()
    """
    wizard = _Wizard(session)
    mine = f'source.user.username="{session.api_user}"'
    session.event_hub.subscribe(f"topic={DISCOVER} and {mine}", wizard.discover)
    session.event_hub.subscribe(
        f'topic={CONFIGURE} and data.scenario_id="{SCENARIO}" and {mine}', wizard.configure
    )


class _Wizard:
    def __init__(self, session: ReviewSession) -> None:
        self._session = session

    def discover(self, _event: Event) -> Json:
        return {
            "id": SCENARIO,
            "name": "Centralised storage",
            "description": "All files are kept in one place that is mounted on every machine of the studio.",
        }

    def configure(self, event: Event) -> Json:
        """The next form: the first one, the one after what was answered, or the same with what is wrong."""
        values = _mapping(event["data"].get("values"))
        step = values.get("step")
        answers = {name: _mapping(_mapping(values.get("configuration")).get(name)) for name in _ORDER}
        if step not in _ORDER:
            return self._form(_ORDER[0], {})
        answers[step] = {name: each for name, each in values.items() if name not in {"configuration", "step"}}
        asked = [name for name in _ORDER[: _ORDER.index(step) + 1] if _is_asked(name, answers)]
        for name in asked:
            # Earlier answers came from outside once more.
            if problem := self._problem(name, answers[name]):
                return self._form(name, answers, problem)
        if step != _ORDER[-1]:
            after = (name for name in _ORDER[_ORDER.index(step) + 1 :] if _is_asked(name, answers))
            return self._form(next(after), answers)
        return self._save(answers)

    def _save(self, answers: Mapping[str, Json]) -> Json:
        location, new = self._chosen(answers), answers["configure_location"]
        texts = {name: str(new[f"location_{name}"]) for name in ("label", "description") if new}
        mounts = {of: str(answers["select_mount_point"].get(name) or "") for name, (_, of) in _MOUNTS.items()}
        try:
            configure(self._session, location, mounts, **texts)
        except RequestError as error:
            self._session.rollback()
            return self._form(_ORDER[-1], answers, error.message)
        self._session.event_hub.publish(Event(CONFIGURED), on_error="ignore")
        return _page(
            "done", "save_configuration", answers, [_label("#Done#\nNew sessions keep files there.")]
        )

    def _chosen(self, answers: Mapping[str, Json]) -> Entity | str:
        """The location that was chosen, or the name of the one to be created."""
        chosen = answers["select_location"]["location_id"]
        if chosen == NEW:
            return str(answers["configure_location"]["location_name"])
        return self._session.location(chosen)

    def _problem(self, step: str, fields: Json) -> str:
        """What is wrong with the answers of one step; "" if nothing is."""
        if step == "select_location":
            chosen = fields.get("location_id")
            if chosen != NEW and (
                not isinstance(chosen, str) or self._session.get("Location", chosen) is None
            ):
                return "This location does not exist: choose one, or create a new one."
        if step == "configure_location":
            if not all(_is_text(fields.get(name)) for name in _LOCATION):
                return "A location needs a label, a name and a description."
            taken = self._session.select("Location").where(name=fields["location_name"]).first()
            if taken is not None:
                return "There is a location of this name already."
        if step == "select_mount_point" and not any(_is_text(fields.get(name)) for name in _MOUNTS):
            return "Set at least one mount point."
        return ""

    def _form(self, step: str, answers: Mapping[str, Json], problem: str = "") -> Json:
        make = {
            "select_location": self._select_location,
            "configure_location": self._configure_location,
            "select_mount_point": self._select_mount_point,
            "confirm_summary": self._confirm_summary,
        }[step]
        items = [_label(f"**{problem}**")] if problem else []
        state = "confirm" if step == _ORDER[-1] else "configuring"
        return _page(state, step, answers, [*items, *make(answers.get(step, {}), answers)])

    def _select_location(self, fields: Json, _answers: Mapping[str, Json]) -> list[Json]:
        known = self._session.query("select name, label, description from Location").all()
        now = _mapping(_mapping(self._session.server_information.get("storage_scenario")).get("data"))
        choices: list[Json] = [{"label": "Create new location", "value": NEW}]
        choices += [_choice(each) for each in known if each["id"] not in symbols.LOCATIONS]
        wanted = fields.get("location_id") or now.get("location_id")
        value = wanted if wanted in [each["value"] for each in choices] else NEW
        text = (
            "#Select location#\nThe location that stands for the studio's storage. Files that were published "
        )
        menu = {
            "type": "enumerator",
            "label": "Location",
            "name": "location_id",
            "value": value,
            "data": choices,
        }
        return [_label(text + "to another location stay there."), menu]

    def _configure_location(self, fields: Json, _answers: Mapping[str, Json]) -> list[Json]:
        rows = [_text(name, label, fields.get(name) or given) for name, (label, given) in _LOCATION.items()]
        return [_label("#Create location#\nThe new location."), *rows]

    def _select_mount_point(self, fields: Json, _answers: Mapping[str, Json]) -> list[Json]:
        rows = [_text(name, label, fields.get(name) or "") for name, (label, _) in _MOUNTS.items()]
        return [_label("#Mount points#\nWhere each platform finds the storage."), *rows]

    def _confirm_summary(self, _fields: Json, answers: Mapping[str, Json]) -> list[Json]:
        chosen = self._chosen(answers)
        name = chosen if isinstance(chosen, str) else chosen["name"]
        mounts = answers["select_mount_point"]
        lines = [f"* {label}: {mounts.get(each) or '*not set*'}" for each, (label, _) in _MOUNTS.items()]
        return [_label("\n".join([f"#Confirm#\nFiles are kept in the location {name}.", "", *lines]))]


def _is_asked(step: str, answers: Mapping[str, Json]) -> bool:
    return step != "configure_location" or answers["select_location"].get("location_id") == NEW


def _page(state: str, step: str, answers: Mapping[str, Json], items: Sequence[Json]) -> Json:
    given = {name: fields for name, fields in answers.items() if fields}
    hidden = [_hidden("configuration", given), _hidden("step", step)]
    return {"items": [*items, *hidden], "state": state}


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _label(text: str) -> Json:
    return {"type": "label", "value": text}


def _hidden(name: str, value: Any) -> Json:
    return {"type": "hidden", "name": name, "value": value}


def _text(name: str, label: str, value: Any) -> Json:
    return {"type": "text", "label": label, "name": name, "value": value}


def _choice(location: Entity) -> Json:
    label = f"{location['label']} ({location['name']})"
    return {"label": label, "value": location["id"], "description": location["description"]}
