import pytest

from sessionkit.errors import ConfigurationError

SNOW = "5b8d3a1c9f0e4a0012d7c001"


@pytest.fixture
def made(api):
    """A new, empty collection's id."""
    answer = api("POST", "/collections", json={"name": "New", "description": "One", "tags": ["a", "b"]})
    assert answer.status_code == 200
    return answer.json()["collection_id"]


def test_collections_are_indexed_by_text_time_and_tag(get, manual_clock, api):
    manual_clock.advance(3600)
    api("POST", "/collections", data={"name": "A later one", "tags": "snow, late"})
    answer = get("/collections", sort="name", aggs="tags")
    assert [each["name"] for each in answer["results"]] == [
        "A later one",
        "Examples",
        "Snow on Afton Mountain",
    ]
    assert (answer["total"], answer["skip"], answer["limit"]) == (3, 0, 10)
    assert answer["aggs"]["tags"][0] == {"value": "snow", "count": 2}
    assert get("/collections", q="afton")["total"] == 1
    assert get("/collections", created_at_min="2026-01-01T00:30")["results"][0]["tags"] == ["snow", "late"]
    assert get("/collections", updated_at_max="2026-01-01T00:30")["total"] == 2
    assert api("POST", "/collections/_search", json={"q": "afton"}).json()["total"] == 1


def test_images_are_shown_from_a_marker_on(get):
    names = get(f"/collections/{SNOW}")["images"]
    assert len(names) == 12
    assert get(f"/collections/{SNOW}", limit=3, marker="")["images"] == names[:3]
    assert get(f"/collections/{SNOW}", limit=3, marker=names[2])["images"] == names[3:6]
    assert get(f"/collections/{SNOW}", marker=names[5][:-8])["images"][0] == names[5]
    assert get(f"/collections/{SNOW}", marker="zzzz")["images"] == []


def test_images_are_added_in_four_ways_and_once_each(api, get, made, afton, hours_ago):
    observation = get("/observations", q=afton, limit=1)["features"][0]["id"]
    name = get(f"/collections/{SNOW}")["images"][0]
    ways = [
        {"camera_id": afton},
        {"camera_id": afton, "time": hours_ago(5)},
        {"observation_id": observation},
        {"collection_id": SNOW, "image": name},
    ]
    added = [api("POST", f"/collections/{made}/images", data=way).json()["image"] for way in ways]
    api("POST", f"/collections/{made}/images", json=ways[0])
    assert added[3] == name
    assert get(f"/collections/{made}")["images"] == sorted(added)
    assert api("GET", f"/collections/{made}/images/{name}").headers["Content-Type"] == "image/jpeg"


def test_a_collection_is_changed_emptied_and_destroyed(api, get, made, afton, manual_clock):
    manual_clock.advance(60)
    assert api("PATCH", f"/collections/{made}", json={"name": "Renamed", "tags": "c"}).json() == {"ok": True}
    shown = get(f"/collections/{made}")
    assert (shown["name"], shown["description"], shown["tags"]) == ("Renamed", "One", ["c"])
    assert shown["updated_at"] > shown["created_at"]
    image = api("POST", f"/collections/{made}/images", data={"camera_id": afton}).json()["image"]
    assert api("DELETE", f"/collections/{made}").status_code == 409
    assert api("DELETE", f"/collections/{made}/images/{image}").json() == {"ok": True}
    api("POST", f"/collections/{made}/images", data={"camera_id": afton})
    assert api("DELETE", f"/collections/{made}/images").json() == {"ok": True, "total": 1}
    assert api("DELETE", f"/collections/{made}").json() == {"ok": True}
    assert api("GET", f"/collections/{made}").status_code == 404


def test_a_thousand_images_are_removed_at_once_at_most(api, get, sandbox, service):
    from sessionkit_helios.sandbox.frames import Image

    names = [Image("CAM", n * 1000).name for n in range(1200)]
    sandbox._on_loop(
        lambda: service.load({"collections": [{"_id": "big", "name": "B", "images": names}]}, replace=False)
    )
    assert api("DELETE", "/collections/big/images").json()["total"] == 1000
    assert api("DELETE", "/collections/big/images").json()["total"] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/collections", {}, 400),
        ("GET", "/collections/none", None, 404),
        ("PATCH", "/collections/none", {"name": "x"}, 404),
        ("DELETE", "/collections/none", None, 404),
        ("POST", f"/collections/{SNOW}/images", {}, 400),
        ("POST", f"/collections/{SNOW}/images", {"camera_id": "none"}, 404),
        ("POST", f"/collections/{SNOW}/images", {"observation_id": "none"}, 404),
        ("POST", f"/collections/{SNOW}/images", {"collection_id": SNOW, "image": "none"}, 404),
        ("DELETE", f"/collections/{SNOW}/images/none", None, 404),
        ("GET", f"/collections/{SNOW}/images/none", None, 404),
        ("GET", f"/collections/{SNOW}?limit=201", None, 400),
    ],
)
def test_what_cannot_be_done_is_refused(api, method, path, body, status):
    answer = api(method, path, data=body)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_data_replaces_the_demo(sandbox_options, http):
    from sessionkit.sandbox import Sandbox

    mine = {
        "clients": {"me": "secret"},
        "cameras": [
            {"id": "C", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"city": "X"}}
        ],
        "collections": [{"_id": "c", "name": "Mine", "user_id": "me", "created_at": "2018-01-01"}],
    }
    with Sandbox(**sandbox_options, data=[{"replace": True, "helios": mine}]) as box:
        token = http.post(
            f"{box.url}/v1/oauth/token",
            json={"grant_type": "client_credentials", "client_id": "me", "client_secret": "secret"},
        ).json()["access_token"]
        header = {"Authorization": f"Bearer {token}"}
        assert http.get(f"{box.url}/v1/cameras", headers=header).json()["properties"]["total"] == 1
        assert http.get(f"{box.url}/v1/alerts", headers=header).json()["properties"]["total"] == 0
        results = http.get(f"{box.url}/v1/collections", headers=header).json()["results"]
        assert [(each["user_id"], each["created_at"]) for each in results] == [
            ("me", "2018-01-01T00:00:00.000Z")
        ]


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"camera": []}, "helios.camera "),
        ({"clients": ["a"]}, "helios.clients"),
        ({"cameras": [{"id": "x"}]}, "helios.cameras[0]"),
        ({"cameras": 3}, "helios.cameras"),
        ({"cameras": [None]}, "helios.cameras[0]"),
        (
            {
                "observations": [
                    {"id": "x", "geometry": {"type": "Point", "coordinates": [0, 0]}, "properties": {}}
                ]
            },
            "[0]",
        ),
        ({"collections": [{"name": "x", "images": ["nonsense"]}]}, "helios.collections[0]"),
        ({"collections": ["x"]}, "helios.collections[0]"),
        ({"collections": 3}, "helios.collections"),
    ],
)
def test_wrong_data_is_refused_by_the_name_of_its_key(service, sandbox, section, named):
    with pytest.raises(ConfigurationError) as caught:
        sandbox._on_loop(lambda: service.load(section, replace=False))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"limit": "many"}, {"limit": -1}, {"limit": True}, {"per": float("nan")}]
)
def test_a_fault_with_a_wrong_number_is_refused(sandbox, options):
    with pytest.raises(ConfigurationError, match="of a fault"):
        sandbox.fault("rate_limit", **options)


def test_an_unknown_fault_is_refused(sandbox):
    with pytest.raises(ConfigurationError):
        sandbox.fault("earthquake")
