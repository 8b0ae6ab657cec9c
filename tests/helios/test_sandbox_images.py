import hashlib
import io
import json
import zipfile

import pytest
from PIL import Image

from sessionkit_helios.sandbox import frames, pictures, times


@pytest.fixture
def link(api, afton, hours_ago):
    """A signed link to one picture."""
    answer = api("GET", f"/cameras/{afton}/images/{hours_ago(1)}", allow_redirects=False)
    assert answer.status_code == 302
    return answer.headers["Location"]


def test_a_camera_has_an_image_each_ten_minutes_up_to_now(get, afton, now, hours_ago):
    found = get(f"/cameras/{afton}/images", time=hours_ago(3), limit=500)["times"]
    assert len(found) == 18
    assert found == sorted(found)
    assert times.iso(now - frames.EVERY) < found[-1] <= times.iso(now)
    again = get(f"/cameras/{afton}/images", time=found[4], limit=3)["times"]
    assert again == found[4:7]


def test_the_nearest_image_is_shown_and_the_oldest_is_ninety_days_old(get, api, afton, now):
    oldest = get(f"/cameras/{afton}/images", limit=1)["times"][0]
    assert times.iso(now - frames.KEPT) <= oldest < times.iso(now - frames.KEPT + frames.EVERY)
    for asked in ("1999", oldest):
        answer = api("GET", f"/cameras/{afton}/images/{asked}", allow_redirects=False)
        assert times.compact(times.parse(oldest)) in answer.headers["Location"]


def test_times_pass_and_the_live_image_with_them(api, afton, manual_clock):
    def live():
        return api("GET", f"/cameras/{afton}/live", allow_redirects=False).headers["Location"].split("?")[0]

    first = live()
    assert live() == first
    manual_clock.advance(600)
    assert live() > first


def test_an_image_is_behind_a_redirect_to_another_origin(sandbox, api, link, afton, hours_ago):
    assert sandbox.url.startswith("http://127.0.0.1:")
    assert link.startswith(sandbox.url.replace("127.0.0.1", "localhost") + "/helios-exelis/")
    answer = api("GET", f"/cameras/{afton}/images/{hours_ago(1)}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["ETag"] == f'"{hashlib.md5(answer.content).hexdigest()}"'
    assert Image.open(io.BytesIO(answer.content)).size == (pictures.WIDTH, pictures.HEIGHT)
    assert sandbox.service("helios").origin.leaked == []


def test_an_authorization_that_follows_the_redirect_is_refused_and_remembered(http, link, service):
    answer = http.get(link, headers={"Authorization": "Bearer secret"})
    assert answer.status_code == 400
    assert "Only one auth mechanism" in answer.text
    assert service.origin.leaked == ["Bearer secret"]


def test_a_link_is_good_for_fifteen_minutes_and_for_one_picture(http, link, sandbox, manual_clock, afton):
    assert http.get(link).status_code == 200
    other = link.replace("20251231", "20251230")
    for bad in (other, link.split("?")[0], link.replace("Signature=", "Signature=0")):
        assert http.get(bad).status_code == 403
    manual_clock.advance(901)
    assert http.get(link).status_code == 403


def test_links_can_be_made_to_expire(http, link, sandbox):
    sandbox.fault("expire_links")
    assert http.get(link).status_code == 403


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=1000-", slice(1000, None)),
        ("bytes=-10", slice(-10, None)),
        ("bytes=100-999999999", slice(100, None)),
    ],
)
def test_a_part_of_an_image(http, link, wanted, part):
    whole = http.get(link)
    answer = http.get(link, headers={"Range": wanted, "If-Range": whole.headers["ETag"]})
    assert answer.status_code == 206
    assert answer.content == whole.content[part]
    assert answer.headers["Content-Range"].endswith(f"/{len(whole.content)}")


def test_a_part_that_cannot_be(http, link):
    size = len(http.get(link).content)
    beyond = http.get(link, headers={"Range": f"bytes={size}-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{size}"
    for ignored in (
        {"Range": "lines=1-2"},
        {"Range": "bytes=-"},
        {"Range": "bytes=0-9", "If-Range": '"old"'},
    ):
        answer = http.get(link, headers=ignored)
        assert answer.status_code == 200
        assert len(answer.content) == size


def test_a_known_image_is_not_sent_again_and_head_sends_none(http, link):
    whole = http.get(link)
    assert http.get(link, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    head = http.head(link)
    assert int(head.headers["Content-Length"]) == len(whole.content)
    assert head.content == b""


def test_the_same_picture_has_the_same_bytes_also_when_drawn_anew(http, link):
    before = http.get(link).content
    pictures.jpeg.cache_clear()
    assert http.get(link).content == before


def test_pictures_differ_by_weather_and_hour():
    noon = times.parse("2018-01-01T17:00")
    dry = pictures.Scene("VADOT-1", "VADOT-1", -77.4, noon)
    scenes = [
        dry,
        pictures.Scene("VADOT-1", "VADOT-1", -77.4, noon, road=10, visibility=0.2, precipitation=True),
        pictures.Scene("VADOT-1", "VADOT-1", -77.4, noon + 12 * 3_600_000),
        pictures.Scene("VADOT-2", "VADOT-2", -77.4, noon),
        pictures.Scene("VADOT-1", "VADOT-1", -77.4, noon, dud=True),
    ]
    drawn = [pictures.jpeg(scene) for scene in scenes]
    assert len(set(drawn)) == len(scenes)
    assert all(20_000 < len(body) < 80_000 for body in drawn[:-1])
    assert scenes[0].daylight == 1
    assert scenes[2].daylight == 0


def test_duds_are_marked(api, service, sandbox):
    point = {"type": "Point", "coordinates": [10, 50]}
    stamps = ["2018-01-01T00:00:00.000Z", "2018-01-01T00:10:00.000Z"]
    camera = {"id": "CAM-1", "geometry": point, "properties": {}, "images": stamps, "duds": stamps[1:]}
    sandbox._on_loop(lambda: service.load({"cameras": [camera]}, replace=False))
    assert api("GET", "/cameras/CAM-1/images", limit=9).json() == {"times": stamps}
    verdicts = [
        json.loads(api("GET", f"/cameras/CAM-1/images/{stamp}").headers["x-amz-meta-helios"])
        for stamp in stamps
    ]
    assert [verdict["isDud"] for verdict in verdicts] == [False, True]
    assert "images" not in api("GET", "/cameras/CAM-1").json()


def test_one_image_in_twenty_four_is_a_dud(api, afton, hours_ago, http, service):
    listed = api("GET", f"/cameras/{afton}/images", time=hours_ago(24), limit=144).json()["times"]
    shown = [service._gallery._is_dud(frames.Image(afton, times.parse(stamp))) for stamp in listed]
    assert 1 <= sum(shown) <= 15


def test_images_name_their_camera_and_instant():
    image = frames.Image("VADOT-85975", times.parse("2018-01-01T00:00"))
    assert image.name.endswith("-VADOT-85975_20180101000000000.jpg")
    assert frames.Image.named(image.name) == image
    for name in ("x.jpg", "0000-VADOT-85975_20180101000000000.jpg", image.name + "x", "a_b", ""):
        with pytest.raises(ValueError):
            frames.Image.named(name)


def test_a_preview_is_the_image_the_observation_was_made_from(api, get, afton):
    observation = get("/observations", q=afton, limit=1)["features"][0]
    answer = api("GET", f"/observations/{observation['id']}/preview")
    assert answer.status_code == 200
    assert times.compact(times.parse(observation["properties"]["time"])) in answer.url


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cameras/none/images", 404),
        ("/cameras/none/images/2018", 404),
        ("/cameras/none/live", 404),
        ("/cameras/{}/images?time=noon", 400),
        ("/cameras/{}/images/noon", 400),
        ("/cameras/{}/images?limit=501", 400),
        ("/observations/none/preview", 404),
    ],
)
def test_images_that_cannot_be(api, afton, path, status):
    assert api("GET", path.format(afton)).status_code == status


def test_a_recording_is_made_found_and_downloaded(api, get, afton, hours_ago):
    made = api("POST", "/recordings", json={"camera_id": afton, "time_min": hours_ago(1), "name": "The pass"})
    identifier = made.json()["recording_id"]
    found = get("/recordings", q="pass", state="Virginia")
    assert [feature["id"] for feature in found["features"]] == [identifier]
    assert found["features"][0]["properties"]["expires_at"] == hours_ago(-24 * 90)
    archive = api("GET", f"/recordings/{identifier}/download")
    assert archive.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as file:
        assert len(file.namelist()) == 6
        assert file.read(file.namelist()[0])[:2] == b"\xff\xd8"
    part = api("GET", f"/recordings/{identifier}/download", headers={"Range": "bytes=10-"})
    assert part.content == archive.content[10:]


def test_a_recording_that_cannot_be(api, afton, hours_ago):
    backwards = {"camera_id": afton, "time_min": hours_ago(1), "time_max": hours_ago(2)}
    assert api("POST", "/recordings", data=backwards).status_code == 400
    assert api("POST", "/recordings", data={"camera_id": "none"}).status_code == 404
    assert api("GET", "/recordings/none/download").status_code == 404
