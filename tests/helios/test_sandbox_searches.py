import pytest

from sessionkit_helios.sandbox import geo, times

LONDON = "-0.5,51.3,0.3,51.7"


def ids(answer):
    return [feature["id"] for feature in answer["features"]]


def test_an_index_is_a_feature_collection_with_its_totals(get):
    answer = get("/cameras", limit=2, skip=1)
    everything = get("/cameras", limit=100)
    assert answer["type"] == "FeatureCollection"
    assert ids(answer) == ids(everything)[1:3]
    assert answer["properties"] == {"total": 36, "skip": 1, "limit": 2, "aggs": {}}
    longitudes = [feature["geometry"]["coordinates"][0] for feature in answer["features"]]
    assert answer["bbox"][0] == min(longitudes)
    assert answer["bbox"][2] == max(longitudes)


def test_ten_are_given_unless_more_are_asked_for_and_none_may_be(get):
    assert len(get("/cameras")["features"]) == 10
    nothing = get("/cameras", limit=0, aggs="state")
    assert nothing["features"] == []
    assert nothing["bbox"] is None
    assert nothing["properties"]["aggs"]["state"][0] == {"value": "Virginia", "count": 10}


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({"bbox": LONDON}, 4),
        ({"bbox": "150,-35,-170,-33"}, 3),  # across the antimeridian
        ({"polygon": "-78 37,-77 37,-77 38,-78 38,-78 37"}, 4),
        ({"lat": "51.5072", "lon": "-0.1276", "radius": "5km"}, 2),
        ({"lat": "51.5072", "lon": "-0.1276", "radius": "5.8mi"}, 3),
        ({"lat": "51.5072", "lon": "-0.1276"}, 4),  # 10 km
        ({"lat": "51.5072", "lon": "-0.1276", "radius": "50"}, 1),
        ({"polyline": "_p~iF~ps|U_ulLnnqC_mqNvxq`@"}, 0),
        ({"state": "virginia"}, 10),
        ({"country": "United Kingdom", "city": "London"}, 4),
        ({"region": "Puget Sound", "q": "i-5"}, 3),
        ({"q": "VADOT"}, 10),
        ({"q": "%"}, 0),
        ({"q": "'; DROP TABLE helios_features; --"}, 0),
    ],
)
def test_cameras_are_found_by_place_and_text(get, parameters, count):
    assert get("/cameras", **parameters)["properties"]["total"] == count


def test_a_polyline_is_a_corridor_along_a_road():
    area = geo.parse_polyline("_p~iF~ps|U_ulLnnqC_mqNvxq`@", 5, "10km")
    assert area.path == ((-120.2, 38.5), (-120.95, 40.7), (-126.453, 43.252))
    assert area.meets(((-120.6, 39.6),), ring=False)
    assert not area.meets(((-121.0, 39.6),), ring=False)
    fine = geo.parse_polyline("_izlhA~rlgdF_{geC~ywl@_kwzCn`{nI", 6, "10km")
    assert fine.path == area.path


@pytest.mark.parametrize(
    ("parameters", "events"),
    [
        ({"bbox": "-80,37.5,-79,38"}, ["Winter Storm Warning"]),
        ({"lat": "37.54", "lon": "-77.44", "radius": "1km"}, ["Winter Storm Warning"]),
        (
            {"lat": "38.7", "lon": "-78.0", "radius": "20km"},
            ["Winter Storm Warning", "Winter Weather Advisory"],
        ),
        ({"lat": "0", "lon": "0"}, []),
        ({"polygon": "-125 30,-110 30,-110 50,-125 50"}, ["Dense Fog Advisory", "Flood Watch"]),
        ({"polygon": "-120.1 37.2,-120 37.2,-120 37.3"}, ["Dense Fog Advisory"]),
        ({"event": "flood watch"}, ["Flood Watch"]),
        ({"state": "maryland"}, ["Winter Weather Advisory"]),
        (
            {"sort": "event", "sort_dir": "desc", "limit": 2},
            ["Winter Weather Advisory", "Winter Storm Warning"],
        ),
    ],
)
def test_alerts_are_found_where_their_polygon_reaches(get, parameters, events):
    found = get("/alerts", **parameters)["features"]
    assert [feature["properties"]["event"] for feature in found] == events


def test_observations_are_found_by_time_and_what_the_sensors_say(get, hours_ago):
    late = {"time_min": hours_ago(1), "state": "Virginia"}
    assert get("/observations", **late)["properties"]["total"] == 60
    both = {**late, "time_max": hours_ago(0.5)}
    assert get("/observations", **both)["properties"]["total"] == 30
    snow = get("/observations", **{"sensors[road_weather][min]": 6, "limit": 100})
    values = {feature["properties"]["sensors"]["road_weather"]["data"] for feature in snow["features"]}
    assert values == {6, 10}
    thick = get("/observations", **{"sensors[visibility][max]": 0.2, "sensors[precip]": 0})
    assert {feature["properties"]["state"] for feature in thick["features"]} == {"California"}
    worse = get("/observations", **{"sensors[road_weather][data]": 10, "sensors[road_weather][prev][max]": 6})
    assert worse["properties"]["total"] == 10


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2017", "2017-01-01T00:00:00.000Z"),
        ("2017-02", "2017-02-01T00:00:00.000Z"),
        ("2018-02-10T18:00Z", "2018-02-10T18:00:00.000Z"),
        ("2018-02-10T18:00:01.5+02:00", "2018-02-10T16:00:01.500Z"),
        ("2018-02-10T18:00:00 02:00", "2018-02-10T16:00:00.000Z"),  # a plus sign that was not escaped
        ("2018-02-10 18:00:00-0130", "2018-02-10T19:30:00.000Z"),
    ],
)
def test_times_may_be_cut_short(text, instant):
    assert times.iso(times.parse(text)) == instant


def test_sorting_counting_and_searching_by_post(api, get):
    newest = get("/observations", sort="time", sort_dir="desc", limit=3)["features"]
    stamps = [feature["properties"]["time"] for feature in newest]
    assert stamps == sorted(stamps, reverse=True)
    body = {
        "bbox": [-78, 37, -77, 38],
        "aggs": ["city", "time"],
        "limit": 0,
        "sensors": {"precip": {"min": 1}},
    }
    by_json = api("POST", "/observations/_search", json=body).json()["properties"]
    form = {"bbox": "-78,37,-77,38", "aggs[]": ["city", "time"], "limit": "0", "sensors[precip][min]": "1"}
    by_form = api("POST", "/observations/_search", data=form).json()["properties"]
    assert by_json == by_form
    assert sum(each["count"] for each in by_json["aggs"]["city"]) == by_json["total"] > 0
    assert by_json["aggs"]["time"][0]["value"] == "2025-12-31T00:00:00.000Z"


def test_alerts_are_counted_by_each_of_their_states(get):
    counted = get("/alerts", limit=0, aggs="states,severity")["properties"]["aggs"]
    assert {"value": "Virginia", "count": 1} in counted["states"]
    assert counted["severity"] == [{"value": "Moderate", "count": 2}, {"value": "Severe", "count": 2}]


def test_a_query_string_may_begin_with_an_ampersand(sandbox, http, get_token):
    url = f"{sandbox.url}/v1/alerts?&limit=100&skip=0"
    answer = http.get(url, headers={"Authorization": f"Bearer {get_token()}"})
    assert answer.json()["properties"]["limit"] == 100


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/cameras", {"skip": 4001}),
        ("/cameras", {"limit": 101}),
        ("/cameras", {"limit": "many"}),
        ("/cameras", {"limit": "-1"}),
        ("/cameras", {"skip": "²"}),
        ("/cameras", {"bbox": "1,2,3"}),
        ("/cameras", {"bbox": "nan,0,1,1"}),
        ("/cameras", {"bbox": "0,10,1,9"}),
        ("/cameras", {"polygon": "0 0,1 1"}),
        ("/cameras", {"polygon": "0,0,1"}),
        ("/cameras", {"lat": "51"}),
        ("/cameras", {"lat": "91", "lon": "0"}),
        ("/cameras", {"lat": "0", "lon": "0", "radius": "10 parsec"}),
        ("/cameras", {"polyline": "not one!"}),
        ("/cameras", {"sort": "colour"}),
        ("/cameras", {"sort": "city", "sort_dir": "up"}),
        ("/cameras", {"aggs": "city,colour"}),
        ("/observations", {"time_min": "yesterday"}),
        ("/observations", {"time_min": "2018-13"}),
        ("/observations", {"sensors[precip]": "heavy"}),
        ("/observations", {"sensors[precip": "1"}),
        ("/collections", {"sort": "tags"}),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(api, path, parameters):
    answer = api("GET", path, **parameters)
    assert answer.status_code == 400
    assert any(name.split("[")[0] in answer.json()["message"] for name in parameters)


def test_the_last_page_begins_at_four_thousand(api, get, service, sandbox):
    point = {"type": "Point", "coordinates": [10, 50]}
    many = [{"id": f"MANY-{n:04d}", "geometry": point, "properties": {}} for n in range(4200)]
    sandbox._on_loop(lambda: service.load({"cameras": many}, replace=True))
    sandbox._on_loop(lambda: service.load({"clients": {"demo-client": "demo-secret"}}, replace=False))
    assert ids(get("/cameras", skip=4000, limit=100))[-1] == "MANY-4099"
    assert api("GET", "/cameras", skip=4001, limit=100).status_code == 400


@pytest.mark.parametrize("kind", ["alerts", "cameras", "observations"])
def test_one_is_shown_by_its_id(api, get, kind):
    feature = get(f"/{kind}", limit=1)["features"][0]
    assert get(f"/{kind}/{feature['id']}") == feature
    missing = api("GET", f"/{kind}/no-such-thing")
    assert missing.status_code == 404
    assert missing.json()["message"] == f"There is no {kind[:-1]} no-such-thing."
