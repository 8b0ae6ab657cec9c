"""Locations and components when something is odd, or goes wrong half way."""

from contextlib import suppress

import pytest

from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit_review.errors import (
    AccessorError,
    ComponentInLocation,
    ComponentNotInLocation,
    DuplicateEntryError,
)
from sessionkit_review.locations import DiskAccessor, ResourceIdentifierTransformer, StandardStructure


@pytest.fixture
def disk(session, tmp_path):
    """A location on this machine."""
    location = session.ensure("Location", {"name": "studio.disk"})
    location.accessor, location.structure = DiskAccessor(tmp_path / "disk"), StandardStructure()
    return location


@pytest.fixture
def sequence(session, tmp_path):
    """Make a sequence of four files: `sequence("beauty.%04d.exr", name="beauty")`."""

    def sequence(files="beauty.%04d.exr", **data):
        for number in range(1, 5):
            (tmp_path / (files % number)).write_bytes(b"frame %d" % number)
        version = session.query("AssetVersion").first()
        values = {"version_id": version["id"], "name": "beauty", **data}
        return session.create_component(f"{tmp_path / files} [1-4]", values, location=None)

    return sequence


@pytest.fixture
def files(tmp_path):
    """The names of the files that are stored on the disk, and what is in them."""

    def files():
        found = (path for path in (tmp_path / "disk").rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in sorted(found)}

    return files


def names(location, sequence):
    found = location.get_resource_identifiers([sequence, *sequence["members"]])
    return [name.rpartition("/")[2] for name in found]


def test_frames_are_of_the_type_of_their_sequence(sequence):
    assert {each["file_type"] for each in sequence("crowd.%04d.geo.bz", file_type=".geo.bz")["members"]} == {
        ".geo.bz"
    }
    assert {each["file_type"] for each in sequence("beauty.%04d.exr", file_type=None)["members"]} == {".exr"}
    plain = sequence("v1.5_%d")
    assert {each["file_type"] for each in (plain, *plain["members"])} == {""}


def test_the_size_of_a_sequence_that_nobody_tells_is_that_of_its_files(sequence):
    assert sequence(size=None)["size"] == 28


def test_frames_are_named_like_their_sequence_whatever_dots_are_in_it(session, disk, sequence):
    geometry = sequence("crowd.%04d.geo.bz", name="crowd", file_type=".geo.bz")
    disk.add_component(geometry, session.origin_location)
    assert names(disk, geometry)[:2] == ["crowd.%04d.geo.bz", "crowd.0001.geo.bz"]

    plain = sequence("beauty.%04d", name="beauty.v2")
    disk.add_component(plain, session.origin_location)
    assert names(disk, plain)[:2] == ["beauty.v2.%04d", "beauty.v2.0001"]


class Stubborn(DiskAccessor):
    """Refuses to remove one file."""

    kept = ""

    def remove(self, resource_identifier):
        if self.kept and resource_identifier.endswith(self.kept):
            raise AccessorError("the file is in use")
        super().remove(resource_identifier)


def test_a_sequence_that_was_removed_half_way_is_removed_by_trying_again(
    session, disk, sequence, files, tmp_path
):
    frames = sequence()
    disk.accessor = Stubborn(tmp_path / "disk")
    disk.add_component(frames, session.origin_location)
    disk.accessor.kept = "0002.exr"
    with pytest.raises(AccessorError):
        disk.remove_component(frames)
    assert 0.0 < disk.get_component_availability(frames) < 100.0
    disk.accessor.kept = ""
    disk.remove_component(frames)
    assert (disk.get_component_availability(frames), files()) == (0.0, {})
    with pytest.raises(ComponentNotInLocation):
        disk.remove_component(frames)


@pytest.mark.parametrize("place", ["disk", "server"])
def test_of_a_sequence_that_is_here_in_part_the_rest_is_added(session, disk, sequence, place):
    location, frames = (disk if place == "disk" else session.server_location), sequence()
    location.add_component(frames["members"][1], session.origin_location)
    location.add_component(frames, session.origin_location)
    assert location.get_component_availability(frames) == 100.0
    for number, member in enumerate(frames["members"], 1):
        with location.accessor.open(location.get_resource_identifier(member)) as file:
            assert file.read() == b"frame %d" % number
    with pytest.raises(ComponentInLocation):
        location.add_component(frames, session.origin_location)


class Failing(ResourceIdentifierTransformer):
    def encode(self, resource_identifier, context=None):
        if resource_identifier.endswith("0003.exr"):
            raise ValueError(resource_identifier)
        return resource_identifier


def test_nothing_is_left_of_components_whose_names_could_not_be_encoded(session, disk, sequence, files):
    frames = sequence()
    disk.resource_identifier_transformer = Failing()
    with pytest.raises(ValueError, match=r"0003\.exr"):
        disk.add_component(frames, session.origin_location)
    assert (files(), len(session.recorded_operations)) == ({}, 0)
    disk.resource_identifier_transformer = ResourceIdentifierTransformer()
    disk.add_component(frames, session.origin_location)
    assert len(files()) == 4


def test_nothing_is_left_of_a_component_that_the_server_refuses_to_note(
    session, open_session, disk, sequence, files, tmp_path
):
    member = sequence()["members"][0]
    with open_session() as other:

        class Late(DiskAccessor):
            def put(self, resource_identifier, path):
                super().put(resource_identifier, path)
                data = {"component_id": member["id"], "location_id": disk["id"], "resource_identifier": "x"}
                other.create("ComponentLocation", data)
                other.commit()

        disk.accessor = Late(tmp_path / "disk")
        task = session.query("Task").first()
        task["description"] = "Waits."
        with pytest.raises(DuplicateEntryError):
            disk.add_component(member, session.origin_location)
    assert (files(), session.modified, session.created) == ({}, [task], [])
    session.commit()


@pytest.mark.parametrize("frames", ["5-1", "1-", "1, 4-2"])
def test_frames_that_are_none_make_no_empty_sequence(session, frames):
    with pytest.raises(ConfigurationError, match="are no frames"):
        session.create_component(f"beauty.%04d.exr [{frames}]", {"size": 10}, location=None)
    assert not session.created


def test_one_file_is_not_copied_for_every_frame_of_a_sequence(session, disk, sequence, files, tmp_path):
    frames = sequence()
    with pytest.raises(ConfigurationError, match="one file"):
        disk.add_component(frames, tmp_path / "beauty.0001.exr")
    assert files() == {}
    disk.add_component(frames["members"][0], tmp_path / "beauty.0001.exr")
    assert files() == {"beauty.0001.exr": b"frame 1"}


@pytest.mark.parametrize("name", ["n" * 300, "take\ud800"])
def test_names_that_a_disk_cannot_have_are_errors_of_its_accessor(disk, name):
    disk.accessor.make_container("")
    for use in (disk.accessor.exists, disk.accessor.is_file, disk.accessor.is_container, disk.accessor.open):
        with suppress(AccessorError):
            assert not use(name)
    with pytest.raises(AccessorError):
        disk.accessor.open(name, "wb")


@pytest.mark.parametrize(
    ("answer", "part_size"),
    [
        ({"url": "/x", "headers": [1]}, None),
        ({"urls": [], "upload_id": "1"}, 8),
        ({"urls": [{"part_number": 1, "signed_url": "/x"}], "upload_id": "1"}, 8),
    ],
)
def test_a_server_that_does_not_say_where_files_go_is_an_error_of_its_own(
    session, sandbox, sequence, tmp_path, answer, part_size
):
    component = sequence()["members"][0]
    (tmp_path / "take.mov").write_bytes(b"f" * 30)
    sandbox.fault("body", path="/api", body=[answer], times=1)
    with pytest.raises(UnexpectedResponse, match="does not say"):
        session.upload_component(component["id"], tmp_path / "take.mov", part_size=part_size)
