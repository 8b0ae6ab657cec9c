"""Where files are kept: the studio's storage and its wizard, types of files, and who asks for their paths."""

import json
import platform
from pathlib import Path

import pytest

from sessionkit.errors import ConfigurationError
from sessionkit.events import Event
from sessionkit_review import storage, storage_wizard, symbols
from sessionkit_review.components import FILE_TYPE
from sessionkit_review.locations import DiskAccessor, EntityIdStructure, resolve

CENTRAL = storage.SCENARIO
ANYWHERE = ("linux", "osx", "windows")


@pytest.fixture
def mounts(tmp_path):
    (tmp_path / "central").mkdir()
    return dict.fromkeys(ANYWHERE, str(tmp_path / "central"))


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "take.geo.bz"
    path.write_bytes(b"frames")
    return path


def told(session, topic, **data):
    return session.event_hub.publish(Event(topic, data=data), synchronous=True)


def test_the_studios_storage_is_there_when_a_session_begins(session, open_session, mounts, film):
    storage.configure(session, "studio.central", mounts, label="Central", description="Everything.")
    with open_session() as fresh:
        location = fresh.pick_location()
        assert (location["name"], location["label"], location.priority) == ("studio.central", "Central", 1)
        version = fresh.query("AssetVersion").first()
        component = fresh.create_component(film, {"version": version})
        path = Path(location.get_filesystem_path(component))
        assert path.read_bytes() == b"frames"
        assert path.is_relative_to(mounts["linux"])
        assert path.name == "main.bz"
    again = storage.configure(session, "studio.central", mounts)
    assert (again["id"], again["label"]) == (location["id"], "Central")
    with pytest.raises(ConfigurationError):
        storage.configure(session, "x", {"amiga": "DH0:"})


def test_it_is_followed_when_it_is_configured_while_a_session_runs(session, open_session, mounts):
    location = storage.configure(session, "studio.central", mounts)
    with open_session() as other:
        scenario = other.server_information["storage_scenario"]
    assert session.pick_location()["id"] != location["id"]
    told(session, storage.ACTIVATE, storage_scenario=scenario)
    assert session.pick_location() is location
    for nonsense in ({"scenario": CENTRAL}, {"scenario": CENTRAL, "data": 5}, 5):
        told(session, storage.ACTIVATE, storage_scenario=nonsense)
    assert session.pick_location() is location


def test_a_plugin_has_a_scenario_of_its_own(open_session, service, tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "tape.py").write_text(
        "from sessionkit_review.locations import DiskAccessor, IdStructure\n"
        "from sessionkit_review.storage import ACTIVATE\n"
        "def register(session):\n"
        "    def activate(event):\n"
        "        location = session.ensure('Location', {'name': 'studio.tape'})\n"
        "        location.accessor = DiskAccessor(prefix=event['data']['storage_scenario']['data']['root'])\n"
        "        location.structure = IdStructure()\n"
        "        location.priority = 2\n"
        "    scenario = 'data.storage_scenario.scenario=studio.tape'\n"
        "    session.event_hub.subscribe(f'topic={ACTIVATE} and {scenario}', activate)\n"
    )
    value = json.dumps({"scenario": "studio.tape", "data": {"root": str(tmp_path)}})
    with open_session() as session:
        session.get("Setting", ["storage_scenario", "STORAGE"])["value"] = value
        session.commit()
    with open_session(plugin_paths=[tmp_path / "plugins"]) as session:
        assert session.pick_location()["name"] == "studio.tape"
        assert session.pick_location().accessor.prefix == str(tmp_path)


def test_what_keeps_a_machine_from_the_storage_is_said(session, mounts, tmp_path):
    def ask(paths):
        data = {"location_id": "x", "accessor": {"mount_points": paths}}
        answers = told(session, storage.VERIFY, storage_scenario={"scenario": CENTRAL, "data": data})
        return [each for each in answers if each is not None]

    assert ask(mounts) == []
    assert "not mounted" in ask(dict.fromkeys(ANYWHERE, str(tmp_path / "nowhere")))[0]
    assert "no mount point" in ask({})[0]
    assert storage.problem_of({"storage_scenario": {"scenario": "ftrack.automatic"}}) is None


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (None, "select_location"),
        (5, "select_location"),
        ({"step": 5}, "select_location"),
        ({"step": "select_location", "location_id": {"$": 1}}, "select_location"),
        ({"step": "select_location", "location_id": 'x" or id is_not "'}, "select_location"),
        ({"step": "confirm_summary", "configuration": "x"}, "select_location"),
        ({"step": "configure_location", "configuration": {"select_location": 7}}, "select_location"),
        (
            {
                "step": "select_mount_point",
                "configuration": {"select_location": {"location_id": "create_new_location"}},
            },
            "configure_location",
        ),
    ],
)
def test_the_wizard_begins_where_answers_make_no_sense(session, values, step):
    storage_wizard.register_configuration(session)
    (form,) = told(session, storage_wizard.CONFIGURE, scenario_id=CENTRAL, values=values)
    assert form["items"][-1] == {"type": "hidden", "name": "step", "value": step}
    assert form["state"] == "configuring"
    assert len(session.recorded_operations) == 0


def walk(session, *answers):
    """Answer the wizard's forms one after the other; all forms."""
    forms = told(session, storage_wizard.CONFIGURE, scenario_id=CENTRAL)
    for answer in answers:
        given = {item["name"]: item.get("value") for item in forms[-1]["items"] if "name" in item}
        forms += told(session, storage_wizard.CONFIGURE, scenario_id=CENTRAL, values={**given, **answer})
    return forms


def test_the_wizard_changes_what_is_there(session, mounts):
    location = storage.configure(session, "studio.central", mounts, label="Central")
    storage_wizard.register_configuration(session)
    unset = walk(session, {"location_id": location["id"]}, {})
    assert "Set at least one mount point." in unset[-1]["items"][0]["value"]
    *_, done = walk(session, {"location_id": location["id"]}, {"osx_mount_point": "/Volumes/else"}, {})
    assert done["state"] == "done"
    scenario = session.query_server_information()["storage_scenario"]
    assert scenario["data"]["location_id"] == location["id"]
    assert scenario["data"]["accessor"]["mount_points"]["osx"] == "/Volumes/else"
    taken = walk(session, {"location_id": storage_wizard.NEW}, {"location_name": "studio.central"})
    assert "of this name already" in taken[-1]["items"][0]["value"]
    (menu,) = [item for item in taken[0]["items"] if item.get("name") == "location_id"]
    assert [each["label"] for each in menu["data"]] == ["Create new location", "Central (studio.central)"]


def test_the_wizard_says_what_the_server_refused(session, open_session):
    key = session.reset_remote("api_key", session.query("User where username is guest.client").one())
    with open_session(api_user="guest.client", api_key=key["api_key"]) as guest:
        storage_wizard.register_configuration(guest)
        *_, refused = walk(guest, {}, {}, {"linux_mount_point": "/mnt/x"}, {})
        assert refused["state"] == "confirm"
        assert "PermissionError" in refused["items"][0]["value"]
        assert len(guest.recorded_operations) == 0


def test_plugins_name_the_types_of_files(session, film):
    assert session.create_component(film, location=None)["file_type"] == ".bz"
    asked = []
    session.event_hub.subscribe(f"topic={FILE_TYPE}", lambda event: asked.append(event["data"]))
    session.event_hub.subscribe(
        f"topic={FILE_TYPE}",
        lambda event: ".geo.bz" if event["data"]["file_path"].endswith(".geo.bz") else None,
    )
    assert session.create_component(film, location=None)["file_type"] == ".geo.bz"
    for frame in (1, 2):
        (film.parent / f"b.{frame:04}.exr").write_bytes(b"x")
    sequence = session.create_component(film.parent / "b.%04d.exr [1-2]", location=None)
    assert (sequence["name"], sequence["file_type"]) == ("main", ".exr")
    assert [each["file_path"] for each in asked] == [str(film), str(film.parent / "b.%04d.exr")]
    session.event_hub.subscribe(f"topic={FILE_TYPE}", lambda event: 5, priority=1)
    with pytest.raises(ConfigurationError, match="of the type 5"):
        session.create_component(film, location=None)


def test_what_the_web_player_shows_is_noted_in_the_review_location(session, film):
    for name in ("ftrackreview-mp4", "ftrackreview-webm", "ftrackreview-image"):
        component = session.create_component(film, {"name": name})
        noted = session.select("ComponentLocation").where(component_id=component["id"]).one()
        assert noted["location_id"] == symbols.REVIEW_LOCATION_ID
    other = session.create_component(film, {"name": "main"})
    noted = session.select("ComponentLocation").where(component_id=other["id"]).one()
    assert noted["location_id"] == symbols.UNMANAGED_LOCATION_ID


def test_who_asks_for_a_path_is_answered(session, film, tmp_path):
    resolve.answer_requests(session)
    disk = session.ensure("Location", {"name": "studio.disk"})
    disk.accessor, disk.structure = DiskAccessor(prefix=tmp_path / "disk"), EntityIdStructure()
    component = session.create_component(film, location=disk)
    served = session.create_component(film, location=session.server_location)

    def ask(component, name=None, system=None):
        data = {"componentId": component["id"], "locationName": name, "platform": system or platform.system()}
        return [each for each in told(session, resolve.REQUEST, **data) if each is not None]

    assert ask(component, "studio.disk") == [{"path": disk.get_filesystem_path(component)}]
    assert ask(component) == [{"path": disk.get_filesystem_path(component)}]
    disk.priority = 101
    assert ask(component) == [{"path": str(film)}]  # where it came from
    assert ask(served, "ftrack.server") == []
    assert ask(component, "no.such.place") == []
    assert ask(component, system="Amiga") == []
    assert ask({"id": 'x" or id is_not "'}) == []
    assert ask({"id": 7}) == []
    asked = session.event_hub.publish(Event(resolve.REQUEST, data=["x"]), synchronous=True)
    assert [each for each in asked if each is not None] == []
