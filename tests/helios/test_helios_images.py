import io
import json
import subprocess
import sys
import zipfile
from datetime import datetime, timezone

import pytest

from sessionkit.errors import ConfigurationError, Conflict, NotFound, UnexpectedResponse
from sessionkit.http import RetryPolicy
from sessionkit_helios import Cameras, Collections, HeliosSession, Observations, PartialFailure, Recordings
from sessionkit_helios.batch import Failure
from sessionkit_helios.sandbox import times


@pytest.fixture
def session(sandbox, manual_clock, tmp_path):
    with HeliosSession.detached(
        "demo-client",
        "demo-secret",
        f"{sandbox.url}/v1",
        tmp_path / "base",
        8,
        clock=manual_clock,
        retry=RetryPolicy(base=0, attempts=2),
    ) as opened:
        yield opened


@pytest.fixture
def cameras(session):
    return Cameras(session)


@pytest.fixture
def collections(session):
    return Collections(session)


@pytest.fixture
def dull(sandbox, service, now):
    """A camera with four images, one of them a dud."""
    stamps = [times.iso(now - n * 60_000) for n in (4, 3, 2, 1)]
    camera = {
        "id": "DULL",
        "geometry": {"type": "Point", "coordinates": [1, 2]},
        "properties": {},
        "images": stamps,
        "duds": stamps[1:2],
    }
    sandbox._on_loop(lambda: service.load({"cameras": [camera]}, replace=False))
    return stamps


def test_the_times_of_images_are_listed_from_start_to_before_end(cameras, afton, hours_ago, now):
    every = cameras.images(afton, hours_ago(4), hours_ago(0))
    assert len(every) == 24
    assert cameras.images(afton, hours_ago(4), hours_ago(0), limit=5) == every
    assert cameras.images(afton, hours_ago(4), hours_ago(0), limit=1) == every
    assert cameras.images(afton, every[0], every[3]) == every[:3]
    assert cameras.images(afton, hours_ago(4), limit=3) == every[:3]
    begin = datetime.fromtimestamp(now / 1000 - 4 * 3600, timezone.utc)
    assert cameras.images(afton, begin, times.iso(now)) == every
    with pytest.raises(NotFound):
        cameras.images("no-such", "2018")


@pytest.mark.parametrize(
    "end",
    [
        "2026-01-02T00:00:00Z",
        "2026-01-02T00:00Z",
        "2026-01-02T02:00:00+02:00",
        "2026-01-01T19:00:00.000-05:00",
        "2026-01-02",
        datetime(2026, 1, 2),  # noqa: DTZ001 - what users write
    ],
)
def test_the_end_of_a_range_is_an_instant_however_it_is_written(cameras, sandbox, service, end):
    midnight = times.parse("2026-01-02")
    stamps = [times.iso(midnight + n * 60_000) for n in (-180, -60, -1, 0, 1, 60, 180)]
    place = {"type": "Point", "coordinates": [1, 2]}
    camera = {"id": "EDGE", "geometry": place, "properties": {}, "images": stamps}
    sandbox._on_loop(lambda: service.load({"cameras": [camera]}, replace=False))
    assert cameras.images("EDGE", "2026", end) == stamps[:3]


@pytest.mark.parametrize("body", ["{}", "[]", '{"times": 3}', '{"times": [1]}'])
def test_an_answer_without_times_is_reported(cameras, sandbox, body):
    sandbox.fault("body", path="*/images", body=body)
    with pytest.raises(UnexpectedResponse):
        cameras.images("x", "2018")


def test_a_service_that_gives_the_same_times_again_and_again_is_reported(cameras, sandbox):
    same = [f"2018-01-01T0{hour}:00:00.000Z" for hour in range(3)]
    sandbox.fault("body", path="*/images", body=json.dumps({"times": same}), times=9)
    with pytest.raises(UnexpectedResponse, match="earlier ones came"):
        cameras.images("x", "2018", "2019", limit=3)
    assert len(sandbox.requests(path="*/images")) == 2


def test_images_are_fetched_into_files_by_their_own_names(cameras, afton, hours_ago, tmp_path, service):
    wanted = cameras.images(afton, hours_ago(2), hours_ago(0))
    images = cameras.show_image(afton, wanted, out_dir=tmp_path / "out")
    assert images.ok
    assert images.image_names == [path.name for path in images.output_files]
    assert [times.parse_compact(name[-21:-4]) for name in images.image_names] == [
        times.parse(t) for t in wanted
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(images.image_names)
    assert service.origin.leaked == []
    again = cameras.show_image(afton, wanted, out_dir=tmp_path / "out")
    assert again.image_names == images.image_names


def test_images_are_fetched_into_memory_as_bytes_pictures_and_arrays(cameras, afton, hours_ago):
    images = cameras.show_image(afton, hours_ago(1))
    assert images[0].data[:2] == b"\xff\xd8"
    assert images[0].picture.size == (704, 480)
    assert images.output_files == []
    pytest.importorskip("numpy")
    assert images.image_data[0].shape == (480, 704, 3)
    assert len(list(images)) == len(images) == 1


@pytest.mark.parametrize("where", ["memory", "files"])
def test_duds_are_left_out_when_asked(cameras, dull, tmp_path, where):
    out_dir = tmp_path / "out" if where == "files" else None
    assert len(cameras.show_image("DULL", dull, out_dir)) == 4
    images = (
        cameras.show_image("DULL", dull, out_dir, duds=False, existing="replace")
        if out_dir
        else cameras.show_image("DULL", dull, duds=False)
    )
    assert len(images) == 3
    assert images.dropped == 1
    assert images.ok


@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "body": "{}", "content_type": "application/json"},
        {"status": 200, "body": "<html>Sign in to the airport", "content_type": "text/html; charset=utf-8"},
        {"status": 204},
    ],
)
def test_an_answer_in_the_place_of_an_image_is_none(cameras, dull, sandbox, tmp_path, where, answer):
    sandbox.fault("status", path="/v1/cameras/*/live", **answer)
    out_dir = tmp_path / "out" if where == "files" else None
    images = cameras.live("DULL", out_dir)
    assert isinstance(images.failed[0].error, UnexpectedResponse)
    assert len(images) == 0
    assert out_dir is None or not out_dir.exists() or list(out_dir.iterdir()) == []
    assert images.retry().ok


def test_a_verdict_that_nobody_can_read_is_none(cameras, dull, sandbox):
    verdict = {"x-amz-meta-helios": "[" * 60_000}
    sandbox.fault("status", path="/helios-exelis/*", status=200, body="a picture", headers=verdict)
    images = cameras.show_image("DULL", dull[0], duds=False)
    assert [image.data for image in images] == [b"a picture"]


@pytest.mark.parametrize("where", ["memory", "files"])
def test_images_that_fail_are_named_and_only_they_are_asked_for_again(
    cameras, dull, sandbox, tmp_path, where
):
    sandbox.fault("status", path="/helios-exelis/*", times=2)
    out_dir = tmp_path / "out" if where == "files" else None
    images = cameras.show_image("DULL", dull[:1], out_dir)
    assert len(images.failed) == 1
    assert "/cameras/DULL/images/" in str(images.failed[0])
    with pytest.raises(Exception, match="failed"):
        images.raise_for_failures()
    again = images.retry()
    assert again.ok
    assert len(again) == 1


def test_a_link_that_expires_in_the_middle_is_asked_for_anew(cameras, dull, sandbox, tmp_path, manual_clock):
    sandbox.fault("truncate", path="/helios-exelis/*")
    images = cameras.show_image(
        "DULL", dull[:1], tmp_path, progress=lambda now: sandbox.fault("expire_links")
    )
    assert images.ok
    paths = [each.path.split("/")[1] for each in sandbox.requests()]
    assert paths.count("helios-exelis") == 2


@pytest.mark.parametrize("where", ["files", None])
def test_a_token_that_ends_while_every_place_is_taken_by_images_is_renewed(
    sandbox, service, tmp_path, afton, hours_ago, where
):
    service.tokens.requests.clear()
    api_url = f"{sandbox.url}/v1"
    with HeliosSession.detached(
        "demo-client", "demo-secret", api_url, tmp_path, 2, proxies=False, timeout=10
    ) as session:
        cameras = Cameras(session)
        times = cameras.images(afton, hours_ago(3), hours_ago(0))
        sandbox.fault("revoke_tokens")
        shown = cameras.show_image(afton, times, where and tmp_path / where)
        shown.raise_for_failures()
        assert len(shown) == len(times)
    assert service.tokens.requests == {"demo-client": 2}


def test_many_images_through_a_bad_network(cameras, afton, hours_ago, sandbox, tmp_path):
    wanted = cameras.images(afton, hours_ago(20), hours_ago(0))
    for kind in ("truncate", "reset", "hang_up", "lost_reply"):
        sandbox.fault(kind, times=5, after=20)
    images = cameras.show_image(afton, wanted, tmp_path / "out")
    images = images if images.ok else images.retry()
    images.raise_for_failures()
    assert len(images) == len(wanted) == 120
    for image in images:
        image.picture.verify()


def test_live_images_and_previews(cameras, session, afton, hours_ago, tmp_path, now):
    live = cameras.live([afton, afton], tmp_path)
    assert times.parse_compact(live.image_names[0][-21:-4]) > now - 600_000
    observations = Observations(session)
    found = observations.index(q=afton, time_min=hours_ago(1))
    previews = observations.preview(found.id, tmp_path)
    assert len(previews) == 6
    assert observations.preview(found.id[0])[0].name == previews[0].name


def test_recordings_are_made_found_and_downloaded(session, afton, hours_ago, tmp_path):
    recordings = Recordings(session)
    identifier = recordings.create(afton, hours_ago(1), name="The pass")
    (found,) = recordings.index(q="pass")
    assert (found.id, found.camera_id, found.name) == (identifier, afton, "The pass")
    assert recordings.show(identifier)[0] == found
    (file,) = recordings.download(identifier, tmp_path).output_files
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        assert len(archive.namelist()) == 6


def test_a_collections_life(collections, cameras, session, afton, hours_ago, tmp_path):
    identifier = collections.create("Storm", "The storm", ["snow", "today"])
    observation = Observations(session).index(q=afton, limit=1)[0].id
    assets = [
        {"camera_id": afton},
        {"camera_id": afton, "time": hours_ago(5)},
        {"camera_id": afton, "time": datetime(2025, 12, 31, 12, tzinfo=timezone.utc)},
        {"observation_id": observation},
        {"camera_id": "no-such"},
    ]
    added = collections.add_image(identifier, assets)
    assert len(added) == 4
    assert added.failed[0].query == {"camera_id": "no-such"}
    with pytest.raises(PartialFailure, match="There is no camera no-such"):
        added.raise_for_failures()
    assert len(added.retry().failed) == 1
    names = collections.images(identifier)
    assert len(names) == 4
    assert collections.images(identifier, camera=afton) == names
    assert collections.images(identifier, camera="other") == []
    assert len(collections.show_image(identifier, names, tmp_path)) == 4
    collections.update(identifier, tags="a,b")
    shown = collections.show(identifier, limit=2)
    assert (shown.name, shown.description, shown.tags, shown.images) == (
        "Storm",
        "The storm",
        ["a", "b"],
        names[:2],
    )
    copied = collections.copy(identifier, "Copy")
    assert collections.images(copied) == names
    assert collections.remove_image(copied, names[:2]).ok
    assert collections.images(copied) == names[2:]
    with pytest.raises(Conflict, match="still has images"):
        collections.destroy(copied)
    assert collections.empty(copied) == 2
    collections.destroy(copied)
    with pytest.raises(NotFound):
        collections.show(copied)
    assert collections.add_image(identifier, {"camera_id": afton}).ok


def test_a_copy_that_is_not_whole_can_be_made_whole(collections, cameras, sandbox, afton, hours_ago):
    identifier = collections.create("Storm")
    assets = [{"camera_id": afton, "time": hours_ago(n)} for n in range(1, 5)]
    collections.add_image(identifier, assets).raise_for_failures()
    sandbox.fault("status", method="POST", path="/v1/collections/*/images", status=400)
    with pytest.raises(PartialFailure) as caught:
        collections.copy(identifier, "Copy")
    (copied,) = collections.index(q="Copy").id
    assert copied in caught.value.hint
    assert len(collections.images(copied)) == 3
    collections.add_image(copied, [failure.query for failure in caught.value.failed]).raise_for_failures()
    assert collections.images(copied) == collections.images(identifier)


def test_nothing_is_changed_when_one_of_the_arguments_cannot_be(collections, cameras, sandbox, afton):
    identifier = collections.create("Storm")
    before = len(sandbox.requests())
    with pytest.raises(ConfigurationError, match="5 is no time"):
        collections.add_image(identifier, [{"camera_id": afton}, {"camera_id": afton, "time": 5}])
    with pytest.raises(ConfigurationError, match="is no id"):
        collections.remove_image(identifier, ["a.jpg", ""])
    with pytest.raises(ConfigurationError, match="is no time"):
        cameras.images(afton, 2018)
    assert len(sandbox.requests()) == before


def test_an_error_without_words_is_shown_by_its_kind():
    assert str(Failure("x", OSError())) == "x: OSError"


def test_long_collections_are_read_and_emptied_whole(collections, service, sandbox):
    from sessionkit_helios.sandbox.frames import Image

    names = sorted(Image(camera, n * 1000).name for camera in ("A", "B") for n in range(700))
    sandbox._on_loop(
        lambda: service.load({"collections": [{"_id": "big", "name": "B", "images": names}]}, replace=False)
    )
    assert collections.images("big") == names
    assert len(collections.images("big", camera="A")) == 700
    assert collections.empty("big") == 1400


@pytest.mark.parametrize("body", ["{}", "[]", '{"collection_id": 3}'])
def test_an_answer_without_the_new_id_is_reported(collections, sandbox, body):
    sandbox.fault("body", method="POST", path="/v1/collections", body=body)
    with pytest.raises(UnexpectedResponse):
        collections.create("x")


def test_nothing_heavy_is_loaded_until_it_is_wanted():
    heavy = ["numpy", "pandas", "PIL", "starlette", "rich", "requests"]
    code = f"import sys, sessionkit_helios; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
