"""What the vendor's client finds is what ours finds: field by field, reading by reading, byte by byte."""

import hashlib
from datetime import datetime

import pytest

from sessionkit_helios import Alerts, Cameras, Collections, HeliosSession, Observations
from sessionkit_helios.parameters import time_of

METHODS = {
    Alerts: {"index", "show"},
    Cameras: {"index", "show", "images", "show_image"},
    Collections: {
        *("index", "show", "images", "show_image", "create", "update", "copy"),
        *("add_image", "remove_image", "empty", "destroy"),
    },
    Observations: {"index", "show", "preview"},
    HeliosSession: {"start_session", "verify_token"},
}


@pytest.fixture
def session(inventory, sandbox, manual_clock, tmp_path):
    """Opened after the vendor's client has done its work."""
    with HeliosSession.detached(
        "demo-client", "demo-secret", f"{sandbox.url}/v1", tmp_path / "ours", 8, clock=manual_clock
    ) as session:
        yield session


def ours(found, fields):
    """Our features by id, with the vendor's fields only."""
    return {feature.id: {name: getattr(feature, name) for name in fields} for feature in found}


def as_read(rows):
    """The vendor's fields; times, which it leaves as text, as moments."""
    moments = {"effective", "expires", "time", "created_at", "updated_at"}
    return {
        identifier: {name: time_of(value) if name in moments else value for name, value in row.items()}
        for identifier, row in rows.items()
    }


def test_every_method_of_the_vendors_client_is_there():
    assert all(callable(getattr(api, name)) for api, names in METHODS.items() for name in names)


def test_every_field_of_every_feature_is_the_vendors(inventory, session, hours_ago):
    alerts, cameras, observations = Alerts(session), Cameras(session), Observations(session)
    virginia = cameras.index(state="Virginia")
    snow = observations.index(
        state="Virginia",
        sensors={"road_weather": {"min": 6}},
        time_min=hours_ago(2),
        time_max=hours_ago(0),
    )
    found = {
        "alerts": alerts.index(),
        "alerts shown": alerts.show(list(inventory["fields"]["alerts"])),
        "cameras": virginia,
        "cameras shown": cameras.show(virginia.id),
        "observations": snow,
        "collections": Collections(session).index(q="example") + Collections(session).index(q="snow on"),
    }
    assert set(found) == set(inventory["fields"])
    for name, theirs in inventory["fields"].items():
        fields = next(iter(theirs.values()))
        assert len(fields) >= 8, name
        assert ours(found[name], fields) == as_read(theirs), name
    assert [isinstance(feature.time, datetime) for feature in snow] == [True] * len(snow)
    readings = snow.readings()
    assert sorted(readings) == sorted(inventory["readings"])
    for name, theirs in inventory["readings"].items():
        by_id = {row[-2]: row for row in theirs}
        for reading in readings[name]:
            row = by_id.pop(reading.id)
            assert [reading.sensor, reading.time, *reading[2:]] == [row[0], time_of(row[1]), *row[2:]]
        assert by_id == {}


def test_every_image_is_the_vendors(inventory, session, afton, tmp_path):
    shown, times = inventory["show_image"], inventory["times"][:4]
    into_files = Cameras(session).show_image(afton, times, tmp_path / "images")
    assert {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in into_files.output_files
    } == shown["digests"]
    assert all(shown["ok"])
    in_memory = Cameras(session).show_image(afton, times)
    assert {image.name: hashlib.sha256(image.data).hexdigest() for image in in_memory} == shown["digests"]
    arrays = [hashlib.sha256(array.tobytes()).hexdigest() for array in in_memory.image_data]
    assert sorted(arrays) == shown["arrays"]
    previews = Observations(session).preview(list(inventory["fields"]["observations"])[:1])
    assert len(previews) == 1
    (made,) = Collections(session).index(q="renamed")
    names = inventory["collection_images"]
    collected = Collections(session).show_image(made.id, names)
    assert {image.name: hashlib.sha256(image.data).hexdigest() for image in collected} == inventory[
        "collection_show_image"
    ]["digests"]
    found = Collections(session).show(made.id)
    assert [found.name, found.tags, found.description, len(found.images)] == inventory["collection_shown"][:4]


def test_what_fails_and_what_is_joined_is_the_vendors(inventory, session, afton):
    missing = Cameras(session).show(["no-such-camera", afton])
    assert len(missing.failed) == inventory["cameras_missing"] == 1
    assert [len(missing.features), missing.id] == inventory["cameras_found"]
    both = Cameras(session).index(q="Afton") + Cameras(session).index(state="Ohio")
    assert both.id == inventory["joined"][1]
    name, camera, moment, path = inventory["parsed"]
    assert name in inventory["show_image"]["names"]
    assert camera == afton
    assert moment.startswith("20")
    assert path.endswith(name)
    assert inventory["json"][:2] == [True, {"a": 1}]
    assert inventory["logged"] == 3
    assert inventory["config"] == ["general", "requests", "session"]
