"""Rows of the feature inventory that no other module of tests is about."""

import copy
import uuid
from pathlib import Path

import pytest

from sessionkit.cache import Cache, MemoryCache, ObjectKeyMaker
from sessionkit.errors import ConfigurationError, SessionKitError
from sessionkit_review import CREATED, DELETED, MODIFIED, NOT_SET, errors, inspection, symbols
from sessionkit_review.errors import ComponentNotInLocation, LocationError
from sessionkit_review.locations import (
    DiskAccessor,
    EntityIdStructure,
    IdStructure,
    OriginStructure,
    StandardStructure,
)
from sessionkit_review.operations import CreateEntityOperation, UpdateEntityOperation


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "take.txt"
    path.write_bytes(b"frames")
    return path


def test_headers_and_cookies_reach_the_event_server_too(open_session, sandbox):
    session = open_session(headers={"X-Studio": "tern"}, cookies={"a": "1"}, strict_api=True, timeout=7)
    session.event_hub.connect()
    asked = sandbox.requests(path="/socket.io/1/*")[-2:]
    for entry in asked:
        assert entry.headers["x-studio"] == "tern"
        assert entry.headers["ftrack-strict-api"] == "true"
        assert entry.headers["cookie"] == "a=1"
        assert session.api_key not in f"{entry.path}?{entry.query}"
    assert asked[0].headers["ftrack-api-key"] == session.api_key
    assert session.timeout == 7


def test_what_is_created_has_defaults_and_is_here_at_once(session, calls):
    status = session.query("Status").first()
    shot = session.query("Shot").first()
    before = calls()
    task = session.create("Task", {"name": "new", "status": status, "parent": shot})
    assert uuid.UUID(task["id"])
    assert session.create("FileComponent")["name"] == "main"
    assert session.get("Task", task["id"]) is task
    assert (task["status"], task["parent"]) == (status, shot)
    assert session.create("Task", {"name": "x", "id": "my-own-id"})["id"] == "my-own-id"
    assert session.create("Task", {"name": "y"})["id"] != task["id"]
    assert calls() == before
    assert isinstance(task, session.types["Task"])
    known = session.create("Task", {"id": "elsewhere", "name": "known"}, reconstructing=True)
    assert inspection.state(known) is NOT_SET
    assert len(session.recorded_operations) == 4
    session.rollback()
    assert session.entities.get("Task", task["id"]) is None


def test_inspection_tells_identity_and_state(session):
    first, second = session.query("select name from Task limit 2").all()
    made = session.create(
        "Metadata", {"parent_id": first["id"], "key": "k", "value": "v", "parent_type": "task"}
    )
    assert inspection.identity(first) == ("Task", [first["id"]])
    assert inspection.primary_key(made) == {"parent_id": first["id"], "key": "k"}
    assert list(inspection.primary_key(made)) == ["parent_id", "key"]
    first["name"] = "changed"
    session.delete(second)
    assert inspection.states([first, second, made]) == [MODIFIED, DELETED, CREATED]
    assert (session.modified, session.deleted, session.created) == ([first], [second], [made])
    assert str(first) == f"<Task({first['id']})>"
    session.rollback()
    assert inspection.states([first, second]) == [NOT_SET, NOT_SET]


def test_operations_keep_what_was_said_when_it_was_said(session):
    version, other = session.query("select uses_versions from AssetVersion limit 2").all()
    uses = list(version["uses_versions"])
    version["uses_versions"].append(other)
    copied = copy.copy(version["uses_versions"])
    version["uses_versions"].remove(other)
    first, second = session.recorded_operations
    assert isinstance(first, UpdateEntityOperation)
    assert (list(first.old_value), list(first.new_value)) == (uses, [*uses, other])
    assert list(second.new_value) == uses
    assert list(copied) == [*uses, other]
    session.rollback()
    data = {"name": "heron", "metadata": {"a": "b"}}
    session.create("Task", data)
    data["name"] = "changed later"
    assert isinstance(session.recorded_operations[0], CreateEntityOperation)
    assert session.recorded_operations[0].entity_data["name"] == "heron"
    session.rollback()


def test_the_built_in_locations(session, calls):
    _ = session.types
    before = calls()
    found = [session.location(each) for each in symbols.LOCATIONS]
    assert [each["name"] for each in found] == list(symbols.LOCATIONS.values())
    assert calls() == before
    assert [each.priority for each in found] == [100, 90, 110, 95, 150]
    assert [each["name"] for each in session.accessible_locations()] == [
        "ftrack.unmanaged",
        "ftrack.origin",
        "ftrack.review",
        "ftrack.server",
    ]
    names = {each["id"]: each["name"] for each in session.query("select name from Location")}
    assert names.items() >= symbols.LOCATIONS.items()
    with pytest.raises(LocationError, match="no location nowhere"):
        session.location("nowhere")


def test_locations_are_picked_by_priority_for_many_at_once(session, file, tmp_path, calls):
    near, far = (session.ensure("Location", {"name": name}) for name in ("near", "far"))
    for location, priority in ((near, 1), (far, 2)):
        location.accessor = DiskAccessor(prefix=tmp_path / location["name"])
        location.structure, location.priority = IdStructure(), priority
    first, second, third = (session.create_component(file, location=None) for _ in range(3))
    far.add_components([first, second], session.origin_location)
    near.add_component(second, far)
    before = calls()
    assert session.pick_locations([first, second, third]) == [far, near, session.origin_location]
    assert calls() - before == 1
    assert session.pick_location() is near
    found = session.get_component_availabilities([first, second], [near, far])
    assert found == [{near["id"]: 0.0, far["id"]: 100.0}, {near["id"]: 100.0, far["id"]: 100.0}]
    assert far.get_component_availabilities([first, third]) == [100.0, 0.0]
    near.remove_components([second])
    with pytest.raises(ComponentNotInLocation):
        near.get_resource_identifiers([first, second])


def test_structures_name_files(session, file):
    version = session.query('AssetVersion where version is 1 and task.parent.name is "sh010"').first()
    data = {"name": "Größe: 1/2 *", "version": version}
    component = session.create_component(file, data, location=None)
    project, *parents = [part["name"] for part in version["link"]][:-1]
    asset = version["asset"]["name"]
    standard = StandardStructure().get_resource_identifier(component)
    assert Path(standard) == Path(project, *parents, asset, "v001", "groe__1_2__.txt")
    kept = StandardStructure(illegal_character_substitute=None)
    assert kept.sanitise_for_filesystem("Größe: 1/2") == "Größe: 1/2"
    assert StandardStructure().sanitise_for_filesystem("..") == "_"
    assert EntityIdStructure().get_resource_identifier(component) == component["id"]
    spread = Path(IdStructure(prefix="p").get_resource_identifier(component))
    assert (spread.parts[0], len(spread.parts), spread.suffix) == ("p", 6, ".txt")
    origin = OriginStructure()
    assert origin.get_resource_identifier(component, {"source_resource_identifier": "/a/b"}) == "/a/b"
    with pytest.raises(LocationError):
        origin.get_resource_identifier(component)
    with pytest.raises(LocationError, match="no version"):
        StandardStructure().get_resource_identifier(session.create_component(file, location=None))


def test_a_version_of_the_project_itself_has_a_folder_of_its_own(session, file):
    project = session.query("Project").first()
    kind = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "edit", "parent": project, "type": kind})
    version = session.create("AssetVersion", {"asset": asset, "task": session.query("Task").first()})
    session.commit()
    component = session.create_component(file, {"version": version}, location=None)
    structure = StandardStructure(project_versions_prefix="_published")
    named = Path(structure.get_resource_identifier(component))
    assert named == Path(project["name"], "_published", "edit", "v001", "main.txt")


def test_keys_of_the_given_cache_are_made_as_wanted(open_session):
    kept = MemoryCache()
    session = open_session(cache=lambda session: kept, cache_key_maker=ObjectKeyMaker())
    task = session.query("select name, description from Task").first()
    assert isinstance(kept, Cache)
    assert all(isinstance(key, (bytes, tuple)) or task["id"] in str(key) for key in kept.keys())  # noqa: SIM118 - a cache is no mapping
    assert len(list(kept.keys())) > 0
    again = open_session(cache=kept, cache_key_maker=ObjectKeyMaker())
    with again.auto_populating(False):
        assert again.get("Task", task["id"])["name"] == task["name"]


def test_invitations_go_to_everybody(session, sandbox):
    users = session.query("User limit 2").all()
    before = len(sandbox.requests(path="/api"))
    session.send_user_invites(users)
    users[0].send_invite()
    sent = [entry.json() for entry in sandbox.requests(path="/api")[before:]]
    wanted = [users[0]["id"], users[1]["id"], users[0]["id"]]
    assert [each["user_id"] for (each,) in sent if each["action"] == "send_user_invite"] == wanted


def test_every_error_is_one_of_the_frameworks_and_says_what_it_is():
    kinds = [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and each.__module__ == errors.__name__
    ]
    assert len(kinds) > 25
    for kind in kinds:
        assert issubclass(kind, SessionKitError)
        assert kind.__doc__
        error = kind("what was wrong", hint="what to do")
        assert (error.message, error.hint) == ("what was wrong", "what to do")
        assert "what was wrong" in str(error)
        assert "what to do" in str(error)


def test_files_on_other_machines_are_components_too(session, tmp_path):
    """What users note in ftrack.unmanaged is not always to be had here."""
    far = session.create_component("/farm/film.mov", {"size": 77}, location=None)
    assert (far["size"], far["file_type"]) == (77, ".mov")
    assert session.origin_location.get_filesystem_path(far) == "/farm/film.mov"
    sequence = session.create_component("/farm/beauty.%04d.exr [1-4]", {"size": 42}, location=None)
    assert sequence["size"] == 42
    assert {each["size"] for each in sequence["members"]} == {10}
    folder = session.create_component(tmp_path, {"size": 0}, location=None)
    assert session.origin_location.get_filesystem_path(folder) == str(tmp_path)
    for path in ("/farm/film.mov", "/farm/beauty.%04d.exr [1-4]"):
        with pytest.raises(ConfigurationError, match="size") as caught:
            session.create_component(path)
        assert "on another machine" in caught.value.hint


def test_ids_are_spread_over_folders_as_users_find_them(session):
    identifier = "0123abcd-4567-4ef0-8123-456789abcdef"
    session.create("FileComponent", {"id": identifier, "file_type": ".txt"})
    component = session.get("FileComponent", identifier)
    folder = "0/1/2/3/abcd-4567-4ef0-8123-456789abcdef"
    assert IdStructure("p").get_resource_identifier(component) == f"p/{folder}.txt"
    for entity_type, name in (("SequenceComponent", "file.0007"), ("ContainerComponent", None)):
        container_id = identifier.replace("0123", "012" + entity_type[0].lower())
        container = session.create(entity_type, {"id": container_id, "name": "all"})
        data = {"name": "0007", "file_type": ".exr", "container": container}
        member = session.create("FileComponent", data)
        above = f"0/1/2/{entity_type[0].lower()}/abcd-4567-4ef0-8123-456789abcdef"
        named = IdStructure().get_resource_identifier(member)
        assert named == f"{above}/{name or member['id']}.exr"
    session.rollback()


def test_members_of_a_container_are_in_its_folder(session):
    version = session.query('AssetVersion where version is 1 and task.parent.name is "sh010"').first()
    container = session.create("ContainerComponent", {"name": "Plates", "version": version})
    member = session.create(
        "FileComponent", {"name": "Left Eye", "file_type": ".exr", "container": container}
    )
    session.commit()
    structure = StandardStructure()
    folder = structure.get_resource_identifier(container)
    assert folder.endswith("/v001/plates")
    assert structure.get_resource_identifier(member) == f"{folder}/left_eye.exr"
