"""Locations and components when something is odd, or goes wrong half way."""

import pytest

from sessionkit_review.locations import DiskAccessor, StandardStructure


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
