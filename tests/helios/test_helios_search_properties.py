"""Searches beyond the window, whatever the data: every record once, in order, failures repaired by retry."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sessionkit.http import RetryPolicy
from sessionkit_helios import Cameras, Collections, HeliosSession, Observations
from sessionkit_helios.sandbox import times

WINDOW = 30  # instead of 4,000, of service and client alike
START = 1_767_225_600_000


@pytest.fixture
def session(sandbox, manual_clock, tmp_path, monkeypatch):
    monkeypatch.setattr("sessionkit_helios.sandbox.query.LAST_SKIP", WINDOW)
    monkeypatch.setattr("sessionkit_helios.search.LAST_SKIP", WINDOW)
    with HeliosSession.detached(
        "demo-client",
        "demo-secret",
        f"{sandbox.url}/v1",
        tmp_path,
        4,
        clock=manual_clock,
        retry=RetryPolicy.never(),
    ) as opened:
        yield opened


@pytest.fixture
def load(sandbox, service):
    def load(**data):
        data["clients"] = {"demo-client": "demo-secret"}
        sandbox._on_loop(lambda: service.load(data, replace=True))
        sandbox.clear()

    return load


# Many lie on the lines where the map is split, and several in one place.
longitudes = st.sampled_from([-180, -179.5, -90, -45.25, 0, 1e-5, 2e-5, 22.5, 45, 90, 135, 179.9, 180])
latitudes = st.sampled_from([-90, -45, -1e-5, 0, 11.25, 22.5, 45, 67.5, 90])
moments = st.integers(0, 40) | st.integers(0, 3_000_000) | st.just(1_000)
counts = st.sampled_from([0, 1, WINDOW - 1, WINDOW, WINDOW + 9, WINDOW + 10, 61, 90, 137])
faults = st.lists(st.integers(0, 12), max_size=3)
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


def repaired(found, skip=0):
    """After as many retries as the faults can need; each keeps what is there."""
    for _ in range(12):
        if not found.failed:
            break
        kept = found.id
        found = found.retry()
        # What a retry brings in front moves others into what was to be skipped.
        assert skip or set(kept) <= set(found.id)
    found.raise_for_failures()
    return found


def go_wrong(sandbox, api, faults):
    for after in faults:
        sandbox.fault("status", path=f"/v1/{api}", status=400, after=after)


@quick
@given(
    places=counts.flatmap(lambda n: st.lists(st.tuples(longitudes, latitudes), min_size=n, max_size=n)),
    limit=st.integers(1, 10),
    skip=st.integers(0, 70),
    sort=st.sampled_from([None, "city", "description"]),
    direction=st.sampled_from(["asc", "desc"]),
    faults=faults,
)
def test_cameras_anywhere(session, load, sandbox, places, limit, skip, sort, direction, faults):
    most = WINDOW // limit * limit + limit
    assume(all(places.count(place) <= most for place in places))
    cities = [None if n % 11 == 3 else f"{n * 7 % 13:02d}" for n in range(len(places))]
    load(
        cameras=[
            {
                "id": f"C{n}",
                "geometry": {"type": "Point", "coordinates": place},
                "properties": {"city": city} if city else {},
            }
            for n, (place, city) in enumerate(zip(places, cities, strict=True))
        ]
    )
    order = {"sort": sort, "sort_dir": direction} if sort else {}
    found = Cameras(session).index(limit=limit, skip=skip, **order)
    go_wrong(sandbox, "cameras", faults)
    found = repaired(found, skip)
    assert found.total == len(places)
    assert len(found.id) == len(set(found.id)) == max(0, len(places) - skip)
    if sort == "city":
        wanted = sorted(cities, key=lambda city: (city is not None, city or ""), reverse=direction == "desc")
        assert found.city == wanted[skip:]
    if skip == 0:
        assert set(found.id) == {f"C{n}" for n in range(len(places))}


@quick
@given(
    seconds=counts.flatmap(lambda n: st.lists(moments, min_size=n, max_size=n)),
    limit=st.integers(1, 10),
    skip=st.integers(0, 70),
    order=st.sampled_from([{}, {"sort": "time"}, {"sort": "time", "sort_dir": "desc"}]),
    since=st.none() | st.integers(0, 2_000),
    faults=faults,
)
def test_observations_at_any_time(session, load, sandbox, seconds, limit, skip, order, since, faults):
    # Those of one moment lie in different places.
    load(
        observations=[
            {
                "id": f"O{n}",
                "geometry": {"type": "Point", "coordinates": [n % 100, n // 100]},
                "properties": {"camera_id": "C", "time": times.iso(START + 1000 * second), "sensors": {}},
            }
            for n, second in enumerate(seconds)
        ]
    )
    span = {} if since is None else {"time_min": times.iso(START + 1000 * since)}
    found = Observations(session).index(limit=limit, skip=skip, **order, **span)
    go_wrong(sandbox, "observations", faults)
    found = repaired(found, skip)
    wanted = sorted(second for second in seconds if since is None or second >= since)
    wanted = wanted[::-1] if "sort_dir" in order else wanted
    got = [round(moment.timestamp() - START / 1000) for moment in found.time]
    assert found.total == len(wanted)
    assert len(found.id) == len(set(found.id)) == max(0, len(wanted) - skip)
    if order:
        assert got == wanted[skip:]
    elif skip == 0:
        assert sorted(got) == wanted


@quick
@given(count=counts, limit=st.integers(1, 10), faults=faults, step=st.integers(1, 500))
def test_collections_of_any_age(session, load, sandbox, count, limit, faults, step):
    load(
        collections=[
            {"_id": f"K{n}", "name": f"n{n}", "created_at": times.iso(START + n * step)} for n in range(count)
        ]
    )
    found = Collections(session).index(limit=limit)
    go_wrong(sandbox, "collections", faults)
    assert sorted(repaired(found).id) == sorted(f"K{n}" for n in range(count))
