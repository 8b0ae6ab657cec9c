"""Files of components: uploads, downloads, pictures, encode jobs."""

import base64
import hashlib
import io
import json
import re
import time
import zlib

import pytest
from PIL import Image
from test_sandbox_batches import create

DATA = bytes(range(256)) * 9_000  # more than two of the pieces in which it is kept


@pytest.fixture
def sandbox_options(sandbox_options, manual_clock):
    return {**sandbox_options, "clock": manual_clock}


@pytest.fixture
def component(call):
    (result,) = call(create("FileComponent", id="c1", name="main", file_type=".bin"))
    return result["data"]["id"]


@pytest.fixture
def upload(call, http):
    """Upload a content by the service's URL: `upload("c1", b"...", "a.bin")` -> the response of the PUT."""

    def upload(component, data, name="a.bin", **headers):
        checksum = base64.b64encode(hashlib.md5(data).digest()).decode()
        (place,) = call(
            {
                "action": "get_upload_metadata",
                "component_id": component,
                "file_name": name,
                "file_size": len(data),
                "checksum": checksum,
            }
        )
        assert place["component_id"] == component
        return http.put(place["url"], data=data, headers={**place["headers"], **headers})

    return upload


@pytest.fixture
def get(http, sandbox, credentials):
    def get(route, component, *, headers=None, **params):
        return http.get(
            f"{sandbox.url}/component/{route}",
            params={"id": component, **params},
            headers=credentials if headers is None else headers,
        )

    return get


def picture(width=640, height=360, form="PNG"):
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, form)
    return buffer.getvalue()


def test_what_is_uploaded_is_downloaded(upload, get, component):
    answer = upload(component, DATA)
    assert answer.headers["etag"] == f'"{hashlib.md5(DATA).hexdigest()}"'
    got = get("get", component)
    assert got.content == DATA
    assert got.headers["content-length"] == str(len(DATA))
    assert "a.bin" in got.headers["content-disposition"]


@pytest.mark.parametrize("data", [b"", b"x", b"x" * (1 << 20), b"x" * ((1 << 20) + 1)])
def test_sizes_around_the_pieces(upload, get, component, data):
    assert upload(component, data).status_code == 200
    assert get("get", component).content == data


def test_a_second_upload_replaces_the_first(upload, get, component):
    upload(component, DATA)
    upload(component, b"short")
    assert get("get", component).content == b"short"


def test_the_key_may_stand_in_the_query(upload, get, component, credentials):
    upload(component, b"abc")
    key = {"username": credentials["ftrack-user"], "apiKey": credentials["ftrack-api-key"]}
    assert get("get", component, headers={}, **key).content == b"abc"
    assert get("get", component, headers={}).status_code == 401
    assert get("get", component, headers={}, username="x", apiKey="y").status_code == 401


def test_parts_of_a_content(upload, get, component, credentials):
    upload(component, DATA)
    for written, expected in (
        ("bytes=0-9", DATA[:10]),
        ("bytes=1048570-1048589", DATA[1048570:1048590]),
        ("bytes=2303990-", DATA[2303990:]),
        ("bytes=-5", DATA[-5:]),
        ("bytes=2303999-9999999", DATA[-1:]),
    ):
        got = get("get", component, headers={**credentials, "Range": written})
        assert (got.status_code, got.content) == (206, expected), written
        start, stop = re.match(r"bytes (\d+)-(\d+)/2304000", got.headers["content-range"]).groups()
        assert DATA[int(start) : int(stop) + 1] == expected
    assert get("get", component, headers={**credentials, "Range": "bytes=2304000-"}).status_code == 416
    for nonsense in ("bytes=9-5", "lines=1-2", "bytes=-", "bytes=" + "9" * 500 + "-"):
        assert get("get", component, headers={**credentials, "Range": nonsense}).content == DATA


def test_removed_contents_are_gone(upload, get, component):
    upload(component, DATA)
    assert get("remove", component).status_code == 200
    assert get("get", component).status_code == 404
    assert get("remove", component).status_code == 404


def test_deleted_components_take_their_content_along(upload, get, call, component):
    upload(component, DATA)
    call({"action": "delete", "entity_type": "FileComponent", "entity_key": [component]})
    assert get("get", component).status_code == 404


def test_a_wrong_checksum_leaves_what_was_there(upload, get, component):
    upload(component, b"good")
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert upload(component, b"damaged", **{"Content-MD5": wrong}).status_code == 400
    assert upload(component, b"damaged", **{"Content-MD5": "?"}).status_code == 400
    assert get("get", component).content == b"good"


def test_upload_urls_end_with_their_hour(call, http, component, manual_clock):
    (place,) = call(
        {"action": "get_upload_metadata", "component_id": component, "file_name": "a", "file_size": 1}
    )
    changed = place["url"].replace("id=c1", "id=c2")
    assert http.put(changed, data=b"x").status_code == 403
    assert http.put(place["url"] + "&part=5", data=b"x").status_code == 403
    manual_clock.advance(3601)
    assert http.put(place["url"], data=b"x").status_code == 403


def test_an_upload_that_breaks_off_leaves_what_was_there(upload, get, call, component, sandbox):
    import socket

    upload(component, b"good")
    (place,) = call(
        {"action": "get_upload_metadata", "component_id": component, "file_name": "a", "file_size": 1}
    )
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        path = place["url"].removeprefix(sandbox.url)
        line.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n".encode() + b"x" * 2_000_000
        )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        drafts = sandbox._on_loop(
            lambda: sandbox.db.execute("SELECT count(*) FROM review__piece WHERE owner <> 'c1'").fetchone()[0]
        )
        put = sandbox.requests(path="/component/upload")
        if not drafts and len(put) == 2:
            break
        time.sleep(0.02)
    assert drafts == 0
    assert get("get", component).content == b"good"


def test_upload_in_parts(call, http, get, refuse, component):
    (begun,) = call(
        {
            "action": "get_upload_metadata",
            "component_id": component,
            "file_name": "a.bin",
            "file_size": 3,
            "parts": 3,
        }
    )
    assert begun.keys() == {"component_id", "upload_id", "urls"}
    assert [url["part_number"] for url in begun["urls"]] == [1, 2, 3]
    parts = []
    for place, data in zip(reversed(begun["urls"]), (b"cc", b"b" * (1 << 20), b"aa"), strict=True):
        answer = http.put(place["signed_url"], data=data)
        parts.append({"part_number": place["part_number"], "e_tag": answer.headers["etag"].strip('"')})
    complete = {
        "action": "complete_multipart_upload",
        "component_id": component,
        "upload_id": begun["upload_id"],
    }
    wrong = [{**parts[0], "e_tag": "0"}, *parts[1:]]
    assert "has not arrived like this" in refuse({**complete, "parts": wrong})["content"]
    assert refuse({**complete, "parts": "all"})["exception"] == "ValidationError"
    assert refuse({**complete, "parts": [{"part_number": []}]})["exception"] == "ValidationError"
    assert get("get", component).status_code == 404
    (answer,) = call({**complete, "parts": sorted(parts, key=lambda part: part["part_number"])})
    assert http.get(answer["url"]).content == b"aa" + b"b" * (1 << 20) + b"cc"
    assert refuse({**complete, "parts": parts})["exception"] == "KeyError"
    assert http.put(begun["urls"][0]["signed_url"], data=b"late").status_code == 404


@pytest.mark.parametrize("parts", [0, -1, 10_001, "3", 1.5])
def test_numbers_of_parts_that_make_no_sense(refuse, component, parts):
    operation = {"action": "get_upload_metadata", "component_id": component, "file_name": "a", "parts": parts}
    assert refuse(operation)["exception"] == "ValidationError"


def test_signed_urls(call, http, component, refuse, manual_clock):
    (put,) = call({"action": "generate_signed_url", "operation": "put", "component_id": component})
    assert http.put(put["signed_url"], data=b"signed").status_code == 200
    (got,) = call({"action": "generate_signed_url", "operation": "get", "component_id": component})
    assert http.get(got["signed_url"]).content == b"signed"
    assert http.put(got["signed_url"].replace("/get", "/upload"), data=b"x").status_code == 403
    assert (
        refuse({"action": "generate_signed_url", "operation": "eat", "component_id": "x"})["exception"]
        == "ValidationError"
    )
    manual_clock.advance(3601)
    assert http.get(got["signed_url"]).status_code == 401


def test_thumbnails_have_the_size_that_was_asked_for(upload, get, component):
    upload(component, picture(), "a.png")
    for size, expected in (
        (None, (300, 169)),
        ("64", (64, 36)),
        ("5000", (640, 360)),
        ("x", (300, 169)),
        ("0", (300, 169)),
    ):
        got = get("thumbnail", component, **({"size": size} if size else {}))
        assert got.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(got.content)).size == expected


@pytest.mark.parametrize(
    "data", [b"", b"no picture", picture()[:200], b"\x89PNG\r\n\x1a\n" + zlib.compress(b"x")]
)
def test_what_is_no_picture_has_a_plain_thumbnail(upload, get, component, data):
    upload(component, data)
    got = get("thumbnail", component)
    assert got.status_code == 200
    assert Image.open(io.BytesIO(got.content)).getpixel((5, 5))[0] < 80


def test_component_urls_in_entities_can_be_fetched(upload, call, query, http, component):
    upload(component, picture(), "a.png")
    call(
        create(
            "ComponentLocation", component_id=component, location_id="3a372bde-05bc-11e4-8908-20c9d081909b"
        )
    )
    (place,) = query(f"select url from ComponentLocation where component_id is {component}")
    assert http.get(place["url"]["value"]).content == picture()
    (user,) = query("User limit 1")
    call(
        {
            "action": "update",
            "entity_type": "User",
            "entity_key": [user["id"]],
            "entity_data": {"thumbnail_id": component},
        }
    )
    (user,) = query("select thumbnail_url from User limit 1")
    assert http.get(user["thumbnail_url"]["value"]).headers["content-type"] == "image/jpeg"


@pytest.fixture
def encode(call, query):
    """Encode a component and wait: `encode("c1", version)` -> the job."""

    def encode(component, version=None, *, keep_original=True):
        (answer,) = call(
            {
                "action": "encode_media",
                "component_id": component,
                "version_id": version,
                "keep_original": keep_original,
            }
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            (job,) = query(f"select status, data, finished_at from Job where id is {answer['job_id']}")
            if job["status"] in {"done", "failed"}:
                return {**job, "data": json.loads(job["data"])}
            time.sleep(0.01)
        raise AssertionError("the job does not end")

    return encode


def test_pictures_are_encoded(upload, encode, query, get, component):
    upload(component, picture(4000, 2000), "a.png")
    (version,) = query("AssetVersion limit 1")
    job = encode(component, version["id"])
    assert job["status"] == "done"
    assert job["finished_at"] is not None
    web, thumbnail = job["data"]["output"]
    assert {web["format"], thumbnail["format"]} == {"image/jpeg"}
    assert Image.open(io.BytesIO(get("get", web["component_id"]).content)).size == (1920, 960)
    (found,) = query(f"select components.name, thumbnail_id from AssetVersion where id is {version['id']}")
    assert {c["name"] for c in found["components"]} == {"ftrackreview-image", "thumbnail"}
    assert found["thumbnail_id"] == thumbnail["component_id"]
    assert len(query(f"JobComponent where job_id is {job['id']}")) == 2
    (meta,) = query(f"select metadata from Component where id is {web['component_id']}")
    assert json.loads(meta["metadata"][0]["value"]) == {"format": "image", "width": 1920, "height": 960}


def test_the_source_can_go(upload, encode, query, get, component):
    upload(component, picture(), "a.png")
    assert encode(component, keep_original=False)["status"] == "done"
    assert query(f"Component where id is {component}") == []
    assert get("get", component).status_code == 404


def test_films_are_passed_on(call, upload, encode, query, get):
    call(create("FileComponent", id="film", name="film", file_type=".mov"))
    upload("film", b"moving", "film.mov")
    film, thumbnail = encode("film")["data"]["output"]
    assert (film["format"], thumbnail["format"]) == ("video/mp4", "image/jpeg")
    assert get("get", film["component_id"]).content == b"moving"


def test_what_cannot_be_encoded_fails(upload, encode, query, refuse, component):
    upload(component, b"no picture", "a.bin")
    job = encode(component)
    assert job["status"] == "failed"
    assert job["data"]["output"] == []
    assert "bin" in job["data"]["error"]
    assert refuse({"action": "encode_media", "component_id": "nothing"})["exception"] == "KeyError"


def test_a_component_without_a_file_is_not_encoded(refuse, component):
    assert "no file" in refuse({"action": "encode_media", "component_id": component})["content"]
