"""A review, for `sessionkit demo`."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

from sessionkit_review.entities.notes import CreateNoteMixin
from sessionkit_review.session import ReviewSession

if TYPE_CHECKING:
    from sessionkit.cli.demo import Stage
    from sessionkit_review.entity import Entity

_SECONDS = 15.0


def demo(stage: Stage) -> None:
    """Find a task that awaits approval, upload a version, note it, approve it, and hear of it."""
    with tempfile.TemporaryDirectory(prefix="sessionkit-demo-") as folder:
        options: dict[str, Any] = {"schema_cache_path": folder, "plugin_paths": []}
        with ReviewSession(auto_connect_event_hub=True, **options) as session:
            with stage.step("sign in, and connect to the event server") as said:
                session.wait_for_event_hub(_SECONDS)
                said.append(f"{session}; {len(session.types)} entity types")
            task = _find(stage, session)
            version = _publish(stage, session, task, Path(folder))
            _approve(stage, session, task, version)


def _find(stage: Stage, session: ReviewSession) -> Entity:
    with stage.step("find a task that awaits approval") as said:
        waiting = session.select("Task", "name", "parent.name", "status.name", "project.full_name")
        tasks = waiting.where(status__name="Pending review").order_by("end_date").all()
        task = tasks[0]
        where = f"{task['project']['full_name']}, {task['parent']['name']}, {task['name']}"
        said.append(f"{where}, the first of {len(tasks)}")
    with stage.step("read an attribute of all of them that was not asked for") as said:
        priorities = {str(each["priority"]["name"]) for each in tasks}
        said.append(f"priorities {', '.join(sorted(priorities))}, loaded together")
    return task


def _publish(stage: Stage, session: ReviewSession, task: Entity, folder: Path) -> Entity:
    with stage.step("upload a version with a picture") as said:
        picture = _picture(folder / "take.png", f"{task['parent']['name']} {task['name']}")
        kind = session.select("AssetType").where(short="img").one()
        asset = session.ensure(
            "Asset", {"name": "review", "parent": task["parent"], "type": kind}, ["name", "parent"]
        )
        version = session.create("AssetVersion", {"asset": asset, "task": task, "comment": "From the demo."})
        session.commit()
        data = {"name": "main", "version": version}
        component = session.create_component(picture, data, session.server_location)
        said.append(f"version {version['version']}, {component['size']:,} bytes")
    with stage.step("have the server make a picture for the web of it") as said:
        job = _ended(session, session.encode_media(component, version["id"]))
        said.append(f"the job is {job['status']}")
    return version


def _ended(session: ReviewSession, job: Entity) -> Entity:
    ends = session.clock.monotonic() + _SECONDS
    while job["status"] not in {"done", "failed"} and session.clock.monotonic() < ends:
        session.clock.sleep(0.05)
        session.refresh(job)
    return job


def _approve(stage: Stage, session: ReviewSession, task: Entity, version: Entity) -> None:
    heard = threading.Event()

    def on_update(event: Any) -> None:
        if any(change.get("entityId") == task["id"] for change in event["data"]["entities"]):
            heard.set()

    session.event_hub.subscribe("topic=ftrack.update", on_update)
    session.event_hub.flush(_SECONDS)
    with stage.step("write a note, and approve the task: one transaction") as said:
        me = session.select("User").where(username=session.api_user).one()
        assert isinstance(version, CreateNoteMixin)
        version.create_note("Approved, lovely light.", me)
        task["status"] = session.select("Status").where(name="Approved").one()
        changes = len(session.recorded_operations)
        session.commit()
        said.append(f"{changes} changes, and the task is {task['status']['name']!r}")
    with stage.step("hear of it from the event server") as said:
        said.append("the update arrived" if heard.wait(_SECONDS) else "nothing arrived")


def _picture(path: Path, text: str) -> Path:
    image = Image.new("RGB", (960, 402), "#10243a")
    draw = ImageDraw.Draw(image)
    for ring in range(12, 0, -1):
        shade = 255 - ring * 16
        draw.ellipse(
            (480 - ring * 30, 200 - ring * 14, 480 + ring * 30, 200 + ring * 14), fill=(shade, shade, 150)
        )
    draw.text((24, 368), text, fill="white")
    image.save(path)
    return path
