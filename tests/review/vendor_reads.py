# ruff: noqa: T201 - it talks to its caller through its output
"""What the vendor's own client sees of entities that ours made; prints it as JSON."""

import json
import sys

import ftrack_api

task_id, component_id = sys.argv[1:]
session = ftrack_api.Session(schema_cache_path=False, plugin_paths=[])
task = session.get("Task", task_id)
(note,) = task["notes"]
print(
    json.dumps(
        {
            "name": task["name"],
            "bid": task["bid"],
            "end_date": task["end_date"].isoformat(),
            "status": task["status"]["name"],
            "metadata": dict(task["metadata"]),
            "frame": task["parent"]["custom_attributes"]["fstart"],
            "note": [
                note["content"],
                note["author"]["username"],
                [each["content"] for each in note["replies"]],
            ],
            "component": session.get("FileComponent", component_id)["size"],
            "locations": sorted(
                each["location"]["name"]
                for each in session.query(f"ComponentLocation where component_id is {component_id}")
            ),
        }
    )
)
session.close()
