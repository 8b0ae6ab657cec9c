"""Everything the inventory of helios-sdk 3.0.1 lists, done by that client; its results on stdout as JSON.

Run by the Python of its own environment, with the home folder, and `helios_*` variables, of the test.
"""

import hashlib
import json
import logging
import sys
from pathlib import Path

import helios
from helios.utilities import data_utils, json_utils, logging_utils, parsing_utils

out = {"fields": {}}
camera_id, observation_id, start, end = sys.argv[1:5]


def images_of(collection):
    return {
        "names": sorted(Path(name).name for name in collection.image_names),
        "failed": len(collection.records.failed),
        "shapes": sorted({str(array.shape) for array in collection.image_data}),
        "files": sorted(
            name for name in collection.output_files if name and Path(name).stat().st_size > 5000
        ),
        "digests": {
            Path(name).name: hashlib.sha256(Path(name).read_bytes()).hexdigest()
            for name in collection.output_files
            if name
        },
        "arrays": sorted(hashlib.sha256(array.tobytes()).hexdigest() for array in collection.image_data),
        "ok": [record.ok and record.error is None for record in collection.records.succeeded],
    }


def fields_of(found):
    """Every public field of every feature, by id; the collection's lists must say the same."""
    names = [name for name in dir(type(found)) if not name.startswith("_")]
    names = [name for name in names if name not in {"json", "observations"}]
    rows = {feature.id: {name: getattr(feature, name) for name in names} for feature in found.features}
    for name in names:
        assert getattr(found, name) == [row[name] for row in rows.values()], name
    assert found.json == [feature.json for feature in found.features]
    assert not found.records.failed
    return rows


session = helios.Session()
session.start_session()
out["verified"] = session.verify_token()
helios.add_stderr_logger(logging.ERROR)
out["config"] = sorted(helios.CONFIG)

alerts = helios.Alerts(session=session)
found = alerts.index()
out["alerts"] = [feature.json["id"] for feature in found.features]
out["alert_fields"] = [
    found.event, found.headline, found.severity, found.certainty, found.urgency, found.states, found.status,
    found.area_description, found.category, found.country, found.description, found.effective, found.expires,
    found.origin, found.bbox,
]  # fmt: skip
out["fields"]["alerts"] = fields_of(found)
shown = alerts.show(found.id)
out["fields"]["alerts shown"] = fields_of(shown)
out["alerts_shown"] = sorted(shown.id)

cameras = helios.Cameras(session=session)
found = cameras.index(state="Virginia")
out["cameras"] = sorted(found.id)
out["camera_fields"] = [
    found.city, found.coordinates, found.country, found.description, found.direction, found.region,
    found.video,
]  # fmt: skip
out["fields"]["cameras"] = fields_of(found)
out["cameras_bbox"] = sorted(cameras.index(bbox=[-78, 37, -77, 38]).id)
out["cameras_text"] = sorted(cameras.index(q="Afton Mountain").id)
out["cameras_all"] = len(cameras.index(limit=7).features)
out["fields"]["cameras shown"] = fields_of(cameras.show(found.id))
out["cameras_shown"] = sorted(out["fields"]["cameras shown"])
missing = cameras.show(["no-such-camera", camera_id])
out["cameras_missing"] = len(missing.records.failed)
out["cameras_found"] = [len(missing.records.succeeded), missing.id]

times = cameras.images(camera_id, start, end)
out["times"] = times
out["show_image"] = images_of(
    cameras.show_image(camera_id, times[:4], out_dir="shown", return_image_data=True)
)

observations = helios.Observations(session=session)
found = observations.index(
    state="Virginia", sensors="sensors[road_weather][min]=6", time_min=start, time_max=end
)
out["observations"] = sorted(found.id)
out["fields"]["observations"] = fields_of(found)
out["readings"] = {name: [list(item) for item in items] for name, items in found.observations.items()}
out["sensors"] = sorted(found.observations)
out["sensor_values"] = sorted({item.data for item in found.observations["road_weather"]})
out["observation_fields"] = [found.city, found.region, found.state, found.country, found.time, found.prev_id]
out["observations_shown"] = sorted(observations.show(found.id[:3]).id)
out["preview"] = images_of(observations.preview([observation_id], out_dir="preview", return_image_data=True))

collections = helios.Collections(session=session)
found = collections.index()
out["collections"] = sorted(found.name)
out["fields"]["collections"] = fields_of(found)
identifier = collections.create("Storm", "The storm of today", tags=["snow", "today"])
collections.add_image(
    identifier,
    [
        {"camera_id": camera_id},
        {"camera_id": camera_id, "time": times[0]},
        {"observation_id": observation_id},
    ],
)
names = collections.images(identifier)
out["collection_images"] = names
out["collection_of_camera"] = collections.images(identifier, camera=camera_id)
out["collection_show_image"] = images_of(
    collections.show_image(identifier, names, out_dir="collected", return_image_data=True)
)
collections.update(identifier, name="Storm, renamed", tags=["snow"])
shown = collections.show(identifier)
out["collection_shown"] = [
    shown.name,
    shown.tags,
    shown.description,
    len(shown.images),
    shown.id == identifier,
]
copied = collections.copy(identifier, "A copy")
out["copied"] = collections.images(copied) == names
collections.add_image(copied, [{"collection_id": identifier, "image": names[0]}])
collections.remove_image(copied, names[:1])
out["after_remove"] = collections.images(copied) == names[1:]
out["emptied"] = collections.empty(copied)
collections.destroy(copied)
out["collections_after"] = sorted(collections.index().name)

both = data_utils.concatenate_feature_collections((cameras.index(q="Afton"), cameras.index(state="Ohio")))
out["joined"] = [type(both).__name__, both.id]
image = out["show_image"]["names"][0]
out["parsed"] = [
    parsing_utils.parse_image_name(f"https://x.test/a/{image}"),
    parsing_utils.parse_camera(image),
    parsing_utils.parse_time(image).isoformat(),
    parsing_utils.parse_url(f"https://x.test/a/{image}?signed").path,
]
json_utils.write_json(both.features[0].json, "feature.json")
out["json"] = [
    json_utils.read_json_file("feature.json") == both.features[0].json,
    json_utils.read_json_string('{"a": 1}'),
    json_utils.merge_json([feature.json for feature in both.features], ["properties", "state"]),
]
out["logged"] = logging_utils.log_entrance_exit(lambda: 3)()

sys.stdout.write(json.dumps(out))
