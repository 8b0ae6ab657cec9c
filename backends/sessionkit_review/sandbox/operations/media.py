"""Uploads, signed URLs, encode jobs and other jobs."""

from __future__ import annotations

import json
import mimetypes
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.encoding import SERVER_LOCATION
from sessionkit_review.sandbox.errors import invalid, missing
from sessionkit_review.sandbox.operations.call import Call, text
from sessionkit_review.sandbox.results import Style

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

MAX_PARTS = 10_000
_OTHER_JOBS = frozenset({"SYNC_USERS_LDAP"})


def upload_metadata(call: Call, operation: Mapping[str, Any]) -> Json:
    """Where to PUT a component's content: one URL, or one per part when `parts` asks for several."""
    call.user.check("create", "Component")
    component_id, name = text(operation, "component_id"), text(operation, "file_name")
    parts = operation.get("parts")
    if parts is not None:
        if not isinstance(parts, int) or not 1 <= parts <= MAX_PARTS:
            raise invalid(f"get_upload_metadata: parts must be 1 to {MAX_PARTS}, not {parts!r}.")
        upload = call.files.begin(component_id, name)
        urls = [
            {
                "part_number": part,
                "signed_url": call.access.url("put", component_id, name=name, upload=upload, part=str(part)),
            }
            for part in range(1, parts + 1)
        ]
        return {"component_id": component_id, "upload_id": upload, "urls": urls}
    headers = {
        "Content-Type": mimetypes.guess_type(name)[0] or "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{name.translate(_PLAIN)}"',
    }
    if operation.get("checksum"):
        headers["Content-MD5"] = str(operation["checksum"])
    url = call.access.url("put", component_id, name=name)
    return {"url": url, "headers": headers, "component_id": component_id}


def complete_upload(call: Call, operation: Mapping[str, Any]) -> Json:
    """Make the parts of an upload one content."""
    component_id, upload = text(operation, "component_id"), text(operation, "upload_id")
    begun = call.files.upload(upload)
    if begun is None or begun[0] != component_id:
        raise missing(f"There is no upload {upload!r} of component {component_id!r}.")
    arrived = call.files.parts(upload)
    listed = operation.get("parts")
    if not isinstance(listed, list) or not listed:
        raise invalid("complete_multipart_upload: parts must be a list of {part_number, e_tag}.")
    numbers = []
    for part in listed:
        number = part.get("part_number") if isinstance(part, dict) else None
        if (
            not isinstance(number, int)
            or number not in arrived
            or str(part.get("e_tag", "")).strip('"') != arrived[number]
        ):
            raise invalid(f"complete_multipart_upload: part {number!r} has not arrived like this.")
        numbers.append(number)
    call.files.complete(upload, component_id, numbers)
    return {
        "action": "complete_multipart_upload",
        "component_id": component_id,
        "url": call.access.url("get", component_id),
    }


def signed_url(call: Call, operation: Mapping[str, Any]) -> Json:
    """A URL by which anybody may get or put a content for a while."""
    which = text(operation, "operation") if operation.get("operation") else "get"
    if which not in {"get", "put"}:
        raise invalid(f"generate_signed_url: operation must be 'get' or 'put', not {which!r}.")
    component_id = text(operation, "component_id")
    details = {"name": str(operation.get("file_name") or component_id)} if which == "put" else {}
    return {"action": "generate_signed_url", "signed_url": call.access.url(which, component_id, **details)}


def encode_media(call: Call, operation: Mapping[str, Any]) -> Json:
    """Begin to make pictures of a component that the server has; returns the job's id."""
    component_id = call.batch.find("Component", [text(operation, "component_id")])[1][0]
    if call.files.get(component_id) is None:
        raise invalid(f"Component {component_id} has no file in the location {SERVER_LOCATION}.")
    version_id = operation.get("version_id")
    if version_id is not None:
        version_id = call.batch.find("AssetVersion", [version_id])[1][0]
    source = {
        "source_component_id": component_id,
        "keep_original": operation.get("keep_original") is not False,
        "version_id": version_id,
        "output": [],
    }
    _, (job_id,) = call.batch.create(
        "Job", {"type": "api_job", "status": "queued", "data": json.dumps(source)}
    )
    call.after.append(lambda: call.start_job(job_id))
    return {"action": "encode_media", "job_id": job_id}


def delayed_job(call: Call, operation: Mapping[str, Any]) -> Json:
    """A job of the server's own, which the sandbox has nothing to do for: it is done at once."""
    kind = text(operation, "job_type")
    if kind not in _OTHER_JOBS:
        raise invalid(f"delayed_job: there is no job called {kind!r}.")
    data = {"type": "delayed_job", "status": "done", "data": json.dumps({"description": kind})}
    entity_type, key = call.batch.create("Job", {**data, "finished_at": call.batch.scene.now})
    names = [attribute.name for attribute in entity_type.scalars]
    return {"action": "delayed_job", "data": call.results.entity(entity_type, key, names, Style())}


_PLAIN = dict.fromkeys((*range(32), 34, 92, 127), "_")
