import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import filelock
import pytest

from sessionkit.errors import (
    ConfigurationError,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    SessionClosed,
    SessionKitError,
    UnexpectedResponse,
)
from sessionkit.http import RetryPolicy
from sessionkit_helios import Alerts, Cameras, Collections, HeliosSession, Observations, PartialFailure
from sessionkit_helios.parameters import encoded, segment, time_text
from sessionkit_helios.sandbox import demo, times


@pytest.fixture
def session(sandbox, manual_clock, tmp_path):
    with HeliosSession.detached(
        "demo-client",
        "demo-secret",
        f"{sandbox.url}/v1",
        tmp_path,
        8,
        clock=manual_clock,
        retry=RetryPolicy(base=0, attempts=2),
    ) as opened:
        yield opened


@pytest.fixture
def load(sandbox, service):
    """Replace the sandbox's data by this, the client aside."""

    def load(**data):
        data["clients"] = {"demo-client": "demo-secret"}
        sandbox._on_loop(lambda: service.load(data, replace=True))

    return load


@pytest.fixture
def data(now):
    return demo.data(now)


def camera(number, longitude, latitude, **properties):
    geometry = {"type": "Point", "coordinates": [longitude, latitude]}
    return {"id": f"CAM-{number:05d}", "geometry": geometry, "properties": properties}


def observation(number, start):
    instant = times.iso(start + number * 1000)
    properties = {"camera_id": "CAM", "time": instant, "sensors": {"precip": {"data": number % 2}}}
    geometry = {"type": "Point", "coordinates": [1, 2]}
    return {"id": f"CAM_{instant}", "geometry": geometry, "properties": properties}


def pages(sandbox, api="cameras"):
    return [each.query for each in sandbox.requests(path=f"/v1/{api}")]


def test_cameras_have_typed_fields_and_lists_of_them(session, data):
    found = Cameras(session).index(state="Virginia", limit=3)
    wanted = [each for each in data["cameras"] if each["properties"]["state"] == "Virginia"]
    assert found.id == [each["id"] for each in wanted]
    assert found.city == [each["properties"]["city"] for each in wanted]
    assert found.coordinates == [each["geometry"]["coordinates"] for each in wanted]
    assert found[0].video is True
    assert found[1].direction == "W"
    assert found.total == len(found) == 10
    assert found[0].json["type"] == "Feature"
    assert repr(found[0]) == f"<Camera {wanted[0]['id']}>"
    assert found.ok
    assert len(found.extent) == 4
    with pytest.raises(AttributeError, match="no 'colour'"):
        found.colour  # noqa: B018 - raises


def test_alerts_know_when_they_end(session, now, data):
    found = Alerts(session).index(sort="event")
    assert found.event == sorted(each["properties"]["event"] for each in data["alerts"])
    fog = found[0]
    assert fog.expires == datetime.fromtimestamp(now / 1000, timezone.utc) + timedelta(hours=4)
    assert fog.states == ["California"]
    assert fog.bbox == [-121.5, 35.2, -118.8, 38.1]
    assert found.area_description[0] == "California"


def test_observations_have_readings_by_sensor(session, data):
    found = Observations(session).index(state="Virginia", sensors={"road_weather": {"min": 6}})
    wanted = [
        each
        for each in data["observations"]
        if each["properties"]["state"] == "Virginia"
        and each["properties"]["sensors"]["road_weather"]["data"] >= 6
    ]
    assert found.id == [each["id"] for each in wanted]
    readings = found.readings()
    assert sorted(readings) == ["precip", "road_weather", "visibility"]
    assert {reading.data for reading in readings["road_weather"]} == {6, 10}
    first = readings["visibility"][0]
    assert (first.id, first.time, first.prev_id) == (found[0].id, found[0].time, found[0].prev_id)
    by_text = Observations(session).index(state="Virginia", sensors="sensors[road_weather][min]=6")
    assert by_text.id == found.id


def test_a_sensor_without_a_report_reads_minus_one():
    from sessionkit_helios import Observation

    odd = Observation(
        {"id": "x", "properties": {"sensors": {"a": {"data": None}, "b": 3, "c": {"data": True}}}}
    )
    assert [(reading.data, reading.prev) for reading in odd.readings()] == [(-1, -1)] * 3
    for broken in (
        {},
        {"properties": None, "geometry": []},
        {"id": 3, "properties": {"sensors": [], "time": 9}},
    ):
        feature = Observation(broken)
        assert feature.readings() == []
        assert (feature.id, feature.time, feature.coordinates) == ("", None, [])


def test_pages_are_asked_for_as_they_are_needed(session, sandbox):
    found = iter(Cameras(session).index(limit=1))
    assert next(found).id
    assert len(pages(sandbox)) == 1
    assert next(found).id
    assert len(pages(sandbox)) <= 20
    assert len(list(found)) == 34
    assert len(pages(sandbox)) == 36


@pytest.mark.parametrize(
    ("limit", "skip"), [(5, 0), (7, 3), (100, 0), (10, 30), (10, 35), (10, 36), (3, 4000), (3, 9000)]
)
def test_any_page_size_and_start_gives_everything_once_and_in_order(session, data, limit, skip):
    found = Cameras(session).index(limit=limit, skip=skip)
    assert found.id == [each["id"] for each in data["cameras"]][skip:]
    assert found.ok


def test_a_search_that_was_broken_off_does_not_pass_for_a_short_one(sandbox, tmp_path):
    api_url = f"{sandbox.url}/v1"
    with HeliosSession.detached("demo-client", "demo-secret", api_url, tmp_path, proxies=False) as session:
        found = Cameras(session).index(limit=10)
        shown = Cameras(session).show([found.id[0], ""])
        left = Cameras(session).index(limit=10)
        with pytest.raises(ConfigurationError):
            len(shown)
    with pytest.raises(SessionClosed):
        len(left)
    for broken in (left, shown):
        for look in (len, list, lambda each: each.ok, lambda each: each.failed, lambda each: each.retry()):
            with pytest.raises(SessionKitError, match="never came"):
                look(broken)
    assert len(found) == 36


def test_several_threads_may_use_one_result(session, data):
    found = Cameras(session).index(limit=1)
    everything = [each["id"] for each in data["cameras"]]
    with ThreadPoolExecutor(4) as pool:
        uses = [pool.submit(lambda: [each.id for each in found]) for _ in range(4)]
    assert [use.result() for use in uses] == [everything] * 4


def test_what_is_counted_needs_no_features(session, sandbox):
    found = Cameras(session).index(limit=0, aggs="state")
    assert found.features == []
    assert found.aggregations["state"][0] == {"value": "Virginia", "count": 10}
    assert len(pages(sandbox)) == 1


def test_the_first_page_that_fails_is_raised(session, sandbox):
    with pytest.raises(InvalidRequest, match="sort=colour"):
        Cameras(session).index(sort="colour")
    with pytest.raises(ConfigurationError):
        Cameras(session).index(limit=101)


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"features": 3, "properties": {"total": 1}}',
        '{"results": [1], "total": 1}',
        '{"features": [], "properties": {"total": "x"}}',
        '"features"',
        "3",
        "null",
    ],
)
def test_an_answer_that_is_no_list_is_reported(session, sandbox, body):
    sandbox.fault("body", path="/v1/cameras", body=body)
    with pytest.raises(UnexpectedResponse):
        Cameras(session).index()


def test_a_page_that_fails_is_named_asked_for_again_and_the_rest_is_kept(session, sandbox, data):
    found = Cameras(session).index(limit=10)
    sandbox.fault("status", path="/v1/cameras", status=400)
    everything = [each["id"] for each in data["cameras"]]
    assert len(found.failed) == 1
    assert isinstance(found.failed[0].error, InvalidRequest)
    assert len(found.features) in {26, 30}
    with pytest.raises(
        PartialFailure, match=r"1 requests failed:\n  &limit=\d+&skip=\d+: the service refused"
    ):
        found.raise_for_failures()
    with pytest.raises(PartialFailure):
        list(found)
    before = len(pages(sandbox))
    again = found.retry()
    assert len(pages(sandbox)) == before + 1
    assert again.id == everything
    assert again.ok
    assert [feature.id for feature in again] == everything


def test_a_session_without_room_for_it_still_reports_by_page(session, sandbox):
    found = Cameras(session).index(limit=10)
    sandbox.fault("html", path="/v1/cameras", times=None)
    assert len(found.failed) == 3
    assert len(found.features) == 10


def test_more_cameras_than_the_window_are_found_by_splitting_the_map(session, load, sandbox):
    # A grid whose rows and columns lie on the very lines where the map is split.
    cameras = [camera(n, (n % 90) * 4.0 - 180, (n // 90) * 1.5 - 45) for n in range(5000)]
    load(cameras=cameras)
    found = Cameras(session).index()
    assert found.total == 5000
    assert sorted(found.id) == [each["id"] for each in cameras]
    assert found.ok
    few = Cameras(session).index(bbox=[-180, -90, 180, 90], sort="description", skip=4900)
    assert len(few) == 100
    assert max(int(query.rpartition("skip=")[2]) for query in pages(sandbox)) <= 4000


def test_more_cameras_than_the_window_are_sorted_as_asked(session, load):
    cameras = [camera(n, n / 50, n / 100, city=f"{(n * 7919) % 4500:04d}") for n in range(4500)]
    load(cameras=cameras)
    assert Cameras(session).index(sort="city").city == [f"{n:04d}" for n in range(4500)]
    assert Cameras(session).index(sort="city", sort_dir="desc").city[0] == "4499"
    assert Cameras(session).index(sort="city", sort_dir="DESC").city[0] == "4499"


def test_cameras_across_the_antimeridian_are_found_by_splitting(session, load):
    cameras = [camera(n, 170 + n / 500, 10) for n in range(4500)]
    cameras += [camera(n, n / 1000 - 190, 10) for n in range(10000, 10200)]
    load(cameras=cameras)
    found = Cameras(session).index(bbox=[170, 0, -170, 20])
    assert len(found) == 4700


def test_more_cameras_in_one_place_than_the_window_are_reported(session, load):
    load(cameras=[camera(n, 10, 50) for n in range(4300)])
    found = Cameras(session).index()
    assert len(found) == 4100
    assert "only 4,100 of 4,300 entries can be reached" in str(found.failed[0].error)


@pytest.mark.parametrize("direction", ["asc", "desc", "DESC"])
def test_more_observations_than_the_window_come_in_the_order_of_time(session, load, now, direction):
    observations = [observation(n, now) for n in range(4600)]
    load(observations=observations)
    found = Observations(session).index(sort="time", sort_dir=direction)
    wanted = [each["id"] for each in observations]
    assert found.id == (wanted if direction == "asc" else wanted[::-1])
    narrowed = Observations(session).index(time_min=times.iso(now + 1_000_000), sensors={"precip": 1})
    assert len(narrowed) == 1800


def test_a_part_that_fails_is_asked_for_again(session, load, now, sandbox):
    load(observations=[observation(n, now) for n in range(4600)])
    found = Observations(session).index()
    sandbox.fault("status", path="/v1/observations", status=400, after=5)
    assert len(found.failed) == 1
    again = found.retry()
    assert again.ok
    assert len(again) == 4600


def test_a_part_for_which_no_token_comes_in_time_is_asked_for_again(
    sandbox, load, now, monkeypatch, tmp_path
):
    monkeypatch.setattr("sessionkit_helios.sandbox.query.LAST_SKIP", 30)
    monkeypatch.setattr("sessionkit_helios.search.LAST_SKIP", 30)
    load(observations=[observation(n, now) for n in range(50)])
    api_url = f"{sandbox.url}/v1"
    with HeliosSession.detached("demo-client", "demo-secret", api_url, tmp_path, proxies=False) as session:
        found = Observations(session).index(limit=10)
        sandbox.fault("revoke_tokens")
        (of_token,) = tmp_path.glob(".helios_token.*.lock")
        with filelock.FileLock(of_token):  # as another process that renews it
            session.timeout = 0.5
            (failure,) = found.failed
        assert isinstance(failure.error, DeadlineExceeded)
        session.timeout = 10
        again = found.retry()
        assert again.ok
        assert len(again) == 50


def test_entries_that_go_away_while_they_are_listed_are_not_missing(session, load, now, service):
    entries = [observation(n, now) for n in range(4600)]
    load(observations=entries)
    found = Observations(session).index()
    load(observations=entries[:4500])
    assert found.ok
    assert len(found) == 4500
    assert found.total == 4600


def test_entries_that_come_while_the_newest_are_listed_are_not_listed_twice(session, load, now):
    entries = [observation(n, now) for n in range(55)]
    load(observations=entries[:50])
    found = Observations(session).index(sort="time", sort_dir="desc", limit=10)
    load(observations=entries)
    wanted = [each["id"] for each in entries[:50]][::-1]
    assert found.id == wanted[:45]
    assert "only 45 of 55 entries were found" in str(found.failed[0].error)
    again = found.retry()
    assert again.ok
    assert again.id[:45] == found.id
    assert sorted(again.id) == [each["id"] for each in entries]


def test_a_page_that_comes_short_is_reported(session, sandbox, data):
    found = Cameras(session).index(limit=10)
    page = {"features": [], "properties": {"total": 36}}
    sandbox.fault("body", path="/v1/cameras", body=json.dumps(page))
    assert len(found.features) < 36
    assert not found.ok
    again = found.retry()
    assert again.ok
    assert sorted(again.id) == sorted(each["id"] for each in data["cameras"])


def test_a_service_that_has_more_of_whatever_is_asked_is_given_up(session, sandbox):
    page = {"features": [], "properties": {"total": 5000}}
    sandbox.fault("body", path="/v1/cameras", body=json.dumps(page), times=None)
    found = Cameras(session).index()
    assert "512 parts do not hold 5,000" in str(found.failed[-1].error)
    assert len(pages(sandbox)) < 700


def test_features_are_shown_by_id_in_order(session, data, sandbox):
    ids = [each["id"] for each in data["cameras"]][:20][::-1]
    found = Cameras(session).show([*ids[:5], "no-such", *ids[5:]])
    assert found.id == ids
    assert [failure.query for failure in found.failed] == ["no-such"]
    assert isinstance(found.failed[0].error, NotFound)
    assert len(found.retry().failed) == 1
    assert Cameras(session).show(ids[0]).id == ids[:1]
    assert Cameras(session).show([]).features == []


@pytest.mark.parametrize("identifier", ["", ".", "..", 3, None])
def test_what_is_no_id_is_refused(identifier):
    with pytest.raises(ConfigurationError):
        segment(identifier)


def test_an_id_cannot_leave_its_place_in_the_path(session, sandbox):
    assert Cameras(session).show("../session?x=1#y").failed
    assert sandbox.requests()[-1].path.startswith("/v1/cameras/")


def test_collections_are_found_and_shown(session):
    found = Collections(session).index(aggs="tags", sort="name")
    assert found.name == ["Examples", "Snow on Afton Mountain"]
    assert found[1].tags == ["snow", "virginia"]
    assert found[1].created_at.year == 2026
    assert found.aggregations["tags"]


def test_collections_beyond_the_window_are_found_by_their_creation(session, load, now):
    load(
        collections=[{"_id": f"c{n}", "name": f"n{n}", "created_at": times.iso(now + n)} for n in range(4500)]
    )
    assert len(set(Collections(session).index().id)) == 4500


def test_features_go_on_as_geojson_records_and_tables(session, data):
    found = Observations(session).index(state="Maryland", limit=50)
    assert found.to_geojson()["features"] == [
        each for each in data["observations"] if each["properties"]["state"] == "Maryland"
    ]
    record = found.to_records()[0]
    assert record["longitude"] == -76.6122
    assert record["road_weather"] == 0
    assert "sensors" not in record
    pytest.importorskip("pandas")
    table = found.to_dataframe()
    assert list(table["id"]) == found.id
    assert str(table["time"].dtype).startswith("datetime64")


def test_what_lies_nowhere_is_geojson_too(session, sandbox):
    page = {"features": [{"id": "A"}, {"id": "B", "properties": None}], "properties": {"total": 2}}
    sandbox.fault("body", path="/v1/cameras", body=json.dumps(page))
    found = Cameras(session).index().to_geojson()["features"]
    found += Collections(session).index(limit=1).to_geojson()["features"]
    assert len(found) == 4
    assert all(each.keys() >= {"type", "geometry", "properties"} for each in found)
    assert {each["type"] for each in found} == {"Feature"}


def test_two_collections_of_a_kind_are_joined(session):
    north = Cameras(session).index(region="Puget Sound")
    south = Cameras(session).index(region="Sydney")
    both = north + south
    assert both.id == north.id + south.id
    assert both.total == 8
    assert pickle.loads(pickle.dumps(both)).id == both.id
    with pytest.raises(TypeError):
        both + Alerts(session).index()


def test_what_failed_of_two_collections_is_known_when_they_are_joined(session, sandbox, data):
    ids = [each["id"] for each in data["cameras"]]
    sandbox.fault("status", path="/v1/cameras", status=400, after=1)
    found = Cameras(session).index(limit=18)
    sandbox.fault("status", path=f"/v1/cameras/{ids[0]}", status=400)
    both = Cameras(session).show([ids[1], ids[0], "no-such"]) + found
    assert both.id == [ids[1], *ids[:18]]
    assert len(both.failed) == 3
    again = both.retry()
    assert again.id == [ids[1], ids[0], *ids]
    assert [failure.query for failure in again.failed] == ["no-such"]
    assert [failure.query for failure in again.retry().failed] == ["no-such"]


def test_features_are_equal_when_their_content_is(session):
    one, other = (Cameras(session).index(limit=1)[0] for _ in range(2))
    assert one == other
    assert len({one, other}) == 1
    assert one != Cameras(session).index()[1]


def test_parameters_are_written_as_the_service_reads_them():
    moment = datetime(2018, 1, 1, 12, 30, 0, 5000, tzinfo=timezone(timedelta(hours=2)))
    given = {"bbox": (-1, 2.5, 3, 4), "q": "a&b=c d", "video": True, "time_min": moment, "city": None}
    assert encoded(given) == {
        "bbox": "-1,2.5,3,4",
        "q": "a&b=c d",
        "video": "true",
        "time_min": "2018-01-01T10:30:00.005Z",
    }
    assert time_text(datetime(2018, 1, 1)) == "2018-01-01T00:00:00.000Z"  # noqa: DTZ001 - what users write
    assert time_text(moment.date()) == "2018-01-01"
    with pytest.raises(ConfigurationError, match="sensors"):
        encoded({"sensors": 3})


def test_a_polygon_is_a_list_of_points(session):
    ring = [(-80, 36), (-76, 36), [-76, 40.5], (-80, 40.5)]
    assert encoded({"polygon": ring}) == {"polygon": "-80 36,-76 36,-76 40.5,-80 40.5"}
    as_text = Cameras(session).index(polygon="-80 36,-76 36,-76 40.5,-80 40.5")
    assert Cameras(session).index(polygon=ring).id == as_text.id != []


def test_a_bound_of_a_sensor_that_is_none_is_left_out(session):
    sensors = {"visibility": {"min": 0.5, "max": None}, "precip": None}
    assert encoded({"sensors": sensors}) == {"sensors[visibility][min]": "0.5"}
    assert Observations(session).index(sensors=sensors).total > 0


def test_a_text_with_special_characters_is_sent_as_it_is(session, sandbox):
    assert Cameras(session).index(q="a&state=Virginia").total == 0
    assert pages(sandbox)[0].startswith("q=a%26state%3DVirginia&")


def test_the_sessions_limit_holds_for_everything_at_once(session, sandbox, service):
    most, now, lock = [0], [0], threading.Lock()
    follow = session.follow

    def counted(*args):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return follow(*args)
        finally:
            with lock:
                now[0] -= 1

    session.follow = counted
    sandbox.fault("latency", seconds=0.05, times=8)
    apis = [Cameras(session), Alerts(session), Observations(session), Cameras(session)]
    threads = [threading.Thread(target=lambda api=api: api.index(limit=10).features) for api in apis]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 < most[0] <= 8
