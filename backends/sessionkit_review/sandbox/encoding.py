"""Encode jobs: they wait in a queue, run in the background and end as "done" or "failed"."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.pictures import NotAPicture, Picture, fitted, placeholder

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit_review.sandbox.batch import Batch
    from sessionkit_review.sandbox.files import Files
    from sessionkit_review.sandbox.storage import Row, Storage

Json = dict[str, Any]

SERVER_LOCATION = "3a372bde-05bc-11e4-8908-20c9d081909b"
"""The location that is the service itself; every client knows it by this id."""

WEB_SIZE, THUMBNAIL_SIZE = 1920, 300
_FILMS = frozenset({".mov", ".mp4", ".m4v", ".avi", ".mkv", ".mxf", ".webm", ".mpg", ".mpeg"})


class Encoder:
    """Runs encode jobs.

    Args:
        transaction: Runs a function with a batch and publishes what it changed.
    """

    def __init__(
        self,
        storage: Storage,
        files: Files,
        transaction: Callable[[Callable[[Batch], None], str | None], None],
    ) -> None:
        self.storage = storage
        self.files = files
        self._transaction = transaction
        self._queue: asyncio.Queue[str] | None = None
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with the jobs that an earlier run left."""
        self._queue = asyncio.Queue()
        if "Job" in self.storage.schema:
            for row in self.storage.rows(self.storage.schema.get("Job"), "status IN ('queued', 'running')"):
                self.add(row["id"])
        self._worker = asyncio.create_task(self._work(self._queue))

    async def stop(self) -> None:
        """End; a job that is under way begins anew with the next start."""
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    def add(self, job_id: str) -> None:
        """Queue a job."""
        if self._queue is not None:
            self._queue.put_nowait(job_id)

    async def _work(self, queue: asyncio.Queue[str]) -> None:
        while True:
            job = self.storage.row(self.storage.schema.get("Job"), (await queue.get(),))
            source = _source(job)
            if job is None or source is None:
                continue
            self._finish(job, "running", {})
            component = self.storage.row(
                self.storage.schema.get("Component"), (source["source_component_id"],)
            )
            data = self.files.read(source["source_component_id"])
            if component is None:
                self._finish(job, "failed", {**source, "output": [], "error": "The source is gone."})
                continue
            try:
                made = await asyncio.to_thread(_encode, data, str(component.get("file_type") or ""))
            except NotAPicture:
                error = f"Nothing here reads {component.get('file_type') or 'such'} files."
                self._finish(job, "failed", {**source, "output": [], "error": error})
            else:
                self._transaction(partial(self._store, job, source, made), job["user_id"])

    def _finish(self, job: Row, status: str, data: Json) -> None:
        def change(batch: Batch) -> None:
            ended = {"finished_at": batch.scene.now, "data": json.dumps(data)} if data else {}
            batch.update("Job", (job["id"],), {"status": status, **ended})

        self._transaction(change, job["user_id"])

    def _store(self, job: Row, source: Json, made: list[tuple[str, str, bytes, Json]], batch: Batch) -> None:
        """Add what was made to the version, and end the job."""
        version_id, output = source.get("version_id"), []
        for name, format_, data, meta in made:
            component_id = str(uuid.uuid4())
            file_type = ".mp4" if format_.startswith("video/") else ".jpg"
            self.files.put(component_id, name + file_type, data)
            fields = {"id": component_id, "name": name, "file_type": file_type, "size": len(data)}
            batch.create("FileComponent", {**fields, "version_id": version_id})
            place = {"location_id": SERVER_LOCATION, "resource_identifier": component_id}
            batch.create("ComponentLocation", {"component_id": component_id, **place})
            batch.create("JobComponent", {"job_id": job["id"], "component_id": component_id})
            batch.create(
                "Metadata",
                {
                    "parent_id": component_id,
                    "key": "ftr_meta",
                    "value": json.dumps(meta),
                    "parent_type": "FileComponent",
                },
            )
            output.append({"format": format_, "component_id": component_id})
        if version_id:
            batch.update("AssetVersion", (version_id,), {"thumbnail_id": output[-1]["component_id"]})
        if not source.get("keep_original", True):
            batch.delete("Component", (source["source_component_id"],))
        ended = {**source, "output": output}
        batch.update(
            "Job",
            (job["id"],),
            {"status": "done", "finished_at": batch.scene.now, "data": json.dumps(ended)},
        )


def _source(job: Row | None) -> Json | None:
    """What a job is to encode; None for jobs of another kind."""
    try:
        data = json.loads((job or {}).get("data") or "")
    except ValueError:
        return None
    return data if isinstance(data, dict) and isinstance(data.get("source_component_id"), str) else None


def _encode(data: bytes, file_type: str) -> list[tuple[str, str, bytes, Json]]:
    """The (name, format, content, description) of what is made of a source, the thumbnail last.

    Films are passed on as they are: nothing here encodes films.
    """
    if file_type.lower() in _FILMS:
        film = ("ftrackreview-mp4", "video/mp4", data, {"frameIn": 0, "frameOut": 0, "frameRate": 24})
        return [film, _named("thumbnail", placeholder(THUMBNAIL_SIZE))]
    return [
        _named("ftrackreview-image", fitted(data, WEB_SIZE)),
        _named("thumbnail", fitted(data, THUMBNAIL_SIZE)),
    ]


def _named(name: str, picture: Picture) -> tuple[str, str, bytes, Json]:
    meta = {"format": "image", "width": picture.width, "height": picture.height}
    return name, picture.media_type, picture.data, meta
