"""Index and show, which alerts, cameras, observations and recordings have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sessionkit_helios.sandbox import query as search
from sessionkit_helios.sandbox import times
from sessionkit_helios.sandbox.errors import ApiError
from sessionkit_helios.sandbox.frames import Image
from sessionkit_helios.sandbox.store import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from sessionkit_helios.sandbox.gallery import Gallery
    from sessionkit_helios.sandbox.origin import PictureOrigin
    from sessionkit_helios.sandbox.query import Parameters
    from sessionkit_helios.sandbox.store import FeatureStore, Found

    Handler = Callable[[Request, Parameters], Response]
    # Turns a handler into a Starlette endpoint that lets only known clients in.
    Protect = Callable[[Handler], Any]


class SearchApi:
    """`GET /v1/{api}`, `POST /v1/{api}/_search`, `GET /v1/{api}/{id}`, and observations' previews."""

    def __init__(self, store: FeatureStore, gallery: Gallery, origin: PictureOrigin) -> None:
        self._store = store
        self._gallery = gallery
        self._origin = origin

    def routes(self, protect: Protect) -> list[Route]:
        """The routes of all four APIs."""
        routes = [Route("/v1/observations/{id}/preview", protect(self._preview))]
        for kind in KINDS:
            routes += [
                Route(f"/v1/{kind}", protect(self._index_of(kind))),
                Route(f"/v1/{kind}/_search", protect(self._index_of(kind)), methods=["POST"]),
                Route(f"/v1/{kind}/{{id}}", protect(self._show_of(kind))),
            ]
        return routes

    def _index_of(self, kind: str) -> Handler:
        def index(_: Request, given: Parameters) -> Response:
            query = search.parse(kind, given)
            return Response(_collection(query, self._store.search(query)), media_type="application/json")

        return index

    def _show_of(self, kind: str) -> Handler:
        def show(request: Request, _: Parameters) -> Response:
            return JSONResponse(self._require(kind, request.path_params["id"]))

        return show

    def _preview(self, request: Request, _: Parameters) -> Response:
        properties = self._require("observations", request.path_params["id"])["properties"]
        camera = properties.get("camera_id", "")
        instant = times.parse(properties["time"])
        self._gallery.require(camera)
        return self._origin.redirect(request, Image(camera, instant).name)

    def _require(self, kind: str, identifier: str) -> dict[str, Any]:
        document = self._store.get(kind, identifier)
        if document is None:
            raise ApiError(404, f"There is no {kind[:-1]} {identifier}.")
        return document


def _collection(query: search.Query, found: Found) -> str:
    """The FeatureCollection as JSON text; the stored documents are JSON already."""
    properties = {
        "total": found.total,
        "skip": query.skip,
        "limit": query.limit,
        "aggs": aggregations(found),
    }
    bbox = None
    if found.rows:
        _, west, south, east, north = zip(*found.rows, strict=True)
        bbox = [min(west), min(south), max(east), max(north)]
    documents = ",".join(row[0] for row in found.rows)
    return (
        f'{{"type":"FeatureCollection","features":[{documents}],'
        f'"properties":{json.dumps(properties)},"bbox":{json.dumps(bbox)}}}'
    )


def aggregations(found: Found) -> dict[str, list[dict[str, Any]]]:
    """The counts as the service writes them: `{"city": [{"value": "Richmond", "count": 12}]}`."""
    return {
        name: [{"value": value, "count": count} for value, count in counted]
        for name, counted in found.aggregations.items()
    }
