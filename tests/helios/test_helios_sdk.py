"""The vendor's own client, helios-sdk 3.0.1, does everything its inventory lists, unchanged."""

from sessionkit_helios.sandbox import demo, times

HOUR = 3_600_000


def test_the_vendors_client_works_unchanged(inventory, sandbox, service, now):
    data = demo.data(now)
    virginia = sorted(each["id"] for each in data["cameras"] if each["properties"]["state"] == "Virginia")
    snowy = sorted(
        each["id"]
        for each in data["observations"]
        if each["properties"]["state"] == "Virginia"
        and each["properties"]["sensors"]["road_weather"]["data"] >= 6
        and each["properties"]["time"] >= times.iso(now - 2 * HOUR)
    )
    assert inventory["verified"] is True
    assert inventory["alerts"] == [each["id"] for each in data["alerts"]]
    assert all(len(values) == len(data["alerts"]) for values in inventory["alert_fields"])
    assert inventory["alerts_shown"] == sorted(inventory["alerts"])
    assert inventory["cameras"] == inventory["cameras_shown"] == virginia
    assert all(len(values) == len(virginia) for values in inventory["camera_fields"])
    assert inventory["cameras_all"] == len(data["cameras"])
    assert len(inventory["cameras_bbox"]) == 4
    assert len(inventory["cameras_text"]) == 1
    assert inventory["cameras_missing"] == 1
    assert inventory["observations"] == snowy
    assert inventory["observations_shown"] == sorted(inventory["observations_shown"])
    assert inventory["sensors"] == ["precip", "road_weather", "visibility"]
    assert inventory["sensor_values"] == [6, 10]
    assert service.tokens.requests == {"demo-client": 1}
    assert [each.status for each in sandbox.requests() if each.status not in {200, 302, 206}] == [404]


def test_the_vendors_client_gets_images_and_keeps_collections(inventory, service):
    assert len(inventory["times"]) == 12
    for key, count in {"show_image": 4, "preview": 1, "collection_show_image": 2}.items():
        shown = inventory[key]
        assert len(shown["names"]) == len(shown["files"]) == count
        assert shown["failed"] == 0
        assert shown["shapes"] == ["(480, 704, 3)"]
    assert service.origin.leaked == []
    assert inventory["collections"] == ["Examples", "Snow on Afton Mountain"]
    assert inventory["collection_images"] == inventory["collection_of_camera"]
    assert inventory["collection_shown"] == ["Storm, renamed", ["snow"], "The storm of today", 2, True]
    assert inventory["copied"]
    assert inventory["after_remove"]
    assert inventory["emptied"] == {"ok": True, "total": 1}
    assert inventory["collections_after"] == ["Examples", "Snow on Afton Mountain", "Storm, renamed"]
