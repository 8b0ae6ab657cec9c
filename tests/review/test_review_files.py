import io
import pickle
import threading
from pathlib import Path

import pytest
from PIL import Image

from sessionkit.errors import ConfigurationError, RequestError
from sessionkit_review import symbols
from sessionkit_review.errors import (
    ComponentInLocation,
    ComponentNotInLocation,
    InvalidResource,
    LocationError,
    ResourceNotFound,
)
from sessionkit_review.locations import (
    DiskAccessor,
    IdStructure,
    ResourceIdentifierTransformer,
    StandardStructure,
)


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (640, 360), "#2aa1df").save(path)
    return path


@pytest.fixture
def version(session):
    return session.query("AssetVersion").first()


@pytest.fixture
def disk(session, tmp_path):
    location = session.ensure("Location", {"name": "studio.disk"})
    location.accessor = DiskAccessor(prefix=tmp_path / "disk")
    location.structure = StandardStructure()
    location.priority = 1
    return location


def test_a_file_goes_to_the_server_and_comes_back(session, version, picture, tmp_path, sandbox):
    component = version.create_component(picture, {"name": "main"}, location=session.server_location)
    assert component["size"] == picture.stat().st_size
    assert component["file_type"] == ".png"
    assert component["version"] is version
    back = session.download_component(component, tmp_path / "back.png")
    assert back.read_bytes() == picture.read_bytes()
    accessor = session.server_location.accessor
    with accessor.open(component["id"]) as file:
        assert file.read() == picture.read_bytes()
    assert accessor.exists(component["id"])
    assert component.get_availability()[symbols.SERVER_LOCATION_ID] == 100.0
    about = {"location_id": symbols.SERVER_LOCATION_ID, "component_ids": [component["id"]]}
    with pytest.raises(ComponentInLocation) as caught:
        session.server_location.add_component(component, session.origin_location)
    assert pickle.loads(pickle.dumps(caught.value)).details == about
    assert not [entry for entry in sandbox.requests() if session.api_key in f"{entry.path}?{entry.query}"]
    session.server_location.remove_component(component)
    assert not accessor.exists(component["id"])
    with pytest.raises(ResourceNotFound):
        accessor.open(component["id"])
    with pytest.raises(ComponentNotInLocation) as caught:
        session.server_location.get_resource_identifier(component)
    assert caught.value.details == about


def test_a_large_file_goes_in_parts(session, version, tmp_path):
    path = tmp_path / "film.bin"
    path.write_bytes(bytes(range(256)) * 4096)
    component = version.create_component(path, location=None)
    seen = []
    session.upload_component(component["id"], path, part_size=300_000, progress=seen.append)
    assert seen[-1].finished
    assert seen[-1].bytes == path.stat().st_size
    with session.server_location.accessor.open(component["id"]) as file:
        assert file.read() == path.read_bytes()


def test_the_url_of_a_file_needs_no_key(session, version, picture, http):
    component = version.create_component(picture, location=session.server_location)
    url = session.server_location.get_url(component)
    assert session.api_key not in url
    assert http.get(url).content == picture.read_bytes()


def test_what_is_written_to_the_server_is_sent_when_closed(session, version, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a")
    component = version.create_component(path, location=None)
    accessor = session.server_location.accessor
    with accessor.open(component["id"], "wb") as file:
        file.write(b"written")
    with accessor.open(component["id"]) as file:
        assert file.read() == b"written"
    with pytest.raises(TypeError), accessor.open(component["id"], "wb") as file:
        file.write("no bytes")
    with accessor.open(component["id"]) as file:
        assert file.read() == b"written"
    with pytest.raises(ConfigurationError):
        accessor.open(component["id"], "r+")


def test_a_location_on_disk_has_names_for_people(session, version, picture, disk):
    component = version.create_component(picture, {"name": "main"}, location=disk)
    path = Path(disk.get_filesystem_path(component))
    assert path.read_bytes() == picture.read_bytes()
    assert path.name == "main.png"
    assert path.parent.name == f"v{version['version']:03d}"
    assert session.pick_location(component) is disk
    disk.remove_component(component)
    assert not path.exists()
    assert session.pick_location(component) is session.origin_location


def test_a_sequence_is_one_component_with_members(session, version, tmp_path, disk):
    for frame in range(1, 5):
        (tmp_path / f"beauty.{frame:04}.exr").write_bytes(b"%d" % frame)
    disk.structure = IdStructure()
    sequence = version.create_component(tmp_path / "beauty.%04d.exr [1-3, 4]", location=disk)
    assert sequence.entity_type == "SequenceComponent"
    assert (sequence["padding"], sequence["size"], sequence["file_type"]) == (4, 4, ".exr")
    assert sorted(member["name"] for member in sequence["members"]) == ["0001", "0002", "0003", "0004"]
    paths = disk.get_filesystem_paths(list(sequence["members"]))
    assert sorted(Path(path).read_bytes() for path in paths) == [b"1", b"2", b"3", b"4"]
    assert disk.get_component_availability(sequence) == 100.0
    disk.remove_component(sequence["members"][0])
    assert disk.get_component_availability(sequence) == 75.0
    with pytest.raises(ConfigurationError, match="files of the sequence are missing"):
        version.create_component(tmp_path / "beauty.%04d.exr [1-9]")


def test_nothing_stays_behind_when_adding_fails(session, version, picture, disk, tmp_path):
    component = version.create_component(picture, location=None)
    missing = version.create_component(picture, location=None)
    session.origin_location.setup.remembered.pop(missing["id"])
    with pytest.raises(ComponentNotInLocation):
        disk.add_components([component, missing], session.origin_location)
    assert [path for path in (tmp_path / "disk").rglob("*") if path.is_file()] == []
    with pytest.raises(ConfigurationError, match="there is no file"):
        version.create_component(tmp_path / "nowhere.png")
    other = session.ensure("Location", {"name": "not here"})
    with pytest.raises(LocationError, match="no accessor"):
        other.add_component(component, session.origin_location)


def test_transformers_change_names_on_their_way(session, version, picture, disk, service):
    class Upper(ResourceIdentifierTransformer):
        def encode(self, resource_identifier, context=None):
            return f"{context['component']['id']}|{resource_identifier}"

        def decode(self, resource_identifier, context=None):
            return resource_identifier.partition("|")[2]

    disk.resource_identifier_transformer = Upper(session)
    assert disk.resource_identifier_transformer.session is session
    component = version.create_component(picture, location=disk)
    assert Path(disk.get_filesystem_path(component)).exists()
    noted = (
        session.select("ComponentLocation", "resource_identifier").where(component_id=component["id"]).one()
    )
    assert noted["resource_identifier"].startswith(component["id"])


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../out", "a\0b", "link/out"])
def test_a_disk_location_is_never_left(tmp_path, name):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "link").symlink_to(tmp_path)
    accessor = DiskAccessor(prefix=tmp_path / "disk")
    with pytest.raises(InvalidResource):
        accessor.open(name, "wb")
    with pytest.raises(ResourceNotFound):
        accessor.open("nothing")


def test_the_server_makes_thumbnails_and_films(session, version, picture):
    task = session.query("Task").first()
    component = task.create_thumbnail(picture)
    assert (
        session.query(f'select thumbnail_id from Task where id is "{task["id"]}"').one()["thumbnail_id"]
        == (component["id"])
    )
    url = session.server_location.get_thumbnail_url(component, size=64)
    assert session.api_key not in url
    with session.stream(url) as answer:
        assert Image.open(io.BytesIO(b"".join(answer))).size[0] == 64
    job = version.encode_media(picture)
    deadline = session.clock.monotonic() + 20
    while job["status"] not in {"done", "failed"}:
        assert session.clock.monotonic() < deadline
        threading.Event().wait(0.05)
        session.refresh(job)
    assert job["status"] == "done"


def test_an_upload_that_fails_says_so(session, version, picture, sandbox):
    component = version.create_component(picture, location=None)
    sandbox.fault("status", path="/component/upload", method="PUT", status=403)
    with pytest.raises(RequestError):
        session.server_location.add_component(component, session.origin_location)
    assert session.server_location.get_component_availability(component) == 0.0
    session.server_location.add_component(component, session.origin_location)
    assert session.server_location.get_component_availability(component) == 100.0
