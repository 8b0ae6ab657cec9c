"""Collections: images grouped by hand, by reference."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit_helios.sandbox import query as search
from sessionkit_helios.sandbox import times
from sessionkit_helios.sandbox.camera_api import parse_time
from sessionkit_helios.sandbox.errors import ApiError
from sessionkit_helios.sandbox.frames import Image
from sessionkit_helios.sandbox.search_api import aggregations
from sessionkit_helios.sandbox.store import run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from starlette.requests import Request

    from sessionkit.clock import Clock
    from sessionkit_helios.sandbox.gallery import Gallery
    from sessionkit_helios.sandbox.origin import PictureOrigin
    from sessionkit_helios.sandbox.query import Parameters
    from sessionkit_helios.sandbox.search_api import Protect
    from sessionkit_helios.sandbox.store import FeatureStore

_MOST_SHOWN = 200
_MOST_EMPTIED = 1000
_TABLES = """
CREATE TABLE IF NOT EXISTS helios_collections (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
    tags TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, owner TEXT NOT NULL,
    words TEXT GENERATED ALWAYS AS (lower(id || ' ' || name || ' ' || description || ' ' || tags)));
CREATE TABLE IF NOT EXISTS helios_collection_images (
    collection TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (collection, name)) WITHOUT ROWID;
"""
_COLUMNS = "id, name, description, tags, created, updated, owner"


class CollectionApi:
    """Everything below `/v1/collections`."""

    def __init__(
        self,
        db: sqlite3.Connection,
        clock: Clock,
        store: FeatureStore,
        gallery: Gallery,
        origin: PictureOrigin,
    ) -> None:
        self._db = db
        self._clock = clock
        self._store = store
        self._gallery = gallery
        self._origin = origin

    def setup(self) -> None:
        """Create the tables."""
        self._db.executescript(_TABLES)

    def routes(self, protect: Protect) -> list[Route]:
        """The routes of the API."""
        one = "/v1/collections/{id}"
        return [
            Route("/v1/collections", protect(self._index)),
            Route("/v1/collections", protect(self._create), methods=["POST"]),
            Route("/v1/collections/_search", protect(self._index), methods=["POST"]),
            Route(one, protect(self._show)),
            Route(one, protect(self._update), methods=["PATCH"]),
            Route(one, protect(self._destroy), methods=["DELETE"]),
            Route(f"{one}/images", protect(self._add_image), methods=["POST"]),
            Route(f"{one}/images", protect(self._empty), methods=["DELETE"]),
            Route(f"{one}/images/{{name}}", protect(self._image)),
            Route(f"{one}/images/{{name}}", protect(self._remove_image), methods=["DELETE"]),
        ]

    def put(self, given: Mapping[str, Any], owner: str) -> str:
        """Store a collection over one of the same `_id`; returns its id."""
        now = int(self._clock.time() * 1000)
        identifier = given.get("_id") or secrets.token_hex(12)
        created = times.parse(given["created_at"]) if "created_at" in given else now
        updated = times.parse(given["updated_at"]) if "updated_at" in given else created
        tags = json.dumps(list(given.get("tags") or []))
        row = (identifier, given["name"], given.get("description") or "", tags, created, updated, owner)
        with self._db:
            self._db.execute(
                f"INSERT OR REPLACE INTO helios_collections ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
                row,
            )
            self._put_images(identifier, given.get("images") or ())
        return identifier

    def clear(self) -> None:
        """Forget all collections."""
        with self._db:
            self._db.execute("DELETE FROM helios_collections")
            self._db.execute("DELETE FROM helios_collection_images")

    def _put_images(self, identifier: str, names: Any) -> None:
        rows = [(identifier, Image.named(name).name) for name in names]
        self._db.executemany("INSERT OR IGNORE INTO helios_collection_images VALUES (?, ?)", rows)

    def _index(self, _: Request, given: Parameters) -> Response:
        query = search.parse("collections", given)
        found = run(self._db, query, _COLUMNS, "helios_collections")
        return JSONResponse(
            {
                "results": [_document(row) for row in found.rows],
                "total": found.total,
                "skip": query.skip,
                "limit": query.limit,
                "aggs": aggregations(found),
            }
        )

    def _create(self, request: Request, given: Parameters) -> Response:
        if not given.get("name"):
            raise ApiError(400, "A collection needs a name.")
        described = {**given, "tags": _tags(given.get("tags", "")), "images": ()}
        described = {key: described[key] for key in ("name", "description", "tags") if key in described}
        return JSONResponse({"ok": True, "collection_id": self.put(described, request.state.client)})

    def _show(self, request: Request, given: Parameters) -> Response:
        document = _document(self._require(request))
        limit = given.number("limit", _MOST_SHOWN, _MOST_SHOWN)
        document["images"] = self._names(document["_id"], given.get("marker", ""), limit)
        return JSONResponse(document)

    def _names(self, identifier: str, marker: str, limit: int) -> list[str]:
        """Image names in order: after the marker when it names one, else from the first it is a part of."""
        exact = self._db.execute(
            "SELECT 1 FROM helios_collection_images WHERE collection = ? AND name = ?", (identifier, marker)
        ).fetchone()
        rows = self._db.execute(
            "SELECT name FROM helios_collection_images"
            " WHERE collection = ? AND (name > ? OR name = ? AND NOT ?) ORDER BY name LIMIT ?",
            (identifier, marker, marker, exact is not None, limit),
        )
        return [name for (name,) in rows]

    def _update(self, request: Request, given: Parameters) -> Response:
        identifier = self._require(request)[0]
        name, description = given.get("name"), given.get("description")
        tags = json.dumps(_tags(given["tags"])) if "tags" in given else None
        with self._db:
            self._db.execute(
                "UPDATE helios_collections SET name = coalesce(?, name),"
                " description = coalesce(?, description), tags = coalesce(?, tags) WHERE id = ?",
                (name, description, tags, identifier),
            )
            self._touch(identifier)
        return JSONResponse({"ok": True})

    def _destroy(self, request: Request, _: Parameters) -> Response:
        identifier = self._require(request)[0]
        if self._names(identifier, "", 1):
            raise ApiError(409, f"Collection {identifier} still has images: empty it first.")
        with self._db:
            self._db.execute("DELETE FROM helios_collections WHERE id = ?", (identifier,))
        return JSONResponse({"ok": True})

    def _add_image(self, request: Request, given: Parameters) -> Response:
        identifier = self._require(request)[0]
        name = self._referred(given).name
        with self._db:
            self._put_images(identifier, [name])
            self._touch(identifier)
        return JSONResponse({"ok": True, "image": name})

    def _referred(self, given: Parameters) -> Image:
        """The image that a request names in one of four ways."""
        if "observation_id" in given:
            observation = self._store.get("observations", given["observation_id"])
            if observation is None:
                raise ApiError(404, f"There is no observation {given['observation_id']}.")
            properties = observation["properties"]
            return Image(properties["camera_id"], times.parse(properties["time"]))
        if "collection_id" in given:
            return self._named(given["collection_id"], given.get("image", ""))
        if "camera_id" not in given:
            raise ApiError(400, "Name an image by camera_id, observation_id, or collection_id and image.")
        if "time" not in given:
            return self._gallery.live(given["camera_id"])
        return self._gallery.near(given["camera_id"], parse_time("time", given["time"]))

    def _named(self, collection: str, name: str) -> Image:
        row = self._db.execute(
            "SELECT name FROM helios_collection_images WHERE collection = ? AND name = ?", (collection, name)
        ).fetchone()
        if row is None:
            raise ApiError(404, f"There is no image {name} in collection {collection}.")
        return Image.named(name)

    def _image(self, request: Request, _: Parameters) -> Response:
        image = self._named(self._require(request)[0], request.path_params["name"])
        return self._origin.redirect(request, image.name)

    def _remove_image(self, request: Request, _: Parameters) -> Response:
        identifier = self._require(request)[0]
        image = self._named(identifier, request.path_params["name"])
        with self._db:
            self._db.execute(
                "DELETE FROM helios_collection_images WHERE collection = ? AND name = ?",
                (identifier, image.name),
            )
            self._touch(identifier)
        return JSONResponse({"ok": True})

    def _empty(self, request: Request, _: Parameters) -> Response:
        identifier = self._require(request)[0]
        names = self._names(identifier, "", _MOST_EMPTIED)
        with self._db:
            self._db.executemany(
                "DELETE FROM helios_collection_images WHERE collection = ? AND name = ?",
                [(identifier, name) for name in names],
            )
            self._touch(identifier)
        return JSONResponse({"ok": True, "total": len(names)})

    def _touch(self, identifier: str) -> None:
        now = int(self._clock.time() * 1000)
        self._db.execute("UPDATE helios_collections SET updated = ? WHERE id = ?", (now, identifier))

    def _require(self, request: Request) -> tuple[Any, ...]:
        identifier = request.path_params["id"]
        row: tuple[Any, ...] | None = self._db.execute(
            f"SELECT {_COLUMNS} FROM helios_collections WHERE id = ?",  # noqa: S608 - a constant
            (identifier,),
        ).fetchone()
        if row is None:
            raise ApiError(404, f"There is no collection {identifier}.")
        return row


def _tags(text: str) -> list[str]:
    return [tag.strip() for tag in text.split(",") if tag.strip()]


def _document(row: tuple[Any, ...]) -> dict[str, Any]:
    identifier, name, description, tags, created, updated, owner = row
    return {
        "_id": identifier,
        "name": name,
        "description": description,
        "tags": json.loads(tags),
        "created_at": times.iso(created),
        "updated_at": times.iso(updated),
        "user_id": owner,
        "bucket": "helios-collections",
    }
